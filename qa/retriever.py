"""From a question to ranked sentences: dense and lexical search, over passages and over sentences, fused.

Candidates are passages, found by the cosine of their vectors and by BM25; hits are the sentences of
those passages, ranked by one weighted sum of raw scores. Raw scores mean the same for every question,
which deciding whether anything answers needs.
"""

from __future__ import annotations

import datetime
import math
import re
import unicodedata
from dataclasses import astuple, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from index.articles import Article
from index.errors import QuestionError
from index.store import Restriction
from qa.parameters import Weights, load_parameters

if TYPE_CHECKING:
    from index.lexical import Lexical
    from index.library import Library

MAX_QUESTION_CHARS = 2000
CANDIDATES = 20
"""Passages taken from each of the three searches."""

MAX_PHRASE_HITS = 10_000
"""Sentences with a quoted phrase that are looked at, at most."""

_QUOTED = re.compile(r'"([^"]{2,})"|“([^”]{2,})”|„([^“”]{2,})[“”]|«([^»]{2,})»')
_PHRASE_ENDS = " \t\n.,;:!?…"
_PLAIN = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."})


@dataclass(frozen=True, slots=True)
class Signals:
    """The raw scores of one sentence, before they are fused."""

    dense_sentence: float
    """Cosine of the question and the sentence."""
    dense_passage: float
    """Cosine of the question and the sentence's passage."""
    bm25_sentence: float
    bm25_passage: float
    length: float
    """The natural logarithm of the sentence's characters: fragments and subheadings seldom answer."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A sentence of an article, found for a question: ``article.text[start:end]``."""

    article: Article
    start: int
    end: int
    score: float
    """The fused score; only its order and differences within one question mean anything."""
    signals: Signals
    passage: tuple[int, int]
    """Where the sentence's passage stands in the article's text."""

    @property
    def text(self) -> str:
        """The sentence."""
        return self.article.text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Question:
    """A question taken apart: its words as the index analyses them, and the phrases it quotes."""

    text: str
    terms: tuple[str, ...]
    """Distinct analysed words that carry meaning; all words, if none does."""
    phrases: tuple[str, ...]
    restriction: Restriction


def retrieve(
    question: str,
    library: Library | None = None,
    k: int = 5,
    *,
    since: datetime.date | None = None,
    until: datetime.date | None = None,
    source: str | None = None,
) -> list[Hit]:
    """The ``k`` sentences that come nearest to answering a question, best first.

    Args:
        question: in plain words, at most ``MAX_QUESTION_CHARS`` characters. Every "quoted phrase" in
            it must stand in a sentence for it to be found.
        library: an opened index; the default one if left out (``CLIPPINGS_INDEX``, or ``.index``).
        k: how many at most.
        since, until: only articles of these dates, both included; articles of unknown date are then
            left out.
        source: only articles of this source, compared without case.

    Raises:
        QuestionError: the question is empty, too long or no text, ``k`` is below 1, or the restriction
            contradicts itself.
        IndexStateError, ModelError: the default index, or the model it was made with, is not there.
    """
    library = library_to_ask(library)
    return search(read_question(question, library, since, until, source), library, k)


def library_to_ask(library: Library | None) -> Library:
    """The library given, or the default one, with what has been committed until now."""
    if library is None:
        from index import default_library

        library = default_library()
    return library.follow()


def read_question(
    question: str,
    library: Library,
    since: datetime.date | None = None,
    until: datetime.date | None = None,
    source: str | None = None,
) -> Question:
    """Check a question and take it apart. Raises QuestionError as ``retrieve`` does."""
    text = question.strip()
    if not text:
        raise QuestionError("The question is empty; type what you want to know.")
    if len(text) > MAX_QUESTION_CHARS:
        raise QuestionError(
            f"The question has {len(text):,} characters; ask in at most {MAX_QUESTION_CHARS:,}. "
            "To add an article instead, put it into the library."
        )
    if not _is_text(text + (source or "")):
        raise QuestionError("The question holds characters that are no text; type it again in UTF-8.")
    if since and until and since > until:
        raise QuestionError(f"No day is both since {since} and until {until}; swap the two.")
    phrases = tuple(next(filter(None, match)).strip(_PHRASE_ENDS) for match in _QUOTED.findall(text))
    words = library.lexical.terms(text)
    idle = _function_words(library.lexical)
    terms = dict.fromkeys(word for word in words if word not in idle) or dict.fromkeys(words)
    restriction = Restriction(since, until, source.strip() or None if source else None)
    return Question(text, tuple(terms), tuple(phrase for phrase in phrases if phrase), restriction)


