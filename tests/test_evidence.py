"""What answer() makes of readings: natural bounds, clauses, several answers, neighbours, contradictions, reasons."""

from __future__ import annotations

from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest

from index import build, open_index
from index.library import Library
from index.reading.articles import Article
from qa import answer
from qa.answering import answer_from, evidence_of, exact
from qa.question import read_question
from qa.reader import Reading
from qa.reasons import why_not
from qa.retriever import Hit, Signals, rerank, retrieve
from qa.wording import Kind
from tests.conftest import BRIDGE, write

NO_SIGNALS = Signals(0, 0, 0, 0, 0)


def hit_of(text: str, sentence: str, read: str = "", *more: str, score: float = 5.0) -> Hit:
    """A sentence of an article that is not stored, read with the given spans."""

    def span(words: str) -> tuple[int, int]:
        at = text.index(words, text.index(sentence))
        return at, at + len(words)

    reading = Reading(*span(read), score, tuple(map(span, more))) if read else None
    return Hit(Article(path="a.txt", text=text, hash=""), *span(sentence), 1.0, NO_SIGNALS, (0, len(text)), reading)


@pytest.mark.parametrize(
    ("read", "wanted", "said"),
    [
        ("3.4", Kind.NUMBER, "3.4 million euros"),
        ("million", Kind.NUMBER, "3.4 million euros"),
        ("3.4 million euros", Kind.THING, "3.4 million euros"),
    ],
)
def test_an_exact_answer_has_natural_bounds(read: str, wanted: Kind, said: str, library: Library) -> None:
    evidence = evidence_of(hit_of(BRIDGE, "The works cost 3.4 million euros.", read), wanted, library)
    assert exact(evidence) == said
    assert BRIDGE[evidence.start : evidence.end] == said
    assert evidence.more == ()


def test_an_explanation_is_a_clause_or_the_sentence(library: Library) -> None:
    text = "The school closed. Pupils stayed at home because the boiler had burst, the head said."
    evidence = evidence_of(hit_of(text, text[19:], "boiler"), Kind.REASON, library)
    assert exact(evidence) == "because the boiler had burst"
    whole = evidence_of(hit_of(text, "The school closed.", "school"), Kind.EVENT, library)
    assert exact(whole).startswith("The school closed")


def test_several_answers_come_in_the_texts_order(library: Library) -> None:
    text = "Envoys of Chile, of Peru and of Japan met."
    evidence = evidence_of(hit_of(text, text, "Japan", "Chile", "Peru"), Kind.PLACE, library)
    assert exact(evidence) == "Chile; Peru; Japan"
    assert [text[start:end] for start, end in evidence.more] == ["Peru", "Japan"]


def test_a_sentence_that_was_not_read_is_its_own_answer(library: Library) -> None:
    evidence = evidence_of(hit_of(BRIDGE, "Who pays"), Kind.THING, library)
    assert exact(evidence) == "Who pays"


def test_in_further_evidence_a_mere_guess_is_not_marked(library: Library) -> None:
    asked = read_question("What did the works cost?", library)
    best, other = retrieve(asked.text, library, k=2)
    assert best.reading is not None
    likely, unlikely = (Reading(other.start, other.start + 3, best.reading.score - less) for less in (1.0, 9.0))
    said = answer_from(asked, [best, replace(other, reading=likely)], library).evidence[1]
    assert said.end < other.end
    said = answer_from(asked, [best, replace(other, reading=unlikely)], library).evidence[1]
    assert (said.start, said.end) == (other.start, other.end)


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


FERRY = (
    "date 2021-05-{day} The ferry Skua\nsource: {source}\n\n"
    "The ferry Skua sank off Port Ansel with {aboard} people aboard.\n"
)


def test_articles_that_disagree_are_both_shown(tmp_path: Path) -> None:
    first = FERRY.format(day="03", source="Test Wire", aboard="112")
    later = FERRY.format(day="09", source="Test Post", aboard="131").replace("sank off", "went down near")
    build(write(tmp_path / "corpus", first=first, later=later, third=later + "\nIt was calm.\n"), tmp_path / "index")
    library = open_index(tmp_path / "index")
    said = answer("How many people were aboard the ferry Skua?", library)
    assert said.found
    figures = {said.text, *(exact(other) for other in said.contradicting)}
    assert {figure.split()[0] for figure in figures} == {"112", "131"}
    assert all(other in said.evidence[1:] for other in said.contradicting)
    assert {other.hit.article.date for other in said.contradicting}.isdisjoint({said.evidence[0].hit.article.date})
    library.close()


