"""Ask questions with known answers, and record the result of each stage.

Each question is searched and read once, over all articles. ``qa.measuring.report`` sums up the results.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import astuple, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from index.errors import ClippingsError
from index.reading.articles import Article
from index.storage.rows import Restriction
from qa.answering import answer_from, exact_answers, joined
from qa.bounds import Span
from qa.clipping import clip
from qa.measuring.datasets import LINES, Asked, asked_of, index_of, is_gold, read_questions, spread
from qa.measuring.measures import exact_match, f1, rank_of_gold
from qa.measuring.report import Figures, Result
from qa.parameters import load_parameters
from qa.question import Question, read_question
from qa.reader import Reader, Reading, load_reader
from qa.retriever import ALL, Hit, Signals, fuse, search

if TYPE_CHECKING:
    from index.library import Library, Snapshot


def evaluate(
    paths: Sequence[Path], library: Library | None = None, limit: int | None = None, exact: bool = False
) -> Iterator[Figures]:
    """Measure each file of questions. Lists without contexts are asked of the other files' articles, as unanswerable.

    Args:
        paths: files in SQuAD form, and ``.jsonl`` files about the articles of ``library``. Every paragraph of a
            SQuAD file becomes an article, unless ``library`` is given.
        library: an index whose articles have exactly the texts of the contexts.
        limit: the most questions of a file, evenly spread.
        exact: whether indexes made for this use sentence-transformers itself, as for ``index.build``.

    Raises:
        ClippingsError: a file has another form, or its answers are not where it says.
        ModelError: the reader is missing.
    """
    foreign: list[dict[str, Any]] = []
    to_measure: list[tuple[Path, list[dict[str, Any]]]] = []
    for path in paths:
        entries = read_questions(path)
        if path.suffix == LINES and library is None:
            raise ClippingsError(f"{path} asks about the articles of a folder; give --library INDEX, an index of them.")
        if path.suffix == LINES or any(entry["context"] is not None for entry in entries):
            to_measure.append((path, entries))
        else:
            foreign += entries
    if not to_measure:
        if library is None:
            raise ClippingsError("None of these files has contexts to ask about; give --library INDEX.")
        to_measure = [(Path("questions without articles"), [])]
    reader = load_reader()
    for path, entries in to_measure:
        with tempfile.TemporaryDirectory() as folder:
            measured = library if library is not None else index_of(entries, Path(folder), exact)
            try:
                questions = spread(list(asked_of(measured, [*entries, *foreign])), limit)
                yield measure(path.stem, questions, measured.follow(), reader)
            finally:
                if library is None:
                    measured.close()


def measure(name: str, questions: Sequence[Asked], library: Snapshot, reader: Reader) -> Figures:
    """Ask every question, and record the results."""
    everything = _Everything(library)
    results, without_gold = [], []
    for asked in questions:
        gold = everything.gold(asked)
        if asked.answerable and not gold.any():
            without_gold.append(asked.id)
        else:
            results.append(_ask(asked, gold, library, everything, reader))
    return Figures(name, library.store.counts()[0], tuple(results), tuple(without_gold))


def _ask(asked: Asked, gold: NDArray[np.bool_], library: Snapshot, everything: _Everything, reader: Reader) -> Result:
    question = read_question(asked.question)
    hits = search(question, library, ALL, reader)
    answer = answer_from(question, hits, library)
    text = _exact(hits[0].article, (hits[0].start, hits[0].end), hits[0].reading) if hits else ""
    result = Result(
        asked.id, asked.question, asked.kind, asked.answerable, asked.answers, answer.found, answer.confidence, text
    )
    if not asked.answerable:
        return result
    right = np.array([is_gold(asked, hit.article.id, hit.start, hit.end) for hit in hits], bool)
    signals = np.array([astuple(hit.signals) for hit in hits]).reshape(-1, len(fields(Signals)))
    in_body = np.array([hit.start >= hit.article.body_start for hit in hits], bool)  # only the reader sees a header
    fused = np.where(in_body, fuse(signals, load_parameters().ranking), -np.inf)
    given = everything.given(asked, question, hits, reader)
    return replace(
        result,
        kind=asked.kind or question.kind.value,
        right=bool(right[:1].any()),
        ranks={
            "dense alone": rank_of_gold(everything.cosines(question.text), gold),
            "BM25 alone": rank_of_gold(everything.bm25(question.terms), gold),
            "fused": rank_of_gold(fused, right),
            "+ reader": rank_of_gold(np.array([hit.score for hit in hits]), right),
        },
        passage_rank=_passage_rank(hits, fused, right),
        em=exact_match(text, asked.answers),
        f1=f1(text, asked.answers),
        em_given=exact_match(given, asked.answers),
        f1_given=f1(given, asked.answers),
    )


def _exact(article: Article, sentence: Span, reading: Reading | None) -> str:
    """The exact answers in a sentence, joined as an answer shows them."""
    return joined(article, exact_answers(article, sentence, reading))


def _passage_rank(hits: Sequence[Hit], scores: NDArray[np.float64], gold: NDArray[np.bool_]) -> float:
    """The rank of the gold passage among the passages. A passage has the score of its best sentence."""
    best: dict[tuple[int | None, Span], float] = {}
    right = set()
    for hit, score, is_right in zip(hits, scores.tolist(), gold.tolist(), strict=True):
        passage = hit.article.id, hit.passage
        best[passage] = max(score, best.get(passage, score))
        if is_right:
            right.add(passage)
    return rank_of_gold(np.array(list(best.values())), np.array([passage in right for passage in best], bool))


class _Everything:
    """All sentences of a library: for the stages that search without candidates, and to find the gold sentences."""

    def __init__(self, library: Snapshot) -> None:
        self._library = library
        self._rows, self._vectors = library.store.sentences_of(library.store.passage_ids(Restriction()).tolist())
        self._at = {row.id: i for i, row in enumerate(self._rows)}
        self._of_article: dict[int, list[int]] = {}
        for i, row in enumerate(self._rows):
            self._of_article.setdefault(row.article, []).append(i)

    def gold(self, asked: Asked) -> NDArray[np.bool_]:
        """Which sentences are gold, shape (sentences,)."""
        gold = np.zeros(len(self._rows), bool)
        for article in {article for article, _, _ in asked.golds}:
            for i in self._of_article.get(article, []):
                gold[i] = is_gold(asked, article, self._rows[i].start, self._rows[i].end)
        return gold

    def given(self, asked: Asked, question: Question, hits: Sequence[Hit], reader: Reader) -> str:
        """The exact answer with the reader's highest score in the passage of the first gold answer.

        The passage is read now if it was not read for the hits.
        """
        at = next(
            i
            for id_, answer_start, _ in asked.golds
            for i in self._of_article.get(id_, [])
            if self._rows[i].start <= answer_start < self._rows[i].end
        )
        article = self._library.article(self._rows[at].article)
        if article is None:
            return ""  # removed a moment ago
        article_rows = [self._rows[i] for i in self._of_article[self._rows[at].article]]
        sentences = [(row.start, row.end) for row in article_rows if row.passage == self._rows[at].passage]
        passage = sentences[0][0], sentences[-1][1]
        read = [
            ((hit.start, hit.end), hit.reading)
            for hit in hits
            if hit.reading and hit.article.id == article.id and hit.passage == passage
        ]
        if not read:
            clipping = clip(article, passage, sentences)
            (readings,) = reader.read(question.text, [clipping.window], question.several)
            read = [
                (span, replace(reading, spans=tuple(map(clipping.in_article, reading.spans))))
                for span, reading in zip(sentences, readings[clipping.lines :], strict=True)
            ]
        return _exact(article, *max(read, key=lambda sentence: sentence[1].score))

    def cosines(self, question: str) -> NDArray[np.float64]:
        """Cosines of the question and every sentence, shape (sentences,)."""
        return np.asarray(self._vectors @ self._library.encode_question(question), np.float64)

    def bm25(self, terms: Sequence[str]) -> NDArray[np.float64]:
        """BM25 scores of every sentence, shape (sentences,); 0 for a sentence without any of the terms."""
        scores = np.zeros(len(self._rows))
        for id_, score in self._library.lexical.search_sentences(terms, len(self._rows), Restriction()).items():
            scores[self._at[id_]] = score
        return scores
