"""BM25 through tantivy: exact scores, analysis, restriction, and updates that are cut short or repeated."""

from __future__ import annotations

import datetime
import json
import math
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from index.storage import lexical as module
from index.storage.analysis import analyse
from index.storage.lexical import Lexical, catch_up
from index.storage.rows import Restriction, TextRow
from index.storage.store import Store
from tests.running import ROOT, repeating
from tests.stored import encoded, new_store

ANY = Restriction()
TEXTS = {
    11: "The river rose by two metres and the bridge fell.",
    12: "A bridge, a bridge and another bridge.",
    13: "Vučić met the mayor of Pristina.",
    14: "Frost destroyed the plum blossom around Valjevo.",
    15: "The mayor said nothing about the river, the frost or the plums.",
}


def row(id_: int, text: str, date: str | None = None, source: str | None = None) -> TextRow:
    return TextRow(id_, text, datetime.date.fromisoformat(date) if date else None, source)


def filled(rows: Iterable[TextRow], folder: Path | None = None) -> Lexical:
    rows = list(rows)
    made = Lexical(folder)
    made.update(rows, rows, [], [], generation=1)
    return made


@pytest.fixture(scope="module")
def small() -> Lexical:
    """The five texts, each a passage of one sentence."""
    return filled(row(id_, text) for id_, text in TEXTS.items())


def okapi(texts: dict[int, str], terms: Sequence[str], lexical: Lexical) -> dict[int, float]:
    """BM25 written down from the formula: k1 = 1.2, b = 0.75."""
    words = {id_: analyse(text) for id_, text in texts.items()}
    average = sum(map(len, words.values())) / len(words)
    scores: dict[int, float] = {}
    for term in terms:
        holding = sum(term in own for own in words.values())
        idf = math.log(1 + (len(words) - holding + 0.5) / (holding + 0.5))
        for id_, own in words.items():
            times = Counter(own)[term]
            if times:
                norm = 1.2 * (1 - 0.75 + 0.75 * len(own) / average)
                scores[id_] = scores.get(id_, 0.0) + idf * times * 2.2 / (times + norm)
    return scores


@pytest.mark.parametrize("question", ["bridge", "the river", "mayor frost plum", "nothing known here", "bridge bridge"])
def test_scores_are_okapi_bm25(question: str, small: Lexical) -> None:
    terms = analyse(question)
    expected = okapi(TEXTS, terms, small)

    assert small.search_sentences(terms, 10, ANY) == pytest.approx(expected, rel=1e-5)
    assert small.search_passages(terms, 10, ANY) == pytest.approx(expected, rel=1e-5)
    assert small.score_sentences(terms, list(TEXTS)) == pytest.approx(expected, rel=1e-5)
    assert small.score_passages(terms, [12, 15, 999]) == pytest.approx(
        {id_: score for id_, score in expected.items() if id_ in (12, 15)}, rel=1e-5
    )


def test_the_best_come_first_and_no_more_than_asked_for(small: Lexical) -> None:
    found = small.search_sentences(analyse("bridge mayor"), 3, ANY)

    assert list(found) == sorted(found, key=lambda id_: -found[id_])
    assert len(small.search_sentences(analyse("bridge mayor"), 1, ANY)) == 1
    assert list(small.search_sentences(analyse("bridge"), 1, ANY)) == [12]


def test_the_rarity_of_a_word_is_that_of_the_formula(small: Lexical) -> None:
    assert small.idf(["bridg", "mayor", "absent"]) == {
        "bridg": pytest.approx(math.log(1 + 3.5 / 2.5)),
        "mayor": pytest.approx(math.log(1 + 3.5 / 2.5)),
        "absent": pytest.approx(math.log(1 + 5.5 / 0.5)),
    }


