"""An opened index follows the store: after builds here and elsewhere, after kills, and under many threads."""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from index import add, build, default_library, open_index, remove
from index.errors import IndexStateError, ModelError
from index.library import Library
from index.preparing import encode
from index.reading.articles import Article, read_article
from index.reading.passages import split_sentences
from index.storage.analysis import analyse
from index.storage.database import FILE
from index.storage.lexical import Lexical, catch_up
from index.storage.locking import BuildLock
from index.storage.rows import Restriction
from index.storage.store import Store
from qa import retrieve
from tests.conftest import BRIDGE, HARVEST, write
from tests.running import python, repeating, together
from tests.stored import encoded, execute, new_store

FERRY = "The ferry\n\nThe ferry Skua sank off Port Ansel. All nine sailors were saved.\n"
SKUA = "The ferry Skua sank off Port Ansel."
ANY = Restriction()


def texts(question: str, library: Library, k: int = 50) -> list[str]:
    return [hit.text for hit in retrieve(question, library, k=k)]


# With the real model


@pytest.fixture
def library(own_library: Library) -> Library:
    """Each test's own: here they change it."""
    return own_library


def test_a_library_opened_before_a_build_follows_it(library: Library, corpus: Path, index_path: Path) -> None:
    assert SKUA not in texts("Which ferry sank?", library)
    write(corpus, ferry=FERRY, bridge=BRIDGE.replace("Ana Vukić", "Mira Horvat"))
    (corpus / "harvest.txt").unlink()
    gone = [info.id for info in library.articles()]
    before = library.generation
    build(corpus, index_path)

    found = texts("Which ferry sank?", library)
    assert found[0] == SKUA
    assert [text for text in found if "Ana Vukić" in text or "plum" in text.casefold()] == []
    assert [info.path for info in library.articles()] == ["bridge.txt", "ferry.txt"]
    assert library.generation > before
    assert [library.article(id_) for id_ in gone] == [None, None]
    assert library.sources() == ["Test Wire"]


def test_a_library_follows_another_process(library: Library, corpus: Path, index_path: Path) -> None:
    assert texts("Which ferry sank?", library, k=1) != [SKUA]
    write(corpus, ferry=FERRY)
    (corpus / "harvest.txt").unlink()
    done = python("-m", "index", "build", corpus, "--index", index_path)
    assert "1 added, 0 changed, 1 removed, 1 unchanged, 0 skipped" in done.stdout

    assert texts("Which ferry sank?", library)[0] == SKUA
    assert len(texts("What do plum growers expect?", library)) == 9


def test_adding_and_removing_is_seen_at_once(library: Library, corpus: Path, index_path: Path, tmp_path: Path) -> None:
    out = write(tmp_path / "out", ferry=FERRY)
    add([out / "ferry.txt"], index_path)
    hit = retrieve("Which ferry sank?", library, k=1)[0]
    assert (hit.text, hit.article.path) == (SKUA, "ferry.txt")
    assert library.article(hit.article.id or 0) == hit.article
    remove(["ferry.txt"], index_path)
    assert SKUA not in texts("Which ferry sank?", library)
    assert library.article(hit.article.id or 0) is None


def test_a_store_ahead_of_tantivy_is_caught_up_with(library: Library, corpus: Path) -> None:
    write(corpus, ferry=FERRY)
    store = Store.open(library.path)
    # As a builder leaves it that was killed between its two commits.
    ferry = encode([read_article(corpus / "ferry.txt")], store.settings, library.encoder)
    store.apply(ferry, [store.known()["harvest.txt"][0]])
    store.close()
    assert library.lexical.generation == library.generation - 1

    assert texts("Which ferry sank?", library)[0] == SKUA
    assert library.lexical.generation == library.generation
    assert list(library.lexical.search_sentences(analyse("plum"), 9, ANY)) == []
    assert library.lexical.counts == library.store.counts()[1:]


