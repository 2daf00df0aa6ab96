"""answer(): found or not, with which evidence, and why not in words that are true."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from index import add, build, open_index
from index.errors import IndexStateError, QuestionError
from index.library import Library
from qa import answer
from qa.confidence import Features, confidence, without_copies
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
    assert (best.spans, best.context) == (((best.start, best.end),), None)
    assert 0.5 < said.confidence <= 1
    assert (said.reason, said.nearest) == ("", ())


def test_not_found_says_which_word_is_nowhere(library: Library) -> None:
    said = answer("How do I bake sourdough bread?", library)
    assert not said.found
    assert (said.text, said.evidence) == ("", ())
    assert said.nearest
    assert said.reason == "I found no sentence that answers this. No sentence mentions “bake”, “sourdough” or “bread”."


def test_not_found_claims_nothing_of_words_that_are_there(shipped: Library) -> None:
    said = answer("Which song did the farmers sing in the court?", shipped)
    assert not said.found
    assert "No sentence mentions" not in said.reason


def test_evidence_holds_no_near_copies(own_library: Library, index_path: Path) -> None:
    copy = BRIDGE.replace("date 2022-03-04", "date 2022-03-05").replace("The works cost", "The works had cost")
    (own_library.corpus / "copy.txt").write_text(copy, encoding="utf-8")
    add([own_library.corpus / "copy.txt"], index_path)
    said = answer("What did the works cost?", own_library)
    texts = [evidence.hit.text for evidence in said.evidence]
    assert sum("3.4 million" in text for text in texts) == 1
    assert 2 <= len(texts) <= 5
    hits = retrieve("What did the works cost?", own_library, k=10)
    assert sum("3.4 million" in hit.text for hit in hits) == 2  # retrieve keeps them
    kept = without_copies(hits)
    assert kept[0] == hits[0]
    assert len(kept) < len(hits)


def test_a_date_filter_says_how_many_it_kept_out(own_library: Library, index_path: Path) -> None:
    (own_library.corpus / "undated.txt").write_text("The bridge in the park is painted green.\n")
    add([own_library.corpus / "undated.txt"], index_path)
    assert answer("What colour is the bridge in the park?", own_library).undated_excluded == 0
    assert answer("Bridge?", own_library, since=datetime.date(2022, 1, 1)).undated_excluded == 1
    assert answer("Bridge?", own_library, since=datetime.date(2022, 1, 1), source="Test Wire").undated_excluded == 0


def test_reasons_for_finding_nothing_at_all(library: Library, tmp_path: Path) -> None:
    assert (
        answer("bridge", library, since=datetime.date(2030, 1, 1)).reason == "No article is dated 2030-01-01 or later."
    )
    unknown = answer("bridge", library, source="Nowhere Post").reason
    assert unknown == "No article is from the source Nowhere Post. Sources in the library: Test Post, Test Wire."
    assert answer('Who said "no such words"?', library).reason.startswith("No sentence contains “no such words”.")
    build(write(tmp_path / "none"), tmp_path / "empty")
    empty = open_index(tmp_path / "empty")
    assert answer("bridge", empty).reason == "There are no articles yet. Add the first one, and ask again."


def test_a_question_that_leans_on_another_is_not_searched_for(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qa.answering.search", lambda *arguments: pytest.fail("searched"))
    said = answer("and why did he say that?", library)
    assert (said.found, said.nearest) == (False, ())
    assert said.reason == ("Each question is answered on its own. Say whom or what this one is about, and ask again.")


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


def test_the_path_of_an_index_is_opened_once_and_followed(
    own_library: Library, index_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert answer("What did the works cost?", index_path).text == "3.4 million euros"
    monkeypatch.setattr("index.library.open_index", lambda path: pytest.fail("opened again"))
    monkeypatch.chdir(index_path.parent)
    assert retrieve("What did the works cost?", index_path.name, k=1)[0].text == "The works cost 3.4 million euros."
    (own_library.corpus / "goat.txt").write_text("The goat of Ilidža is called Belka.\n", encoding="utf-8")
    add([own_library.corpus / "goat.txt"], index_path)
    assert retrieve("What is the goat of Ilidža called?", str(index_path), k=1)[0].article.path == "goat.txt"


def test_what_is_not_an_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match="library is 7; give the folder of an index, or what open_index returns"):
        answer("What did the works cost?", 7)  # type: ignore[arg-type]
    with pytest.raises(IndexStateError, match="There is no index at"):
        answer("What did the works cost?", tmp_path / "none")


def test_the_confidence_does_not_depend_on_how_much_is_shown(shipped: Library) -> None:
    few, many = (answer("Where is the Razoni bound for?", shipped, k=k) for k in (1, 60))
    assert few.confidence == many.confidence
    assert len(few.evidence) == 1
    assert len(many.evidence) > 25