@pytest.mark.parametrize(
    ("asked", "id_"),
    [("Vucic", 13), ("VUČIĆ", 13), ("vučić’s", 13), ("destroying", 14), ("blossoms", 14), ("METRE", 11)],
)
def test_accents_case_and_endings_do_not_matter(asked: str, id_: int, small: Lexical) -> None:
    assert list(small.search_sentences(analyse(asked), 5, ANY)) == [id_]
    assert small.known(asked)
    assert not small.known(f"zeppelin{asked}")


@pytest.mark.parametrize(
    ("phrase", "found"),
    [("another bridge", [12]), ("bridge another", []), ("mayor of Pristina", [13]), ("bridge", [12, 11]), ("...", [])],
)
def test_a_phrase_is_its_words_in_their_order(phrase: str, found: list[int], small: Lexical) -> None:
    assert list(small.search_phrases([phrase], 5, ANY)) == found


@pytest.mark.parametrize(
    "raw",
    [
        'what? is: this! * "( AND',
        "*",
        "text:bridge OR id:[0 TO 9]",
        '"',
        "\\",
        "",
        "  ",
        "\0",
        "🙂 𝔘",
        "a" * 5000,
        "NOT",
    ],
)
def test_what_people_type_never_raises(raw: str, small: Lexical) -> None:
    terms = analyse(raw)

    assert set(small.search_sentences(terms, 5, ANY)) <= set(TEXTS)
    assert set(small.search_passages(terms, 5, ANY)) <= set(TEXTS)
    assert set(small.search_phrases([raw], 5, ANY)) <= set(TEXTS)
    assert set(small.score_sentences(terms, [11, 12])) <= {11, 12}
    small.idf(terms)
    small.known(raw)
    assert small.score_sentences(terms, []) == {}


def test_dates_and_sources_confine_a_search() -> None:
    made = filled(
        [
            row(1, "The bridge fell.", "2022-01-01", "Test Wire"),
            row(2, "The bridge fell.", "2022-01-31", "Test  POST"),
            row(3, "The bridge fell.", "2022-02-01", None),
            row(4, "The bridge fell.", None, "test wire"),
        ]
    )
    day = datetime.date.fromisoformat

    def ids(restriction: Restriction) -> list[int]:
        found = made.search_sentences(["bridg"], 9, restriction)
        assert found == made.search_passages(["bridg"], 9, restriction)
        assert sorted(made.search_phrases(["bridge fell"], 9, restriction)) == sorted(found)
        assert len(set(found.values())) <= 1  # a restriction adds nothing to a score
        return sorted(found)

    assert ids(ANY) == [1, 2, 3, 4]
    assert ids(Restriction(since=day("2022-01-31"))) == [2, 3]
    assert ids(Restriction(until=day("2022-01-31"))) == [1, 2]
    assert ids(Restriction(since=day("2022-01-31"), until=day("2022-01-31"))) == [2]
    assert ids(Restriction(source="TEST WIRE")) == [1, 4]
    assert ids(Restriction(source="test post")) == [2]
    assert ids(Restriction(since=day("1000-01-01"), source="Test Wire")) == [1]
    assert ids(Restriction(source="Nobody")) == []
    unrestricted = made.search_sentences(["bridg"], 9, ANY)
    assert made.search_sentences(["bridg"], 9, Restriction(source="test post"))[2] == pytest.approx(unrestricted[2])


def test_what_is_removed_is_not_found_and_what_is_added_again_is_found_once() -> None:
    made = filled(row(id_, text) for id_, text in TEXTS.items())
    made.update([], [], [(11, 12)], [(12, 12)], generation=2)

    assert made.counts == (3, 4)
    assert list(made.search_passages(["bridg"], 9, ANY)) == []
    assert list(made.search_sentences(["bridg"], 9, ANY)) == [11]
    made.update([row(16, "The bridge is back.")], [row(16, "The bridge is back.")], [], [], generation=3)
    assert made.counts == (4, 5)
    assert list(made.search_passages(["bridg"], 9, ANY)) == [16]
    assert (made.generation, made.last_passage, made.last_sentence) == (3, 16, 16)
    made.update([row(20, "Bridge.")], [], [], [], generation=4, rebuild=True)
    assert (made.counts, made.last_passage, made.last_sentence) == ((1, 0), 20, 0)


