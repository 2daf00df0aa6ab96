"""From a question to ranked sentences: dense and lexical search, over passages and over sentences, fused, then read.

Candidates are passages, found by the cosine of their vectors and by BM25; hits are the sentences of
those passages, ranked by a weighted sum of raw scores. Where the reader is used, a sum with other weights
says which passages it reads, and its score of each sentence is added. Raw scores mean the same for every
question, which deciding whether anything answers needs.
"""

from __future__ import annotations

import datetime
import math
import os
from dataclasses import astuple, dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from index.encoding.windows import PassageText
from index.errors import QuestionError
from index.reading.articles import Article
from index.storage.rows import PassageRow, SentenceRow
from qa.bounds import Span
from qa.parameters import Weights, load_parameters
from qa.question import Question, holds, read_question
from qa.reader import Reader, Reading, load_reader

if TYPE_CHECKING:
    from index.library import Library, Snapshot

CANDIDATES = 20
"""Passages taken from each of the three searches."""
READ, WITHIN = 8, 5.0
"""Passages that are read, at most, and by how much their best sentences may be below the best of all in the score that
decides on it: nearly as good as reading twelve always, in less than a third of the time (docs/reader.md)."""

MAX_PHRASE_HITS = 10_000
"""Sentences with a quoted phrase that are looked at, at most."""
ALL = 10_000
"""More hits than any question has candidates, unless it quotes a phrase."""


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


@dataclass(frozen=True, slots=True, repr=False)
class Hit:
    """A sentence of an article, found for a question: ``article.text[start:end]``."""

    article: Article
    start: int
    end: int
    score: float
    """With the reader's where it was used; only its order and differences within one question mean anything."""
    signals: Signals
    passage: Span
    """Where the sentence's passage stands in the article's text."""
    reading: Reading | None = None
    """What the reader makes of the sentence, as offsets into the article's text; None if it was not read."""

    @property
    def text(self) -> str:
        """The sentence."""
        return self.article.text[self.start : self.end]

    def __repr__(self) -> str:
        shown = self.text if len(self.text) <= 60 else f"{self.text[:60]}…"
        return f"Hit({shown!r}, {self.article.path!r}, {self.start}, {self.end}, score={self.score:.2f})"

    def to_dict(self) -> dict[str, Any]:
        """The sentence, its place and its article as plain JSON values. The article's text is not repeated."""
        article = self.article
        return {
            "text": self.text,
            "start": self.start,
            "end": self.end,
            "score": round(self.score, 4),
            "article": {
                "file": article.path,  # not "path": gradio's clients take a row with that for a file to download
                "title": article.title,
                "date": article.date.isoformat() if article.date else None,
                "source": article.source,
                "url": article.url,
            },
        }


def retrieve(
    question: str,
    library: Library | str | os.PathLike[str] | None = None,
    k: int = 5,
    *,
    since: datetime.date | None = None,
    until: datetime.date | None = None,
    source: str | None = None,
    rerank: bool = True,
) -> list[Hit]:
    """The ``k`` sentences that come nearest to answering a question, best first.

    Args:
        question: in plain words, at most ``MAX_QUESTION_CHARS`` characters. Every "quoted phrase" in
            it must stand in a sentence for it to be found.
        library: an opened index, or the path of one, which is then opened once and kept; the default one if left out
            (``CLIPPINGS_INDEX``, or ``.index``).
        k: how many at most.
        since, until: only articles of these dates, both included; articles of unknown date are then
            left out.
        source: only articles of this source, compared without case.
        rerank: whether the reader reads the best passages, which finds the answering sentence more often and
            takes several times as long.

    Raises:
        QuestionError: the question is empty, too long or not text, ``k`` is below 1, the restriction
            contradicts itself, or ``library`` is neither an index nor a path.
        IndexStateError, ModelError: the index, or the model it was made with, is not there.
    """
    snapshot = library_to_ask(library)
    parsed = read_question(question, since, until, source)
    return search(parsed, snapshot, k, load_reader() if rerank else None)


def library_to_ask(library: Library | str | os.PathLike[str] | None) -> Snapshot:
    """The library given, the one at a path, or the default one, as of now: what one question is put to."""
    from index.library import Library, default_library  # late: only asking needs them

    if library is None:
        library = default_library()
    elif isinstance(library, str | os.PathLike):
        library = _opened(Path(library).absolute())
    elif not isinstance(library, Library):
        raise QuestionError(f"library is {library!r}; give the folder of an index, or what open_index returns.")
    return library.follow()


@lru_cache(maxsize=4)
def _opened(path: Path) -> Library:
    """The index at an absolute path, opened once and kept."""
    from index.library import open_index

    return open_index(path)


