"""The retriever: ranks sentences for a question by dense and lexical search, and by the reader.

Candidate passages are found by the cosine of their vectors and by BM25. Hits are the sentences of those
passages, ranked by a weighted sum of raw scores. With the reader, a sum with other weights decides which
passages are read, and the reader's score of each sentence is added. Raw scores are comparable between
questions, which the confidence needs.
"""

from __future__ import annotations

import datetime
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from index.errors import QuestionError
from index.reading.articles import Article
from index.storage.rows import PassageRow, SentenceRow
from qa.bounds import Span
from qa.clipping import Clipping, clip
from qa.days import period
from qa.parameters import Weights, load_parameters
from qa.question import Question, holds, read_question
from qa.reader import Reader, Reading, load_reader
from qa.spelling import read_corrected

if TYPE_CHECKING:
    from index.library import Library, Snapshot

CANDIDATES = 20
"""Passages taken from each of the three searches."""
READ, WITHIN = 14, 50.0
"""The most passages that are read, and how far the fused score of a passage's best sentence may be below the highest.
In effect the eight best are read: on long articles a closer bound loses the right passage (docs/ranking.md)."""

HEADER_LESS = 2.0
"""How much less a line of a header scores than a sentence: it must not win by its topic alone."""
IN_PERIOD = 3.0
"""How much more a sentence scores if its article is of the month or year that the question names."""
AFTERWARDS = datetime.timedelta(days=31)
"""News of a period is also written shortly after it."""
MAX_PHRASE_HITS = 10_000
"""The most sentences with a quoted phrase that are considered."""
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
    """log(1 + characters of the sentence): fragments and subheadings rarely answer."""


@dataclass(frozen=True, slots=True, repr=False)
class Hit:
    """A sentence found for a question. It stands in the file at ``article.text[start:end]``."""

    article: Article
    start: int
    end: int
    score: float
    """The fused score, plus the reader's score if the reader was used. Comparable only between hits of one question."""
    signals: Signals
    passage: Span
    """The sentence's passage, as a span of the article's text."""
    reading: Reading | None = None
    """The reader's result for the sentence, as offsets into the article's text; None if it was not read."""

    @property
    def text(self) -> str:
        """The sentence as it is read, without marks of Markdown."""
        return self.article.read(self.start, self.end)

    def __repr__(self) -> str:
        shown = self.text if len(self.text) <= 60 else f"{self.text[:60]}…"
        return f"Hit({shown!r}, {self.article.path!r}, {self.start}, {self.end}, score={self.score:.2f})"

    def to_dict(self) -> dict[str, Any]:
        """The sentence, its offsets and its article as plain JSON values, without the article's text."""
        return {
            "text": self.text,
            "start": self.start,
            "end": self.end,
            "score": round(self.score, 4),
            "article": article_row(self.article),
        }


