"""answer(): found or not, with which evidence, and why not in words that are true."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from index import add, build, open_index
from index.library import Library
from qa import answer
from qa.confidence import Features, confidence, without_copies
from qa.reasons import leans_on_another
from qa.retriever import retrieve
from tests.conftest import BRIDGE, write


def test_an_answer_is_exact_and_in_its_sentence(library: Library) -> None:
    said = answer("What did the works cost?", library)
    assert said.found
    assert said.text == "3.4 million euros"
    best = said.evidence[0]
    assert best.hit.text == "The works cost 3.4 million euros."
    assert best.hit.start < best.start < best.end < best.hit.end
    assert BRIDGE[best.start : best.end] == said.text
    assert (best.more, best.context, said.contradicting) == ((), None, ())
    assert 0.5 < said.confidence <= 1
    assert (said.reason, said.nearest) == ("", ())


def test_not_found_says_which_word_is_nowhere(library: Library) -> None:
    said = answer("How do I bake sourdough bread?", library)
    assert not said.found
    assert (said.text, said.evidence) == ("", ())
    assert said.nearest
    assert "No sentence mentions “bake”, “sourdough” and “bread”" in said.reason


def test_not_found_says_what_the_nearest_sentence_lacks(shipped: Library) -> None:
    said = answer("Who won the Serbian presidential election?", shipped)
    assert not said.found
    assert said.reason.startswith("The articles do not say.")


def test_evidence_holds_no_near_copies(library: Library, index_path: Path) -> None:
    copy = BRIDGE.replace("date 2022-03-04", "date 2022-03-05").replace("The works cost", "The works had cost")
    (library.corpus / "copy.txt").write_text(copy, encoding="utf-8")
    add([library.corpus / "copy.txt"], index_path)
    said = answer("What did the works cost?", library)
    texts = [evidence.hit.text for evidence in said.evidence]
    assert sum("3.4 million" in text for text in texts) == 1
    assert 2 <= len(texts) <= 5
    hits = retrieve("What did the works cost?", library, k=10)
    assert sum("3.4 million" in hit.text for hit in hits) == 2  # retrieve keeps them
    kept = without_copies(hits, library)
    assert kept[0] == hits[0]
    assert len(kept) < len(hits)


def test_a_date_filter_says_how_many_it_kept_out(library: Library, index_path: Path) -> None:
    (library.corpus / "undated.txt").write_text("The bridge in the park is painted green.\n")
    add([library.corpus / "undated.txt"], index_path)
    assert answer("What colour is the bridge in the park?", library).undated_excluded == 0
    assert answer("Bridge?", library, since=datetime.date(2022, 1, 1)).undated_excluded == 1
    assert answer("Bridge?", library, since=datetime.date(2022, 1, 1), source="Test Wire").undated_excluded == 0


def test_reasons_for_finding_nothing_at_all(library: Library, tmp_path: Path) -> None:
    assert (
        answer("bridge", library, since=datetime.date(2030, 1, 1)).reason == "No article is dated 2030-01-01 or later."
    )
    unknown = answer("bridge", library, source="Nowhere Post").reason
    assert (
        unknown == "No article is from the source Nowhere Post. Sources that the articles name: Test Post, Test Wire."
    )
    assert answer('Who said "no such words"?', library).reason.startswith("No sentence holds “no such words”.")
    build(write(tmp_path / "none"), tmp_path / "empty")
    empty = open_index(tmp_path / "empty")
    assert answer("bridge", empty).reason == "There are no articles yet. Add the first one, and ask again."


@pytest.mark.parametrize(
    "question",
    [
        "and when?",
        "Why?",
        "why did he say that",
        "What about them?",
        "And what happened then?",
        "How so?",
        "But when?",
    ],
)
def test_a_question_that_leans_on_another_is_not_answered(question: str, library: Library) -> None:
    assert leans_on_another(question)
    said = answer(question, library)
    assert not said.found
    assert said.reason.startswith("Each question is taken by itself")
    assert said.nearest == ()


@pytest.mark.parametrize(
    "question",
    [
        "Who accused Kosovo?",
        "when did the bridge reopen",
        "frost",
        "Bridge?",
        "Who?!x",
        "What did the US say?",
        "What did the WHO do then?",
        "Why did May go?",
        "Who said “Yes we can”?",
        "But when did the bridge open?",
        "And who is the prime minister of Kosovo?",
    ],
)
def test_a_question_with_a_subject_does_not(question: str) -> None:
    assert not leans_on_another(question)


def test_confidence_is_the_product_of_two_logistics() -> None:
    found = Features(0.5, 0.4, 0.6, 1.0, 0.8, 0.5, 2.0, 10.0, 4.0, 6.0)
    covered, answered = {"bias": -1.0, "cosine": 2.0}, {"bias": 1.0, "margin": -1.5, "reader": 0.5}
    assert confidence(found, {"covered": covered}) == 0.5
    assert confidence(found, {"covered": covered, "answered": answered}) == 0.25
    assert confidence(found, {"covered": covered, "answered": answered | {"bias": 100.0}}) == pytest.approx(0.5)


def test_the_default_library_is_used_when_none_is_given(index_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import index

    monkeypatch.setenv("CLIPPINGS_INDEX", str(index_path))
    index.default_library.cache_clear()
    try:
        assert answer("What did the works cost?").text == "3.4 million euros"
    finally:
        index.default_library().close()
        index.default_library.cache_clear()


def test_the_confidence_does_not_depend_on_how_much_is_shown(shipped: Library) -> None:
    few, many = (answer("Where is the Razoni bound for?", shipped, k=k) for k in (1, 60))
    assert few.confidence == many.confidence
    assert len(few.evidence) == 1
    assert len(many.evidence) > 25
