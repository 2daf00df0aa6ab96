"""Questions from files: each form that is read, where the gold stands, and what is said of a file that is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from index.errors import ClippingsError
from index.library import Library
from qa.measuring.datasets import Asked, asked_of, index_of, is_gold, read_questions, spread
from tests.conftest import BRIDGE, HARVEST
from tests.questions import CONTEXTS, COST, HEADS, TUNNEL, lines, squad


def id_of(library: Library, name: str) -> int:
    return library.store.known()[name][0]


@pytest.mark.usefixtures("encoder")
@pytest.mark.parametrize("exact", [True, False])
def test_the_articles_are_encoded_as_a_build_would_encode_them(exact: bool, tmp_path: Path) -> None:
    library = index_of(read_questions(squad(tmp_path / "small.json")), tmp_path, exact)
    assert library.encoder.recipe.int8 is not exact
    assert [info.path for info in library.articles()] == ["000000.txt", "000001.txt"]
    library.close()


def test_contexts_may_be_the_articles_of_an_index(library: Library, tmp_path: Path) -> None:
    answer = "212 of its\nblocks"
    start = BRIDGE.index(answer)
    answers = [{"text": text, "answer_start": start} for text in (answer, "212", "212")]
    qa = {"id": 7, "question": "How many blocks?", "answers": answers, "kind": "number"}
    path = tmp_path / "ours.json"
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": BRIDGE, "qas": [qa]}]}]}))
    article = id_of(library, "bridge.txt")
    golds = (article, start, start + 17), (article, start, start + 3), (article, start, start + 3)
    assert list(asked_of(library, read_questions(path))) == [
        Asked("7", "How many blocks?", True, golds, (answer, "212"), "number")
    ]
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": "Another text.", "qas": [qa]}]}]}))
    with pytest.raises(ClippingsError, match="is not an article of"):
        list(asked_of(library, read_questions(path)))


def test_a_list_of_questions_is_unanswerable(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "foreign.json"
    path.write_text(json.dumps([{"question": "Who won?"}, {"question": "Who lost?", "kind": "elsewhere"}]))
    assert list(asked_of(library, read_questions(path))) == [
        Asked("0", "Who won?", answerable=False),
        Asked("1", "Who lost?", answerable=False, kind="elsewhere"),
    ]


def test_lines_are_about_the_articles_of_a_folder(library: Library, tmp_path: Path) -> None:
    entries = read_questions(lines(tmp_path / "ours.jsonl", COST, HEADS, TUNNEL))
    bridge, harvest = id_of(library, "bridge.txt"), id_of(library, "harvest.txt")
    costs, ilic = BRIDGE.index("3.4 million euros"), HARVEST.index("Petar Ilić")
    vukic = BRIDGE.index("Vukić told")  # not where the mayor is first named
    assert list(asked_of(library, entries)) == [
        Asked("c1", COST["question"], True, ((bridge, costs, costs + 17),), ("3.4 million euros",), "number"),
        Asked(
            "c2",
            "who is quoted",
            True,
            ((harvest, ilic, ilic + 10), (bridge, vukic, vukic + 5)),
            ("Petar Ilić", "Vukić"),
            "who",
        ),
        Asked("c3", "How long is the tunnel?", answerable=False, kind="detail-missing"),
    ]


def test_lines_may_go_without_ids_and_have_blanks_and_odd_separators(tmp_path: Path) -> None:
    path = tmp_path / "ours.jsonl"
    path.write_text('{"question": "one\u2028two", "impossible": true}\n\n{"question": "three", "impossible": true}\n')
    (entry,) = read_questions(path)
    assert [(qa["id"], qa["question"]) for qa in entry["qas"]] == [("1", "one\u2028two"), ("3", "three")]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"file": "tunnel.txt"}, "Question c1 is about tunnel.txt, which is not an article of"),
        (
            {"sentence": "The works cost nothing."},
            "Question c1: the body of bridge.txt does not contain 'The works cost n",
        ),
        ({"sentence": "Old bridge over the Lim reopens after repairs"}, "Question c1: the body of bridge.txt"),  # title
        ({"answer": "4.3 million"}, "Question c1: the sentence in bridge.txt does not contain '4.3 million'"),
        ({"also": [{**COST, "file": "harvest.txt"}]}, "Question c1: the body of harvest.txt does not contain"),
    ],
)
def test_an_answer_that_is_not_where_it_should_be_is_named(
    values: dict[str, Any], message: str, library: Library, tmp_path: Path
) -> None:
    entries = read_questions(lines(tmp_path / "ours.jsonl", COST | values))
    with pytest.raises(ClippingsError, match=message):
        list(asked_of(library, entries))


@pytest.mark.parametrize(
    "line", ["no json", "[]", "3", '{"question": "Why?"}', json.dumps(COST | {"answer": 3}), '{"impossible": true}']
)
def test_a_line_of_another_form_is_named(line: str, tmp_path: Path) -> None:
    path = lines(tmp_path / "ours.jsonl", COST)
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    with pytest.raises(ClippingsError, match=r"ours\.jsonl, line 2 is not a question with"):
        read_questions(path)
    with pytest.raises(ClippingsError, match="cannot be read"):
        read_questions(tmp_path / "none.jsonl")


@pytest.mark.parametrize("text", ["no json", '{"data": 3}', '[{"answer": "a"}]', '{"data": [{"paragraphs": [{}]}]}'])
def test_a_file_of_another_form_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(ClippingsError, match="has no questions in SQuAD form"):
        read_questions(path)


def test_newlines_of_other_systems_shift_no_answer(tmp_path: Path) -> None:
    path = squad(tmp_path / "small.json")
    data = json.loads(path.read_text())
    paragraph = data["data"][0]["paragraphs"][0]
    paragraph["context"] = paragraph["context"].replace(". ", ".\r\n")
    paragraph["qas"][1]["answers"][0]["answer_start"] = paragraph["context"].index("Hayruddin")
    path.write_text(json.dumps(data))
    entry = read_questions(path)[0]
    assert entry["context"] == CONTEXTS[0].replace(". ", ".\n")
    assert entry["qas"][1]["answers"] == [{"text": "Hayruddin", "answer_start": CONTEXTS[0].index("Hayruddin")}]


def test_gold_is_the_sentence_in_which_an_answer_begins() -> None:
    asked = Asked("a", "Who?", True, ((1, 10, 30), (2, 5, 8)), ("one", "other"))
    assert is_gold(asked, 1, 10, 20)
    assert is_gold(asked, 1, 0, 11)
    assert is_gold(asked, 2, 0, 6)
    assert not is_gold(asked, 1, 0, 10)
    assert not is_gold(asked, 1, 11, 30)  # it ends there, but begins before
    assert not is_gold(asked, 2, 10, 20)
    assert not is_gold(asked, None, 10, 20)
    assert not is_gold(Asked("a", "Who?", answerable=False), 1, 0, 100)


def test_a_limit_takes_questions_from_all_over() -> None:
    asked = [Asked(str(n), "Who?", answerable=False) for n in range(10)]
    assert [one.id for one in spread(asked, 3)] == ["0", "3", "6"]
    assert spread(asked, 10) == spread(asked, None) == asked