def test_an_index_opened_again_holds_what_was_committed(tmp_path: Path) -> None:
    filled((row(id_, text) for id_, text in TEXTS.items()), tmp_path / "lexical")
    again = Lexical(tmp_path / "lexical")

    assert (again.generation, again.last_passage, again.last_sentence, again.counts) == (1, 15, 15, (5, 5))
    assert list(again.search_sentences(analyse("Vučić"), 5, ANY)) == [13]
    assert json.loads((tmp_path / "lexical" / "state.json").read_text()) == {
        "format": 1,
        "generation": 1,
        "last_passage": 15,
        "last_sentence": 15,
    }


RIVER = (
    "date 2022-03-04 The river\nsource: Test Wire\n\nThe river rose by two metres. Nobody was hurt. The ferry sank.\n"
)
FROST = "Frost in May\n\nThe plum blossom froze. Farmers had no cover.\n"
GRAIN = "Grain leaves port\n\nThe first ship sailed. It carried maize. The crew waved.\n"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = new_store(tmp_path)
    made.apply([encoded("river.txt", RIVER), encoded("frost.txt", FROST)])
    return made


def texts_found(lexical: Lexical, store: Store, word: str) -> list[str]:
    ids = lexical.search_sentences(analyse(word), 9, ANY)
    return [row.text for row in store.sentences_after(0) if row.id in ids]


def test_catching_up_takes_in_what_came_and_drops_what_went(store: Store, tmp_path: Path) -> None:
    lexical = Lexical(tmp_path / "index" / "lexical")
    assert lexical.generation == -1
    catch_up(lexical, store)
    assert (lexical.counts, lexical.generation) == ((3, 5), 1)
    assert texts_found(lexical, store, "ferries") == ["The ferry sank."]

    store.apply([encoded("grain.txt", GRAIN)], [store.known()["river.txt"][0]])
    catch_up(lexical, store)
    assert (lexical.counts, lexical.generation) == ((3, 5), 2)
    assert texts_found(lexical, store, "ferry") == []
    assert texts_found(lexical, store, "maize") == ["It carried maize."]
    catch_up(lexical, store)
    assert lexical.counts == (3, 5)


@pytest.mark.parametrize("moment", ["before the state", "between the two", "before all"])
def test_an_update_cut_short_and_repeated_leaves_nothing_twice(
    moment: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "index" / "lexical"
    lexical = Lexical(folder)
    catch_up(lexical, store)
    before = (folder / "state.json").read_text()
    # Twelve articles, so that one removal does not begin anew.
    store.apply([encoded(f"{n}.txt", GRAIN.replace("maize", f"cargo{n}")) for n in range(12)])
    store.apply([], [store.known()["frost.txt"][0]])

    class CutShortError(Exception):
        pass

    real, calls = module._update, []

    def cut(*arguments: object) -> int:
        calls.append(arguments)
        if len(calls) == {"before the state": 9, "between the two": 2, "before all": 1}[moment]:
            raise CutShortError
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_update", cut)
    if moment == "before the state":
        catch_up(lexical, store)
        (folder / "state.json").write_text(before)
    else:
        with pytest.raises(CutShortError):
            catch_up(lexical, store)
    monkeypatch.undo()
    del lexical

    again = Lexical(folder)
    assert again.generation == 1
    catch_up(again, store)
    assert again.counts == store.counts()[1:] == (26, 39)
    assert texts_found(again, store, "cargo7") == ["It carried cargo7."]
    assert texts_found(again, store, "blossom") == []
    assert again.generation == store.generation == 3


def all_of_it(folder: Path) -> None:
    shutil.rmtree(folder)


def its_meta(folder: Path) -> None:
    (folder / "passages" / "meta.json").write_text("{")


def its_state(folder: Path) -> None:
    (folder / "state.json").write_text("[")


def its_format(folder: Path) -> None:
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps(state | {"format": 0}))