def search(question: Question, library: Library, k: int, weights: Weights | None = None) -> list[Hit]:
    """The ``k`` best sentences for a question taken apart by ``read_question``."""
    if k < 1:
        raise QuestionError(f"{k} sentences cannot be shown; ask for at least 1.")
    vector = library.encode_question(question.text)
    lexical, restriction = library.lexical, question.restriction
    if question.phrases:
        found = lexical.search_phrases(question.phrases, MAX_PHRASE_HITS, restriction)
        passages = library.store.passages_holding(list(found))
    else:
        passages = {
            *library.search_dense(vector, CANDIDATES, restriction),
            *lexical.search_passages(question.terms, CANDIDATES, restriction),
            *library.store.passages_holding(list(lexical.search_sentences(question.terms, CANDIDATES, restriction))),
        }
    rows, vectors = library.store.sentences_of(sorted(passages))
    if not rows:
        return []
    cosines = vectors @ vector
    found_passages = library.store.passage_rows(sorted(passages))
    passage_cosines = {id_: float(row.vector @ vector) for id_, row in found_passages.items()}
    bm25_sentences = lexical.score_sentences(question.terms, [row.id for row in rows])
    bm25_passages = lexical.score_passages(question.terms, list(found_passages))
    signals = np.array(
        [
            (
                cosine,
                passage_cosines.get(row.passage, 0.0),
                bm25_sentences.get(row.id, 0.0),
                bm25_passages.get(row.passage, 0.0),
                math.log1p(row.end - row.start),
            )
            for row, cosine in zip(rows, cosines.tolist(), strict=True)
        ]
    )
    scores = fuse(signals, weights or load_parameters().ranking)
    hits: list[Hit] = []
    for at in np.argsort(-scores, kind="stable").tolist():  # rows come by id, so that ties do too
        row = rows[at]
        article = library.article(row.article)
        if article is None or row.passage not in found_passages:
            continue  # removed a moment ago
        if not _holds(article.text[row.start : row.end], question.phrases):
            continue  # the phrase stands in a neighbouring sentence
        passage = found_passages[row.passage]
        own = Signals(*signals[at].tolist())
        hits.append(Hit(article, row.start, row.end, float(scores[at]), own, (passage.start, passage.end)))
        if len(hits) == k:
            break
    return hits


def fuse(signals: NDArray[np.float64], weights: Weights) -> NDArray[np.float64]:
    """The scores, shape (n,), by which sentences are ranked; signals of shape (n, 5), as ``Signals`` orders them."""
    return np.asarray(signals @ np.array(astuple(weights)))


def fold(text: str) -> str:
    """Text as phrases are compared: without case, accents, kinds of quotation mark, or runs of white space."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_PLAIN).casefold())
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).split())


@lru_cache(maxsize=2)
def _function_words(lexical: Lexical) -> frozenset[str]:
    """The function words as the index analyses them."""
    return frozenset(lexical.terms(FUNCTION_WORDS))


def _is_text(text: str) -> bool:
    """Whether text can be written as UTF-8: bytes of another encoding reach Python as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _holds(sentence: str, phrases: tuple[str, ...]) -> bool:
    if not phrases:
        return True
    folded = fold(sentence)
    return all(re.search(rf"(?<!\w){re.escape(fold(phrase))}(?!\w)", folded) for phrase in phrases)


FUNCTION_WORDS = (
    "a about an and any are as at be been being but by can could did do does doing for from had has have "
    "he her hers him his how i if in into is it its me my no not of on or our shall she should so some than "
    "that the their theirs them then there these they this those to up us was we were what when where which "
    "who whom whose why will with would you your"
)
"""Words that questions are made of whatever they ask about; they would match any sentence."""
