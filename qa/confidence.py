"""The confidence of an answer: the probability that the best sentence is the right one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from index.storage.analysis import analyse
from qa.question import Question
from qa.retriever import Hit

if TYPE_CHECKING:
    from index.library import Snapshot

NEAR_COPY = 0.7
"""Two sentences that share this part of their words (Jaccard) are near-copies."""
CLIP = 12.0
"""A reader's score below ``-CLIP`` counts as ``-CLIP``: it means that there is no answer."""


@dataclass(frozen=True, slots=True)
class Features:
    """The inputs of the confidence: raw values that are comparable between questions."""

    cosine: float
    """Cosine of the question and the best sentence."""
    passage_cosine: float
    """Cosine of the question and that sentence's passage."""
    highest_cosine: float
    """The highest cosine of the question and any hit."""
    matched: float
    """The share of the question's words, weighted by idf, that are in the best sentence."""
    passage_matched: float
    """The share of the question's words, weighted by idf, that are in its passage."""
    names: float
    """The share of the question's names and numbers that are in the article; 1 if the question has none."""
    margin: float
    """The score of the best sentence minus that of the next one that is not a near-copy."""
    best: float
    """The score of the best sentence."""
    reader: float
    """The reader's score of the best sentence."""
    reader_margin: float
    """The reader's score of the best sentence minus the highest of the others that are not near-copies."""


def features(question: Question, hits: Sequence[Hit], library: Snapshot) -> Features:
    """The features of a question's hits, best first. There must be at least one."""
    best = hits[0]
    idf = library.lexical.idf(question.terms)
    start, end = best.passage
    dated = f"{best.article.date:%B %Y} " if best.article.date else ""  # a question may name the article's month
    others = without_copies(hits)
    return Features(
        cosine=best.signals.dense_sentence,
        passage_cosine=best.signals.dense_passage,
        highest_cosine=max(hit.signals.dense_sentence for hit in hits),
        matched=_matched(idf, analyse(dated + best.text)),
        passage_matched=_matched(idf, analyse(dated + best.article.read(start, end))),
        names=_matched_names(question, dated + best.article.text),
        margin=best.score - others[1].score if len(others) > 1 else 0.0,
        best=best.score,
        reader=_reader_score(best),
        reader_margin=_reader_score(best) - max((_reader_score(hit) for hit in others[1:]), default=-CLIP),
    )


def _reader_score(hit: Hit) -> float:
    """The reader's score of a hit, at least ``-CLIP``; ``-CLIP`` if it was not read."""
    return max(-CLIP, hit.reading.score) if hit.reading else -CLIP


def confidence(features: Features, weights: dict[str, dict[str, float]]) -> float:
    """A product of two logistic functions: the articles cover the question, and this sentence answers it.

    Args:
        weights: for each factor, the weights of the features by name, and ``bias``.
    """
    values = {"bias": 1.0, **asdict(features)}
    totals = [sum(weight * values[name] for name, weight in factor.items()) for factor in weights.values()]
    return math.prod(1 / (1 + math.exp(-total)) for total in totals)


def without_copies(hits: Sequence[Hit], to_the_figure: bool = False) -> list[Hit]:
    """The hits without near-copies of a better hit.

    Args:
        hits: best first.
        to_the_figure: whether a sentence with other figures is never a near-copy.
    """
    kept: list[tuple[Hit, frozenset[str]]] = []
    for hit in hits:
        words = frozenset(analyse(hit.text))
        if not any(_same(words, other, to_the_figure) for _, other in kept):
            kept.append((hit, words))
    return [hit for hit, _ in kept]


def _same(words: frozenset[str], others: frozenset[str], to_the_figure: bool) -> bool:
    if to_the_figure and any(any(map(str.isdigit, word)) for word in words ^ others):
        return False
    return len(words & others) >= NEAR_COPY * len(words | others)


def _matched(idf: dict[str, float], words: Sequence[str]) -> float:
    total = sum(idf.values())
    present = set(words)
    return sum(weight for term, weight in idf.items() if term in present) / total if total else 0.0


def _matched_names(question: Question, text: str) -> float:
    names = {term for word in question.names for term in analyse(word)} & set(question.terms)
    if not names:
        return 1.0
    return len(names & set(analyse(text))) / len(names)