def article_row(article: Article) -> dict[str, Any]:
    """What names an article, as plain JSON values, without its text."""
    return {
        "file": article.path,  # gradio's clients treat an object with a "path" as a file to download
        "title": article.title,
        "date": article.date.isoformat() if article.date else None,
        "source": article.source,
        "url": article.url,
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
    """The ``k`` sentences most likely to answer a question, best first.

    Args:
        question: in plain words, at most ``MAX_QUESTION_CHARS`` characters. A sentence is found only if it
            contains every "quoted phrase" of the question.
        library: an open index, or the path of one, which is opened once and kept open. The default is
            ``CLIPPINGS_INDEX``, or ``.index``.
        k: the most sentences to return.
        since, until: only articles of these dates, both included. Articles without a date are then left
            out.
        source: only articles of this source. Case is ignored.
        rerank: whether the reader reads the best passages. It finds the answering sentence more often, and misspelt
            words are understood, but it takes several times longer.

    Raises:
        QuestionError: the question is empty, too long or not text, ``k`` is below 1, ``since`` is after
            ``until``, or ``library`` is neither an index nor a path.
        IndexStateError, ModelError: the index, or the model that it was made with, cannot be used.
    """
    snapshot = library_to_ask(library)
    parsed = read_question(question, since, until, source)
    if not rerank:
        return search(parsed, snapshot, k)
    reader = load_reader()
    return search(read_corrected(parsed, snapshot, reader), snapshot, k, reader)


def library_to_ask(library: Library | str | os.PathLike[str] | None) -> Snapshot:
    """A snapshot of the given library, of the one at a path, or of the default one, for one question."""
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
    """The ``k`` best sentences for a question from ``read_question``. They are read if a reader is given."""
    if k < 1:
        raise QuestionError(f"{k} sentences cannot be shown; ask for at least 1.")
    parameters = load_parameters()
    weights = weights or (parameters.reading if reader is not None else parameters.ranking)
    candidates = find_candidates(question, library)
    scores = fuse(candidates.signals, weights) + IN_PERIOD * _in_period(question, candidates, library)
    readings: dict[int, Reading] = {}
    headers: list[Hit] = []
    if reader is not None:
        readings, headers = read_best(question, library, candidates, scores, reader, READ, WITHIN)
        scores = rerank(scores, readings)
    hits: list[Hit] = []
    for at in np.argsort(-scores, kind="stable").tolist():  # rows are in the order of ids, and so are ties
        row = candidates.rows[at]
        article, passage = library.article(row.article), candidates.passages.get(row.passage)
        if article is None or passage is None:
            continue  # removed a moment ago
        signals, place = Signals(*candidates.signals[at].tolist()), (passage.start, passage.end)
        hits.append(Hit(article, row.start, row.end, float(scores[at]), signals, place, readings.get(at)))
        if len(hits) == k:
            break
    return sorted([*hits, *headers], key=lambda hit: -hit.score)[:k] if headers else hits


@dataclass(frozen=True, slots=True)
class Candidates:
    """The sentences that may answer a question, in the order of their ids."""

    rows: list[SentenceRow]
    passages: dict[int, PassageRow]
    """Their passages, by id."""
    signals: NDArray[np.float64]
    """Their raw scores, shape (n, 5), in the order of ``Signals``."""


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
    if question.phrases:  # the phrase may be in another sentence of the passage
        kept = [at for at, row in enumerate(rows) if _holds(row, question, library)]
        rows, vectors = [rows[at] for at in kept], vectors[kept]
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


def _in_period(question: Question, candidates: Candidates, library: Snapshot) -> NDArray[np.float64]:
    """1 for the sentences of articles of the month or year that a question names, or of the weeks after it; else 0."""
    named = None if question.restriction else period(question.text)
    if named is None or named.since is None or named.until is None:
        return np.zeros(len(candidates.rows))
    first, last = named.since, named.until + AFTERWARDS
    articles = [library.article(row.article) for row in candidates.rows]
    return np.array([float(bool(one and one.date and first <= one.date <= last)) for one in articles])


def _holds(row: SentenceRow, question: Question, library: Snapshot) -> bool:
    """Whether a sentence contains the question's phrases."""
    article = library.article(row.article)
    return article is not None and holds(article.read(row.start, row.end), question.phrases)


def fuse(signals: NDArray[np.float64], weights: Weights) -> NDArray[np.float64]:
    """The fused scores, shape (n,), of signals of shape (n, 5) in the order of ``Signals``."""
    return np.asarray(signals @ np.array(astuple(weights)))


def read_best(
    question: Question,
    library: Snapshot,
    candidates: Candidates,
    scores: NDArray[np.float64],
    reader: Reader,
    read: int,
    within: float,
) -> tuple[dict[int, Reading], list[Hit]]:
    """Readings of the sentences of the best passages, by position among the candidates, and hits in their headers.

    At most ``read`` passages are read. The best sentence of each scores at most ``within`` less than the highest score.
    """
    positions: dict[int, list[int]] = {}  # by passage; passages in the order of their best sentences
    for at in np.argsort(-scores, kind="stable").tolist():
        positions.setdefault(candidates.rows[at].passage, []).append(at)
    read_from: list[tuple[Article, Clipping, list[int]]] = []  # with the positions of its sentences
    for id_, (best, *others) in islice(positions.items(), read):
        passage = candidates.passages.get(id_)
        article = library.article(passage.article) if passage else None
        if passage is None or article is None:
            continue  # removed a moment ago
        if scores[best] < scores.max() - within:
            break
        sentences = sorted([best, *others])
        spans = [(candidates.rows[at].start, candidates.rows[at].end) for at in sentences]
        read_from.append((article, clip(article, (passage.start, passage.end), spans), sentences))
    readings: dict[int, Reading] = {}
    window_readings = reader.read(question.to_read, [clipping.window for _, clipping, _ in read_from], question.several)
    for (_, clipping, sentences), sentence_readings in zip(read_from, window_readings, strict=True):
        for at, reading in zip(sentences, sentence_readings[clipping.lines :], strict=True):
            readings[at] = replace(reading, spans=tuple(map(clipping.in_article, reading.spans)))
    return readings, list(_in_headers(read_from, window_readings, candidates, scores, question.phrases))


def _in_headers(
    read_from: Sequence[tuple[Article, Clipping, list[int]]],
    window_readings: Sequence[Sequence[Reading]],
    candidates: Candidates,
    scores: NDArray[np.float64],
    phrases: tuple[str, ...],
) -> Iterator[Hit]:
    """A hit for each line of a header that may answer, with the score of the best sentence of the same passage."""
    best: dict[Span, Hit] = {}
    for (article, clipping, positions), readings in zip(read_from, window_readings, strict=True):
        at = max(positions, key=lambda at: scores[at])
        for line, reading in zip(clipping.window.sentences[: clipping.lines], readings, strict=False):
            start, end = clipping.in_article(line)
            spans = tuple(map(clipping.in_article, reading.spans))
            score = float(scores[at]) + reading.score - HEADER_LESS
            signals = Signals(*candidates.signals[at].tolist())
            hit = Hit(article, start, end, score, signals, (start, end), replace(reading, spans=spans))
            key = (article.id or 0, start)
            likely = reading.score > 0 and holds(hit.text, phrases)  # likelier than "no answer here"
            if likely and (key not in best or best[key].score < score):
                best[key] = hit
    yield from best.values()


def rerank(scores: NDArray[np.float64], readings: dict[int, Reading]) -> NDArray[np.float64]:
    """The sum of fused and reader's scores. A sentence that was not read gets the lowest reader's score."""
    if not readings:
        return scores
    reader_scores = {at: reading.score for at, reading in readings.items() if math.isfinite(reading.score)}
    lowest = min(reader_scores.values(), default=0.0)
    return np.asarray(scores + [reader_scores.get(at, lowest) for at in range(len(scores))])