def its_segments(folder: Path) -> None:
    for path in (folder / "sentences").glob("*.*"):
        if path.name not in ("meta.json", ".managed.json"):
            path.unlink()


def one_of_the_two(folder: Path) -> None:
    shutil.rmtree(folder / "sentences")


@pytest.mark.parametrize("damage", [all_of_it, its_meta, its_state, its_format, its_segments, one_of_the_two])
def test_a_damaged_folder_is_made_again_from_the_store(
    damage: Callable[[Path], None], store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "index" / "lexical"
    catch_up(Lexical(folder), store)
    damage(folder)

    lexical = Lexical(folder)
    assert lexical.generation == -1
    catch_up(lexical, store)
    assert lexical.counts == (3, 5)
    assert texts_found(lexical, store, "ferry") == ["The ferry sank."]
    assert Lexical(folder).counts == (3, 5)


def test_an_index_ahead_of_the_store_is_made_again(store: Store, tmp_path: Path) -> None:
    ahead = Lexical(None)
    ahead.update([row(1, "From another store.")], [row(900, "From another store.")], [], [], generation=77)
    catch_up(ahead, store)

    assert (ahead.generation, ahead.counts, ahead.last_sentence) == (1, (3, 5), 5)


def test_after_many_removals_scores_are_as_if_the_removed_had_never_been(store: Store) -> None:
    lexical = Lexical(None)
    store.apply([encoded(f"{n}.txt", GRAIN.replace("maize", f"river cargo{n}")) for n in range(6)])
    catch_up(lexical, store)
    known = store.known()
    store.apply([], [known[f"{n}.txt"][0] for n in range(6)])
    catch_up(lexical, store)

    left = {row.id: row.text for row in store.sentences_after(0)}
    terms = analyse("the river")
    assert len(left) == 5
    assert lexical.search_sentences(terms, 9, ANY) == pytest.approx(okapi(left, terms, lexical), rel=1e-5)


def test_searching_while_rows_come_and_go_finds_only_rows_with_the_word() -> None:
    texts = {n: f"The {'ferry' if n % 3 else 'bridge'} number{n} left." for n in range(1, 121)}
    made = filled(row(n, texts[n]) for n in range(1, 21))
    wrong: list[int] = []

    def search(number: int, turn: int) -> None:
        found = made.search_sentences(["ferri"], 50, ANY)
        found |= made.score_sentences(["ferri"], list(texts))
        wrong.extend(id_ for id_, score in found.items() if "ferry" not in texts.get(id_, "") or not score > 0)

    with repeating(search, threads=3):
        for at in range(21, 121, 20):
            rows = [row(n, texts[n]) for n in range(at, at + 20)]
            gone = [(at - 20, at - 11)]
            made.update(rows, rows, gone, gone, generation=at)

    assert wrong == []
    assert made.counts == (70, 70)


READER = """
import sys
from pathlib import Path
from index.storage.analysis import analyse
from index.storage.lexical import Lexical
from index.storage.rows import Restriction
for word in sys.stdin:
    lexical = Lexical(Path(sys.argv[1]))
    found = lexical.search_sentences(analyse(word), 9, Restriction())
    print(lexical.generation, sorted(found), flush=True)
"""


def test_another_process_sees_each_commit_once_it_looks(tmp_path: Path) -> None:
    folder = tmp_path / "lexical"
    writer = filled((row(id_, text) for id_, text in TEXTS.items()), folder)
    command = [sys.executable, "-c", READER, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdin
        assert reader.stdout

        def ask(word: str) -> str:
            assert reader.stdin
            assert reader.stdout
            print(word, file=reader.stdin, flush=True)
            return reader.stdout.readline().strip()

        assert ask("Vucic") == "1 [13]"
        writer.update([], [row(21, "Vučić left.")], [], [(13, 13)], generation=2)
        assert ask("Vucic") == "2 [21]"
        reader.stdin.close()
    assert reader.returncode == 0
