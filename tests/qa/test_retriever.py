"""retrieve(): which sentence comes first and where it stands; restrictions, phrases, and refusals."""

from __future__ import annotations

import datetime
import unicodedata
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index import add, open_index
from index.creating import Plan, create
from index.errors import QuestionError
from index.library import Library
from index.reading.articles import Article, read_article
from index.reading.passages import split
from index.reading.tokens import load_encoding
from index.storage.rows import EncodedArticle
from index.storage.store import Store
from qa import retrieve
from qa.parameters import Weights
from qa.retriever import Signals, fuse
from tests.conftest import BRIDGE, HARVEST, write

FROST = "Late frost has destroyed most of the plum blossom around Valjevo, growers said on Wednesday."
COST = "The works cost 3.4 million euros."
MARCH, APRIL = datetime.date(2022, 3, 4), datetime.date(2022, 4, 1)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("What did the works cost?", COST),
        ("what destroyed the plum blossom", FROST),
        ("Does insurance cover frost?", "Insurance covers hail but not frost."),
        (
            "What crop does the co-operative's head Ilic expect?",
            "The cooperative’s head, Petar Ilić, expects a crop of",
        ),
        ("When did floods wash away the middle pier?", "Floods in November 2020 had washed away the middle pier"),
        ("How many blocks did the engineers replace?", "Engineers replaced 212 of its\nblocks"),
    ],
)
def test_the_right_sentence_comes_first(question: str, text: str, library: Library) -> None:
    hit = retrieve(question, library)[0]
    assert hit.text.startswith(text)
    whole = BRIDGE if "bridge" in hit.article.path else HARVEST
    assert hit.start == whole.index(text)
    assert hit.article.text[hit.start : hit.end] == hit.text == whole[hit.start : hit.end]


def test_hits_carry_their_article(library: Library) -> None:
    hit = retrieve("What did the works cost?", library)[0]
    assert hit.article.path == "bridge.txt"
    assert hit.article.title == "Old bridge over the Lim reopens after repairs"
    assert (hit.article.date, hit.article.source) == (datetime.date(2022, 3, 4), "Test Wire")
    start, end = hit.passage
    assert start <= hit.start < hit.end <= end


def test_a_sentence_that_leans_on_the_one_before_it_is_found_beside_it(library: Library) -> None:
    hits = retrieve("How much of the money came from the European Union?", library, k=2)
    assert {hit.text for hit in hits} == {COST, "Two thirds of it came from the European Union."}


def test_k_and_order(library: Library) -> None:
    hits = retrieve("bridge repairs", library, k=3)
    assert len(hits) == 3
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    everything = retrieve("bridge repairs", library, k=100)
    assert sum(hit.start >= hit.article.body_start for hit in everything) == 11  # every sentence there is


def test_a_title_does_not_win_by_its_topic_alone(library: Library) -> None:
    hits = retrieve("Old bridge over the Lim reopens after repairs", library, k=100)
    assert hits[0].text.startswith("The stone bridge over the Lim reopened to traffic")


def test_dates_and_sources_restrict_the_search_itself(library: Library) -> None:
    assert {hit.article.path for hit in retrieve("frost", library, k=50, until=MARCH)} == {"bridge.txt"}
    assert {hit.article.path for hit in retrieve("bridge", library, k=50, since=APRIL)} == {"harvest.txt"}
    assert {hit.article.path for hit in retrieve("bridge", library, k=50, since=MARCH, until=MARCH)} == {"bridge.txt"}
    assert retrieve("bridge", library, since=datetime.date(2030, 1, 1)) == []
    assert {hit.article.source for hit in retrieve("bridge", library, k=50, source=" test  POST ")} == {"Test Post"}
    assert retrieve("bridge", library, source="Another") == []


def test_articles_of_unknown_date_are_kept_out_by_dates(own_library: Library, index_path: Path) -> None:
    (own_library.corpus / "undated.txt").write_text("The bridge in the park is painted green.\n")
    add([own_library.corpus / "undated.txt"], index_path)
    assert retrieve("What colour is the bridge in the park?", own_library)[0].article.path == "undated.txt"
    hits = retrieve("What colour is the bridge in the park?", own_library, k=50, since=datetime.date(1900, 1, 1))
    assert {hit.article.path for hit in hits} == {"bridge.txt", "harvest.txt"}


@pytest.mark.parametrize(
    "phrase",
    ["“middle pier”", '"MIDDLE  PIER"', "„middle pier“", "«middle pier»", '"the middle pier"', "“Middle pier?”"],
)
def test_a_quoted_phrase_must_stand_in_the_sentence(phrase: str, library: Library) -> None:
    (hit,) = retrieve(f"What happened to {phrase}?", library, k=50)
    assert hit.text.startswith("Floods in November 2020")


def test_phrases_are_compared_without_accents_but_by_whole_words_and_each_must_stand_there(library: Library) -> None:
    assert len(retrieve('"Petar Ilic"', library, k=50)) == 1
    assert retrieve('"middle pie"', library, k=50) == []
    assert retrieve('"pier middle"', library, k=50) == []
    assert retrieve('"middle piers"', library, k=50) == []  # the same stem is not the same word
    assert len(retrieve('"middle pier" and "mountain road"', library, k=50)) == 1
    assert retrieve('"middle pier" and "European Union"', library, k=50) == []