def test_a_copy_with_another_figure_is_no_copy(tmp_path: Path) -> None:
    first = FERRY.format(day="03", source="Test Wire", aboard="112")
    later = FERRY.format(day="09", source="Test Wire", aboard="131")
    build(write(tmp_path / "corpus", first=first, later=later, same=first + "\nIt was calm.\n"), tmp_path / "index")
    library = open_index(tmp_path / "index")
    said = answer("How many people were aboard the ferry Skua?", library)
    figures = [said.text, *(exact(other) for other in said.contradicting)]
    assert sorted(figure.split()[0] for figure in figures) == ["112", "131"]
    library.close()


def test_articles_that_agree_or_speak_of_other_things_do_not_disagree(tmp_path: Path) -> None:
    first = FERRY.format(day="03", source="Test Wire", aboard="112")
    same = FERRY.format(day="04", source="Test Post", aboard="112").replace("sank off", "went down near")
    other = first.replace("Skua", "Tern").replace("112", "40").replace("05-03", "05-06")
    build(write(tmp_path / "corpus", first=first, same=same, other=other), tmp_path / "index")
    library = open_index(tmp_path / "index")
    said = answer("How many people were aboard the ferry Skua?", library)
    assert said.text.startswith("112")
    assert said.contradicting == ()
    library.close()


def test_the_reader_joins_the_fused_score() -> None:
    fused = np.array([3.0, 2.0, 1.0, 0.5])
    readings = {0: Reading(0, 1, -4.0), 1: Reading(0, 1, 6.0), 3: Reading(0, 1, float("-inf"))}
    assert rerank(fused, readings).tolist() == [-1.0, 8.0, -3.0, -3.5]  # unread and wordless take the least, -4
    assert rerank(fused, {}).tolist() == fused.tolist()


def test_without_reranking_nothing_is_read(library: Library) -> None:
    plain = retrieve("What did the works cost?", library, k=50, rerank=False)
    read = retrieve("What did the works cost?", library, k=50)
    assert all(hit.reading is None for hit in plain)
    read_of = {hit.passage for hit in read if hit.reading}
    assert len({hit.passage for hit in read}) > len(read_of) > 0  # far worse passages are not read
    assert all((hit.reading is not None) == (hit.passage in read_of) for hit in read)
    assert {astuple(hit.signals) for hit in plain} == {astuple(hit.signals) for hit in read}
    best = read[0].reading
    assert best is not None
    assert "3.4 million euros" in BRIDGE[best.start : best.end]


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("When did the zeppelin land?", "The articles do not say. No sentence mentions “zeppelin” and “land”."),
        (
            "Did the mayor of the bridge resign over the frost?",
            "The articles do not say. No sentence mentions “resign”.",
        ),
    ],
)
def test_reasons_are_true_of_the_question(question: str, reason: str, library: Library) -> None:
    asked = read_question(question, library)
    hits = retrieve(question, library)
    assert why_not(asked, hits, library) == reason


def test_a_reason_names_what_the_nearest_sentences_lack(library: Library) -> None:
    asked = read_question("When does insurance cover hail?", library)
    insurance = [hit for hit in retrieve("insurance hail frost", library) if hit.text.startswith("Insurance")]
    reason = why_not(asked, insurance, library)
    assert reason == (
        "The articles do not say. They speak of “insurance”, “cover” and “hail”, but the nearest sentences "
        "give no date or time."
    )
    dated = [hit for hit in retrieve("floods November", library) if hit.text.startswith("Floods")]
    reason = why_not(read_question("When were lorries over the mountain road?", library), dated, library)
    assert reason.endswith("but give no date or time that answers.")
    assert "“lorries”, “mountain” and “road”" in reason
    reason = why_not(read_question("Was the mountain road hit by frost?", library), dated, library)
    assert reason.startswith("The articles do not say. The nearest sentence speaks of “mountain” and “road”, but has")
    assert "“frost”" in reason


@pytest.mark.parametrize("question", ["???", "tell me more about that"])
def test_a_question_without_a_word_of_its_own_is_told_so(question: str, library: Library) -> None:
    said = answer(question, library)
    assert not said.found
    assert said.reason == "The articles do not say. The question has no word of its own to look for."


def test_only_sentences_with_the_phrase_are_read(library: Library) -> None:
    (hit,) = retrieve("What happened to the “middle pier”?", library)
    assert hit.reading is not None


def test_answers_can_be_made_of_hits_that_were_found_before(library: Library) -> None:
    asked = read_question("What did the works cost?", library)
    said = answer_from(asked, retrieve(asked.text, library, k=25), library)
    assert said == answer(asked.text, library)
