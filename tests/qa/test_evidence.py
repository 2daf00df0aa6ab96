"""What answer() makes of readings: natural bounds, several answers, neighbours, plain values, reasons."""

from __future__ import annotations

import json
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest

from index import build, open_index
from index.library import Library
from index.reading.articles import Article
from qa import answer
from qa.answering import answer_from, evidence_of
from qa.question import read_question
from qa.reader import Reading
from qa.reasons import why_not
from qa.retriever import Hit, Signals, rerank, retrieve
from tests.conftest import BRIDGE, write

NO_SIGNALS = Signals(0, 0, 0, 0, 0)


def hit_of(text: str, sentence: str, read: str = "", *more: str, score: float = 5.0) -> Hit:
    """A sentence of an article that is not stored, read with the given spans."""

    def span(words: str) -> tuple[int, int]:
        at = text.index(words, text.index(sentence))
        return at, at + len(words)

    reading = Reading((span(read), *map(span, more)), score) if read else None
    return Hit(Article(path="a.txt", text=text, hash=""), *span(sentence), 1.0, NO_SIGNALS, (0, len(text)), reading)


def test_several_answers_come_in_the_texts_order_and_each_once(library: Library) -> None:
    text = "Envoys of Chile, of New Zealand and of Japan met."
    evidence = evidence_of(hit_of(text, text, "Japan", "Chile", "Zealand", "New"), library.follow())
    assert evidence.text == "Chile; New Zealand; Japan"
    assert [text[start:end] for start, end in evidence.spans] == ["Chile", "New Zealand", "Japan"]
    assert (evidence.start, evidence.end) == evidence.spans[0]


def test_a_sentence_that_was_not_read_is_its_own_answer(library: Library) -> None:
    hit = hit_of(BRIDGE, "Who pays")
    evidence = evidence_of(hit, library.follow())
    assert (evidence.text, evidence.spans) == ("Who pays", ((hit.start, hit.end),))


def test_in_further_evidence_a_mere_guess_is_not_marked(library: Library) -> None:
    asked = read_question("What did the works cost?")
    best, other = retrieve(asked.text, library, k=2)
    assert best.reading is not None
    likely, unlikely = (Reading(((other.start, other.start + 3),), best.reading.score - less) for less in (1.0, 9.0))
    said = answer_from(asked, [best, replace(other, reading=likely)], library.follow()).evidence[1]
    assert said.end < other.end
    said = answer_from(asked, [best, replace(other, reading=unlikely)], library.follow()).evidence[1]
    assert said.spans == ((other.start, other.end),)


@pytest.mark.usefixtures("encoder")
def test_a_sentence_that_leans_on_another_brings_it_along(tmp_path: Path) -> None:
    story = "The diver\n\nMara Bel dived in the Blue Cave for six hours. She came up with a bronze bell.\n"
    build(write(tmp_path / "corpus", diver=story), tmp_path / "index")
    library = open_index(tmp_path / "index")
    said = answer("What did Mara Bel bring up from the cave?", library)
    best = said.evidence[0]
    assert best.hit.text == "She came up with a bronze bell."
    assert best.context is not None
    assert story[slice(*best.context)] == "Mara Bel dived in the Blue Cave for six hours."
    other = answer("How long did Mara Bel dive?", library).evidence[0]
    assert (other.hit.text[:8], other.context) == ("Mara Bel", None)
    library.close()


@pytest.mark.usefixtures("encoder")
def test_a_copy_with_another_figure_is_not_a_copy(tmp_path: Path) -> None:
    first = "date 2021-05-03 The ferry Skua\nsource: Wire\n\nThe ferry Skua sank off Ansel with 112 people aboard.\n"
    later = first.replace("05-03", "05-09").replace("112", "131")
    build(write(tmp_path / "corpus", first=first, later=later, same=first + "\nIt was calm.\n"), tmp_path / "index")
    library = open_index(tmp_path / "index")
    said = answer("How many people were aboard the ferry Skua?", library)
    assert sorted(other.text.split()[0] for other in said.evidence if "aboard" in other.hit.text) == ["112", "131"]
    library.close()