@pytest.mark.parametrize(
    ("question", "more", "said"),
    [
        ("", {}, "question is empty"),
        ("  \n ", {}, "question is empty"),
        ("a" * 100_000, {}, "100,000 characters; ask in at most 2,000"),
        (None, {}, "A question is text, not None"),
        ("caf\udce9 who?", {}, "not text; type it again in UTF-8"),
        ("x", {"source": "\udce9"}, "not text"),
        ("x", {"since": "2022-01-31"}, r"since is '2022-01-31'; give a day, such as datetime\.date\(2022, 1, 31\)"),
        ("x", {"until": datetime.datetime(2022, 1, 31, tzinfo=datetime.UTC)}, "until is datetime"),
        ("x", {"since": APRIL, "until": MARCH}, "since 2022-04-01 is later than until 2022-03-04; swap"),
        ("x", {"k": 0}, "0 sentences cannot be shown"),
        ("x", {"k": -1}, "-1 sentences cannot be shown"),
    ],
)
def test_what_cannot_be_asked_is_refused(question: Any, more: dict[str, Any], said: str, library: Library) -> None:
    with pytest.raises(QuestionError, match=said):
        retrieve(question, library, **more)


@pytest.mark.parametrize(
    "question", ["what? is: this!", "*", "(a AND", '"', "🙂", "\x00", "' OR 1=1 --", "؟", "a" * 2000]
)
def test_odd_questions_are_answered_somehow(question: str, library: Library) -> None:
    for hit in retrieve(question, library):
        assert hit.article.text[hit.start : hit.end] == hit.text


def test_the_fused_score_is_the_weighted_sum() -> None:
    signals = Signals(dense_sentence=0.5, dense_passage=0.25, bm25_sentence=8.0, bm25_passage=4.0, length=3.0)
    weights = Weights(dense_sentence=10.0, dense_passage=4.0, bm25_sentence=-0.5, bm25_passage=0.25, length=0.75)
    rows = np.array([astuple(signals), (1.0, 0.0, 0.0, 0.0, 0.0)])
    assert fuse(rows, weights).tolist() == [10 * 0.5 + 4 * 0.25 - 0.5 * 8 + 0.25 * 4 + 0.75 * 3, 10.0]


@pytest.mark.parametrize(
    ("question", "path", "text"),
    [
        ("By how many minutes was the orbit of Dimorphos shortened?", "2022-10-11-dart", "shortened its orbit by 32"),
        ("When did Croatia become the 20th country to use the euro?", "2023-01-01-croatia", "On Sunday Croatia became"),
        ("Where is the Razoni bound for?", "2022-08-01-razoni", "is bound for Tripoli in Lebanon"),
        ("What is Commander Moonikin Campos named after?", "2022-11-16-moon", "is named after Arturo Campos"),
        ("How many galaxies does Stephan's Quintet have?", "2022-07-12-webb", "a group of five galaxies"),
    ],
)
def test_questions_of_the_shipped_articles(question: str, path: str, text: str, shipped: Library) -> None:
    hit = retrieve(question, shipped)[0]
    assert hit.article.path.startswith(path)
    assert text in hit.text


def without_model(article: Article, store: Store) -> EncodedArticle:
    """An article with the same vector everywhere, for what turns on its words alone."""
    passages = split(article, load_encoding())
    vector = np.full(store.settings.dimension, store.settings.dimension**-0.5, np.float32)
    sentences = sum(len(passage.sentences) for passage in passages)
    return EncodedArticle(article, passages, np.tile(vector, (len(passages), 1)), np.tile(vector, (sentences, 1)))


@pytest.mark.usefixtures("encoder")
def test_phrases_that_stand_together_in_one_sentence_of_many_are_found(tmp_path: Path) -> None:
    many = "\n\n".join(f"The {colour} ferry left at {n}." for n in range(1100) for colour in ("red", "blue"))
    write(tmp_path / "corpus", ferries=f"Ferries\n\n{many}\n\nThe red ferry met the blue ferry.\n")
    store = create(Plan(tmp_path / "index", tmp_path / "corpus"))
    article = read_article(tmp_path / "corpus" / "ferries.txt")
    store.apply([without_model(article, store)])
    library = open_index(tmp_path / "index")
    (hit,) = retrieve('"red ferry" "blue ferry"', library, k=10)
    assert hit.text == "The red ferry met the blue ferry."
    library.close()


def test_decomposed_accents_are_found_by_their_words(own_library: Library, index_path: Path) -> None:
    text = unicodedata.normalize("NFD", "The mayor of Nikšić opened a own_library.\n")
    (own_library.corpus / "niksic.txt").write_text(text, encoding="utf-8")
    add([own_library.corpus / "niksic.txt"], index_path)
    (hit,) = retrieve("“Nikšić”", own_library)
    assert hit.text == text.strip()
    assert retrieve("Who opened something in Niksic?", own_library)[0].article.path == "niksic.txt"