def test_questions_asked_while_articles_come_and_go_get_true_answers(
    library: Library, corpus: Path, index_path: Path
) -> None:
    wrong: list[str] = []

    def ask(number: int, turn: int) -> None:
        for hit in retrieve(f"Which ferry number {number} sank off Port Ansel?", library, k=20):
            if hit.text != hit.article.text[hit.start : hit.end] or hit.text != hit.text.strip() or not hit.text:
                wrong.append(f"{hit.article.path}[{hit.start}:{hit.end}]")
            if hit.article.path.startswith("ferry") and hit.text.startswith("The ferry"):
                ferry = hit.article.path.removeprefix("ferry").removesuffix(".txt")
                if hit.text != f"The ferry number {ferry} sank off Port Ansel.":
                    wrong.append(hit.text)

    with repeating(ask, threads=8):
        for n in range(10):
            write(corpus, **{f"ferry{n}": f"Ferry {n}\n\nThe ferry number {n} sank off Port Ansel. All were saved.\n"})
            add([corpus / f"ferry{n}.txt"], index_path)
            if n % 2:
                remove([f"ferry{n - 1}.txt"], index_path)

    assert wrong == []
    left = [text for text in texts("Which ferry sank off Port Ansel?", library) if text.startswith("The ferry")]
    assert sorted(left) == [f"The ferry number {n} sank off Port Ansel." for n in (1, 3, 5, 7, 9)]


def test_the_encoder_is_loaded_once_and_must_be_the_one_the_index_was_made_with(
    library: Library, index_path: Path
) -> None:
    assert library.encoder.encode_question("Who?").shape == (384,)
    assert library.encoder is library.encoder
    execute(index_path / FILE, "UPDATE meta SET value = ? WHERE key = 'model_hash'", json.dumps("0" * 64))
    other = open_index(index_path)
    for _ in range(2):
        with pytest.raises(ModelError) as caught:
            other.encoder.encode_question("Who?")
        said = str(caught.value)
        assert said.startswith(f"The encoder in {index_path / 'encoder'} is missing or damaged (")
        assert said.endswith(
            f"The model 'all-MiniLM-L6-v2' is no longer the one that the index at {index_path} was made with. "
            "Build a new index in another directory."
        )
    other.close()


# Another index in the place of the one that is open


def built_anew(corpus: Path, index: Path, **articles: str) -> None:
    """Put an index of other articles, numbered from 1 again, in the place of the one that is there."""
    (index / FILE).unlink()
    for path in corpus.iterdir():
        path.unlink()
    write(corpus, **articles)
    build(corpus, index)