def search(
    question: Question, library: Snapshot, k: int, reader: Reader | None = None, weights: Weights | None = None
) -> list[Hit]:
    """The ``k`` best sentences for a question taken apart by ``read_question``, read if a reader is given."""
    if k < 1:
        raise QuestionError(f"{k} sentences cannot be shown; ask for at least 1.")
    parameters = load_parameters()
    weights = weights or (parameters.reading if reader is not None else parameters.ranking)
    found = find_candidates(question, library)
    scores = fuse(found.signals, weights)
    readings: dict[int, Reading] = {}
    if reader is not None:
        readings = read_best(question, library, found, scores, reader, READ, WITHIN)
        scores = rerank(scores, readings)
    hits: list[Hit] = []
    for at in np.argsort(-scores, kind="stable").tolist():  # rows come by id, so that ties do too
        row = found.rows[at]
        article, passage = library.article(row.article), found.passages.get(row.passage)
        if article is None or passage is None:
            continue  # removed a moment ago
        signals, place = Signals(*found.signals[at].tolist()), (passage.start, passage.end)
        hits.append(Hit(article, row.start, row.end, float(scores[at]), signals, place, readings.get(at)))
        if len(hits) == k:
            break
    return hits


@dataclass(frozen=True, slots=True)
class Candidates:
    """The sentences that may answer a question, by their ids."""

    rows: list[SentenceRow]
    passages: dict[int, PassageRow]
    """The passages that they stand in, by id."""
    signals: NDArray[np.float64]
    """Their raw scores, shape (n, 5), as ``Signals`` orders them."""


def find_candidates(question: Question, library: Snapshot) -> Candidates:
    """All sentences of the passages that dense and lexical search find."""
    vector = library.encode_question(question.text)
    lexical, restriction = library.lexical, question.restriction
    if question.phrases:
        ids = library.store.passages_holding(
            list(lexical.search_phrases(question.phrases, MAX_PHRASE_HITS, restriction))
        )
    else:
        ids = {
            *library.search_dense(vector, CANDIDATES, restriction),
            *lexical.search_passages(question.terms, CANDIDATES, restriction),
            *library.store.passages_holding(list(lexical.search_sentences(question.terms, CANDIDATES, restriction))),
        }
    rows, vectors = library.store.sentences_of(sorted(ids))
    if question.phrases:  # a phrase may stand in a neighbouring sentence only
        held = [at for at, row in enumerate(rows) if _holds(row, question, library)]
        rows, vectors = [rows[at] for at in held], vectors[held]
    passages = library.store.passage_rows(sorted(ids))
    if not rows:
        return Candidates([], {}, np.zeros((0, 5)))
    cosines = vectors @ vector
    passage_cosines = {id_: float(row.vector @ vector) for id_, row in passages.items()}
    bm25_sentences = lexical.score_sentences(question.terms, [row.id for row in rows])
    bm25_passages = lexical.score_passages(question.terms, list(passages))
    signals = [
        (
            cosine,
            passage_cosines.get(row.passage, 0.0),
            bm25_sentences.get(row.id, 0.0),
            bm25_passages.get(row.passage, 0.0),
            math.log1p(row.end - row.start),
        )
        for row, cosine in zip(rows, cosines.tolist(), strict=True)
    ]
    return Candidates(rows, passages, np.array(signals))


def _holds(row: SentenceRow, question: Question, library: Snapshot) -> bool:
    """Whether a sentence holds the question's phrases."""
    article = library.article(row.article)
    return article is not None and holds(article.text[row.start : row.end], question.phrases)


def fuse(signals: NDArray[np.float64], weights: Weights) -> NDArray[np.float64]:
    """The scores, shape (n,), by which sentences are ranked; signals of shape (n, 5), as ``Signals`` orders them."""
    return np.asarray(signals @ np.array(astuple(weights)))


def read_best(
    question: Question,
    library: Snapshot,
    found: Candidates,
    scores: NDArray[np.float64],
    reader: Reader,
    read: int,
    within: float,
) -> dict[int, Reading]:
    """Readings of the sentences of the best passages, by position among the candidates.

    At most ``read`` passages are read, and none whose best sentence scores more than ``within`` less than the best.
    """
    inside: dict[int, list[int]] = {}  # positions by passage, the passages in the order of their best sentences
    for at in np.argsort(-scores, kind="stable").tolist():
        inside.setdefault(found.rows[at].passage, []).append(at)
    places: list[tuple[int, list[int]]] = []
    windows: list[PassageText] = []
    for id_, (best, *others) in islice(inside.items(), read):
        passage = found.passages.get(id_)
        article = library.article(passage.article) if passage else None
        if passage is None or article is None:
            continue  # removed a moment ago
        if scores[best] < scores.max() - within:
            break
        sentences = sorted([best, *others])
        spans = [(found.rows[at].start - passage.start, found.rows[at].end - passage.start) for at in sentences]
        windows.append(PassageText(article.text[passage.start : passage.end], tuple(spans)))
        places.append((passage.start, sentences))
    readings: dict[int, Reading] = {}
    for (start, sentences), found_here in zip(
        places, reader.read(question.text, windows, question.several), strict=True
    ):
        for at, reading in zip(sentences, found_here, strict=True):
            readings[at] = reading.moved(start)
    return readings


def rerank(scores: NDArray[np.float64], readings: dict[int, Reading]) -> NDArray[np.float64]:
    """The fused scores and the reader's; a sentence that was not read takes the least of those that were."""
    if not readings:
        return scores
    known = {at: reading.score for at, reading in readings.items() if math.isfinite(reading.score)}
    least = min(known.values(), default=0.0)
    return np.asarray(scores + [known.get(at, least) for at in range(len(scores))])
