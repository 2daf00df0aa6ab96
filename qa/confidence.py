"""How sure an answer is: one probability that the best sentence is the right one."""

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
"""Two sentences sharing this part of their words (Jaccard) tell the same."""
CLIP = 12.0
"""Beyond it a reader's score says no more: there is no answer."""


@dataclass(frozen=True, slots=True)
class Features:
    """What the confidence is computed from: raw quantities that mean the same for every question."""

    cosine: float
    """Of the question and the best sentence."""
    passage_cosine: float
    """Of the question and that sentence's passage."""
    highest_cosine: float
    """Of the question and any sentence found."""
    matched: float
    """The share of the question's idf weight whose words stand in the best sentence."""
    passage_matched: float
    """The same for its passage."""
    names: float
    """The share of the question's names and numbers that stand in the article; 1 if it has none."""
    margin: float
    """How far the score is above that of the next sentence that is no near-copy."""
    best: float
    """The score."""
    reader: float
    """The reader's score of the best sentence."""
    reader_margin: float
    """How far that is above the highest of other sentences that are no near-copies."""


def features(question: Question, hits: Sequence[Hit], library: Snapshot) -> Features:
    """The raw quantities behind the confidence, of at least one hit, best first."""
    best = hits[0]
    idf = library.lexical.idf(question.terms)
    start, end = best.passage
    others = without_copies(hits)
    return Features(
        cosine=best.signals.dense_sentence,
        passage_cosine=best.signals.dense_passage,
        highest_cosine=max(hit.signals.dense_sentence for hit in hits),
        matched=_matched(idf, analyse(best.text)),
        passage_matched=_matched(idf, analyse(best.article.text[start:end])),
        names=_names_in(question, best),
        margin=best.score - others[1].score if len(others) > 1 else 0.0,
        best=best.score,
        reader=_read(best),
        reader_margin=_read(best) - max((_read(hit) for hit in others[1:]), default=-CLIP),
    )


def _read(hit: Hit) -> float:
    """The reader's score, of a sentence that was not read the least that counts."""
    return max(-CLIP, hit.reading.score) if hit.reading else -CLIP


def confidence(features: Features, weights: dict[str, dict[str, float]]) -> float:
    """The product of logistics of weighted features: that the articles cover the question, and that this answers it.

    Args:
        weights: of each factor, by name of the feature, and ``bias``.
    """
    values = {"bias": 1.0, **asdict(features)}
    totals = [sum(weight * values[name] for name, weight in of.items()) for of in weights.values()]
    return math.prod(1 / (1 + math.exp(-total)) for total in totals)


def without_copies(hits: Sequence[Hit], to_the_figure: bool = False) -> list[Hit]:
    """The hits without those that tell, in nearly the same words, what a better one tells.

    Args:
        hits: best first.
        to_the_figure: whether what gives other figures is no copy.
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


def _names_in(question: Question, best: Hit) -> float:
    names = {term for word in question.names for term in analyse(word)} & set(question.terms)
    if not names:
        return 1.0
    return len(names & set(analyse(best.article.text))) / len(names)