def test_plain_values_hold_every_span_with_its_text(library: Library) -> None:
    text = "Ana won. She wept and sang."
    hit = hit_of(text, "She wept and sang.", "sang", "wept")
    evidence = replace(evidence_of(hit, library.follow()), context=(0, 8))
    row = evidence.to_dict()
    assert json.loads(json.dumps(row)) == row
    assert row["sentence"].pop("article")["file"] == "a.txt"
    assert row == {
        "text": "wept; sang",
        "spans": [{"text": "wept", "start": 13, "end": 17}, {"text": "sang", "start": 22, "end": 26}],
        "sentence": {"text": "She wept and sang.", "start": 9, "end": 27, "score": 1.0},
        "context": {"text": "Ana won.", "start": 0, "end": 8},
    }


def test_what_is_printed_of_an_answer_is_short(library: Library) -> None:
    said = answer("What did the works cost?", library)
    assert "text='3.4 million euros'" in repr(said)
    assert len(repr(said)) < 300
    hit = said.evidence[0].hit
    assert (
        repr(hit)
        == f"Hit('The works cost 3.4 million euros.', 'bridge.txt', {hit.start}, {hit.end}, score={hit.score:.2f})"
    )
    assert len(repr(said.evidence[0])) < 300


def test_the_reader_joins_the_fused_score() -> None:
    fused = np.array([3.0, 2.0, 1.0, 0.5])
    readings = {0: Reading(((0, 1),), -4.0), 1: Reading(((0, 1),), 6.0), 3: Reading(((0, 1),), float("-inf"))}
    assert rerank(fused, readings).tolist() == [-1.0, 8.0, -3.0, -3.5]  # unread and wordless take the least, -4
    assert rerank(fused, {}).tolist() == fused.tolist()


def test_without_reranking_nothing_is_read(library: Library) -> None:
    plain = retrieve("What did the works cost?", library, k=50, rerank=False)
    read = retrieve("What did the works cost?", library, k=50)
    assert all(hit.reading is None for hit in plain)
    assert all(hit.reading is not None for hit in read)  # there are fewer passages than are read
    assert {astuple(hit.signals) for hit in plain} == {astuple(hit.signals) for hit in read}
    best = read[0].reading
    assert best is not None
    assert "3.4 million euros" in BRIDGE[best.start : best.end]


@pytest.mark.parametrize(
    ("question", "unknown"),
    [
        ("When did the zeppelin land in Odžak?", " No sentence mentions “zeppelin”, “land” or “Odžak”."),
        ("Did the mayor of the bridge resign over the frost?", " No sentence mentions “resign”."),
        ("When does insurance cover hail?", ""),
    ],
)
def test_a_reason_names_the_words_that_stand_in_no_sentence(question: str, unknown: str, library: Library) -> None:
    assert why_not(read_question(question), library.follow()) == f"I found no sentence that answers this.{unknown}"


def test_only_sentences_with_the_phrase_are_read(library: Library) -> None:
    (hit,) = retrieve("What happened to the “middle pier”?", library)
    assert hit.reading is not None


def test_answers_can_be_made_of_hits_that_were_found_before(library: Library) -> None:
    asked = read_question("What did the works cost?")
    said = answer_from(asked, retrieve(asked.text, library, k=25), library.follow())
    assert said == answer(asked.text, library)


@pytest.mark.usefixtures("reader")
def test_markdown_is_answered_in_words_and_marked_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    text = (
        "---\ntitle: Pier reopens\ndate: 2024-05-02\n---\n\nThe pier of Holm was repaired by [**Brekke & Sons**]"
        "(https://pier.example/2019/builders.html), a firm from Skerry. It cost &euro;3 million.\n"
    )
    (tmp_path / "corpus" / "pier.md").write_text(text, encoding="utf-8")
    build(tmp_path / "corpus", tmp_path / "index")
    said = answer("Which firm repaired the pier of Holm?", tmp_path / "index")
    assert said.text.startswith("Brekke & Sons")
    (first, *_), article = said.evidence, said.evidence[0].hit.article
    assert first.hit.text == "The pier of Holm was repaired by Brekke & Sons, a firm from Skerry."
    assert article.read(first.start, first.end) == said.text
    assert article.text.startswith("Brekke & Sons", first.start)
    assert article.text[first.hit.start : first.hit.end].startswith("The pier of Holm was repaired by [**Brekke")
    assert "pier.example" not in str(said.to_dict()["evidence"][0]["sentence"]["text"])
    assert "€3 million" in answer("How much did the pier of Holm cost?", tmp_path / "index").text