@pytest.mark.parametrize("step", ["sentences_of", "passage_rows", "passages_holding"])
def test_a_question_in_flight_is_put_to_one_index(
    step: str, library: Library, corpus: Path, index_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(Store, step)
    flights: list[str] = []

    def then_replaced(self: Store, ids: list[int]) -> object:
        found = real(self, ids)
        if not flights:  # within the first question, another thread takes up another index
            flights.append(step)
            built_anew(corpus, index_path, bridge=FERRY, harvest=BRIDGE)
            together(library.follow)
        return found

    monkeypatch.setattr(Store, step, then_replaced)
    hits = retrieve("Who is the mayor?", library)
    said = "Engineers replaced 212 of its\nblocks, the mayor, Ana Vukić, said."
    start = BRIDGE.index(said)
    best = hits[0]
    assert (best.article.path, best.article.text, best.start, best.text) == ("bridge.txt", BRIDGE, start, said)
    assert flights == [step]
    assert [hit.article.text for hit in retrieve("Which ferry sank?", library, k=1)] == [FERRY]
    assert library.articles()[0].path == "harvest.txt"


@pytest.mark.usefixtures("encoder")
def test_questions_asked_while_an_index_is_built_anew_are_put_to_one_of_the_two(tmp_path: Path) -> None:
    towns = {"even": "Ansel Brno Cairo Delhi".split(), "odd": "Essen Faro Graz Haifa Izmir Jena".split()}
    texts = {
        turn: {
            f"story{n}": f"{'News. ' * n}From {town}\n\nA red parcel came to {town}. {'It rained. ' * n}All is well."
            for n, town in enumerate(names, start=1)
        }
        for turn, names in towns.items()
    }
    corpus, index = write(tmp_path / "corpus", **texts["even"]), tmp_path / "index"
    build(corpus, index)
    library = open_index(index)
    wrong: list[str] = []

    def is_whole(article: Article, start: int, end: int) -> bool:
        spans = [(s.start, s.end) for s in split_sentences(article.text, article.body_start)]
        return (start, end) in spans and article.text in [text for turn in texts.values() for text in turn.values()]

    def ask(number: int, turn: int) -> None:
        hits = retrieve("To which town did a parcel come?", library, k=20, rerank=False)
        wrong.extend(repr(hit) for hit in hits if not is_whole(hit.article, hit.start, hit.end))
        turns = {turn for hit in hits for turn in texts if hit.article.text in texts[turn].values()}
        wrong.extend([f"a mixture: {turns}"] if len(turns) > 1 else [])

    with repeating(ask, threads=4):
        for turn in ("odd", "even") * 3:
            built_anew(corpus, index, **texts[turn])
            library.follow()
    assert wrong == []
    assert {hit.article.text for hit in retrieve("parcel", library, k=20)} == set(texts["even"].values())
    library.close()


def test_another_index_of_as_many_changes_is_another_generation(opened: Library, store: Store) -> None:
    before = opened.generation
    shutil.rmtree(store.directory)
    other = new_store(store.directory.parent)
    other.apply([encoded("new.txt", "Something new.")])
    assert opened.generation != before
    assert [info.path for info in opened.articles()] == ["new.txt"]
    assert opened.follow().generation == other.generation == store.generation == 1


def test_old_rows_are_not_written_into_the_lexical_folder_of_a_new_index(
    opened: Library, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Store.vectors_after

    def then_replaced(self: Store, passage: int) -> object:
        monkeypatch.undo()
        blocks = list(real(self, passage))
        shutil.rmtree(store.directory)
        other = new_store(store.directory.parent)
        other.apply([encoded("new.txt", "Something unheard of.")])
        catch_up(Lexical(store.directory / "lexical"), other)
        other.apply([encoded("newer.txt", "Another thing unheard of.")])  # as many changes as in the old index
        return blocks

    store.apply([encoded("ferry.txt", FERRY + "More.\n", 2)])
    monkeypatch.setattr(Store, "vectors_after", then_replaced)
    for lexical in (opened.follow().lexical, Lexical(store.directory / "lexical")):
        assert lexical.known("unheard")
        assert not lexical.known("skua")


def test_a_thread_never_reads_another_file_than_the_one_that_was_opened(store: Store) -> None:
    read: list[list[str]] = []

    def paths() -> None:
        read.append([info.path for info in store.articles()])

    paths()
    for path in store.directory.glob(f"{FILE}*"):
        path.unlink()
    together(paths)
    assert not (store.directory / FILE).exists()
    new_store(store.directory.parent).apply([encoded("new.txt", "Something new.")])
    together(paths)
    assert read == [["harvest.txt", "ferry.txt"]] * 3


def test_a_store_made_anew_does_not_take_up_what_the_old_one_left(store: Store) -> None:
    assert (store.directory / f"{FILE}-wal").stat().st_size > 0
    (store.directory / FILE).unlink()
    assert new_store(store.directory.parent).articles() == []


def test_a_lexical_index_takes_up_nothing_by_itself(opened: Library, store: Store) -> None:
    asked = opened.follow()
    folder = store.directory / "lexical"
    shutil.rmtree(folder)
    other = new_store(store.directory / "other")
    other.apply([encoded("new.txt", "Something unheard of.")])
    catch_up(Lexical(folder), other)
    time.sleep(1.0)  # tantivy would look every half second
    assert asked.lexical.known("skua")
    assert not asked.lexical.known("unheard")


# Without a model: vectors made up by hand


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = new_store(tmp_path)
    made.apply([encoded("ferry.txt", FERRY, 0), encoded("harvest.txt", HARVEST, 1)])
    return made


@pytest.fixture
def opened(store: Store) -> Library:
    return open_index(store.directory)


def axis(number: int) -> np.ndarray:
    made: np.ndarray = np.eye(4, dtype=np.float32)[number]
    return made


def test_opening_loads_no_model_and_fills_both_indexes(opened: Library) -> None:
    assert opened.follow().search_dense(axis(0), 1, ANY) == {1: 1.0}
    assert opened.follow().search_dense(axis(0), 9, Restriction(source="test post")) == {2: 0.0, 3: 0.0}
    assert list(opened.lexical.search_sentences(analyse("skua"), 9, ANY)) == [1]
    assert opened.lexical.counts == opened.store.counts()[1:]
    assert opened.dense.ids().tolist() == [1, 2, 3]
    assert opened.corpus == opened.path.parent / "corpus"


def test_what_is_known_twice_is_held_once(opened: Library, store: Store) -> None:
    for _ in range(3):
        opened.follow()
    store.apply([encoded("ferry.txt", FERRY + "More.\n", 2)])
    opened.follow()
    opened.follow()

    assert opened.dense.ids().tolist() == store.passage_ids(ANY).tolist() == [2, 3, 4, 5]
    assert opened.follow().search_dense(axis(2), 9, ANY) == {4: 1.0, 5: 1.0, 2: 0.0, 3: 0.0}
    assert opened.lexical.counts == store.counts()[1:]


def test_an_article_that_did_not_exist_yet_is_found_when_it_does(opened: Library, store: Store) -> None:
    assert opened.article(3) is None
    store.apply([encoded("new.txt", "Something new.")])
    opened.follow()
    article = opened.article(3)
    assert article
    assert article.text == "Something new."
    assert opened.article(3) is article


@pytest.mark.parametrize("by", ["the builder", "the library"])
def test_a_lexical_folder_deleted_under_an_open_library_is_made_again_at_the_next_change(
    by: str, opened: Library, store: Store
) -> None:
    shutil.rmtree(store.directory / "lexical")
    assert list(opened.lexical.search_sentences(analyse("skua"), 9, ANY)) == [1]
    store.apply([encoded("new.txt", "Something unheard of.")])
    if by == "the builder":
        catch_up(Lexical(store.directory / "lexical"), store)
    opened.follow()
    assert len(opened.lexical.search_sentences(analyse("unheard"), 9, ANY)) == 1
    assert opened.lexical.counts == store.counts()[1:]
    again = open_index(store.directory)
    assert again.lexical.counts == store.counts()[1:]
    assert json.loads((store.directory / "lexical" / "state.json").read_text())["generation"] == 2
    again.close()


def test_while_another_writes_a_library_answers_with_what_it_has(opened: Library, store: Store) -> None:
    store.apply([encoded("new.txt", "Something unheard of.", 3)])
    with BuildLock(store.directory):
        assert opened.follow().search_dense(axis(3), 1, ANY) == {4: 1.0}
        assert opened.lexical.generation == 1
    opened.follow()
    assert opened.lexical.generation == 2


def test_libraries_opened_at_once_make_one_lexical_index(store: Store) -> None:
    start = threading.Barrier(4)
    found: list[tuple[int, int]] = []

    def open_one() -> None:
        start.wait()
        library = open_index(store.directory)
        with BuildLock(store.directory):
            pass  # whoever makes it has done so
        library.follow()
        found.append(library.lexical.counts)

    for _ in range(5):
        shutil.rmtree(store.directory / "lexical", ignore_errors=True)
        together(*[open_one] * 4)
    assert found == [store.counts()[1:]] * 20


def test_a_vector_that_is_damaged_is_told_at_opening(store: Store) -> None:
    execute(store.directory / "articles.db", "UPDATE passages SET vector = x'00' WHERE id = 1")
    with pytest.raises(IndexStateError, match="cannot be read"):
        open_index(store.directory)


def test_a_library_that_is_closed_answers_no_more(opened: Library, store: Store) -> None:
    opened.close()
    for ask in (opened.articles, opened.follow, lambda: opened.generation):
        with pytest.raises(IndexStateError, match="has been closed"):
            ask()
    assert store.articles() != []  # another one of the same index stays open


def test_the_default_library_is_the_one_that_the_environment_names(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    default_library.cache_clear()
    try:
        monkeypatch.setenv("CLIPPINGS_INDEX", str(store.directory))
        first = default_library()
        assert first.path == store.directory
        assert default_library() is first
        default_library.cache_clear()
        first.close()
        monkeypatch.delenv("CLIPPINGS_INDEX")
        monkeypatch.chdir(tmp_path)
        with pytest.raises(IndexStateError, match=r"There is no index at \.index\. Build it: python -m index build"):
            default_library()
    finally:
        default_library.cache_clear()


def test_an_index_built_anew_in_the_same_place_is_taken_up(library: Library, corpus: Path, index_path: Path) -> None:
    assert retrieve("plum blossom frost", library)[0].article.path == "harvest.txt"
    shutil.rmtree(index_path)
    assert retrieve("plum blossom frost", library)[0].article.path == "harvest.txt"  # what is open still answers
    (corpus / "harvest.txt").unlink()
    build(corpus, index_path, passage_tokens=40)
    assert {hit.article.path for hit in retrieve("plum blossom frost", library, k=50)} == {"bridge.txt"}
    assert [info.path for info in library.articles()] == ["bridge.txt"]
    assert library.follow().store.settings.passage_tokens == 40


def test_an_unusable_index_put_in_its_place_is_said_every_time(library: Library, index_path: Path) -> None:
    other = index_path.parent / "other.db"
    shutil.copy(index_path / "articles.db", other)
    execute(other, "UPDATE meta SET value = '99' WHERE key = 'format'")
    other.replace(index_path / "articles.db")
    for _ in range(2):
        with pytest.raises(IndexStateError, match="has format 99"):
            retrieve("bridge", library)


def test_threads_that_have_ended_leave_no_connection_behind(library: Library) -> None:
    for _ in range(20):
        together(library.articles)
    assert len(library.store._database._connections) <= 3
