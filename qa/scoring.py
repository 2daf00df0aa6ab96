"""The measures: of answers, ranks, abstention and confidence, and of the difference between two systems."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_DRAWN_AT_ONCE = 1 << 20
"""The bootstrap draws so many questions at a time, in whole samples; some 16 MB up to a million questions."""


def normalise(text: str) -> str:
    """A text as SQuAD compares it: lower case, without ASCII punctuation and articles, single spaces between words.

    Typographic quotation marks and dashes stay, as they do in the official script (Rajpurkar et al. 2016).
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(prediction: str, golds: Sequence[str]) -> float:
    """1 if the answer equals a gold answer once both are normalised, else 0 (Rajpurkar et al. 2016).

    Without golds the question is unanswerable, and the empty answer the right one (Rajpurkar et al. 2018).
    """
    return float(normalise(prediction) in _normalised(golds))


def f1(prediction: str, golds: Sequence[str]) -> float:
    """How far the words of the answer and of a gold answer agree, from 0 to 1; the best over the golds.

    The harmonic mean of precision and recall over the bags of normalised words (Rajpurkar et al. 2016).
    Without golds the question is unanswerable: 1 for the empty answer, else 0 (Rajpurkar et al. 2018).
    """
    words = normalise(prediction).split()
    return max(_overlap(words, gold.split()) for gold in _normalised(golds))


def _normalised(golds: Sequence[str]) -> list[str]:
    """The golds that anything is left of; the empty answer if there are none."""
    return [gold for gold in map(normalise, golds) if gold] or [""]


def _overlap(one: Sequence[str], other: Sequence[str]) -> float:
    if not one or not other:
        return float(one == other)
    return 2 * (Counter(one) & Counter(other)).total() / (len(one) + len(other))


def recall(ranks: Sequence[float], k: int) -> float:
    """The share of questions whose gold is among the first ``k``."""
    return float(np.mean([rank <= k for rank in ranks])) if ranks else float("nan")


def mrr(ranks: Sequence[float]) -> float:
    """The mean reciprocal rank of the gold (Voorhees 1999)."""
    return float(np.mean([1 / rank for rank in ranks])) if ranks else float("nan")


def rank_of_gold(scores: NDArray[np.float64], gold: NDArray[np.bool_]) -> float:
    """The 1-based rank of the best gold row; rows that tie with it count as before it. ``inf`` without gold."""
    if not gold.any():
        return float("inf")
    return 1.0 + float((scores[~gold] >= scores[gold].max()).sum())


def auc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The chance that an answerable question is held more answerable than an unanswerable one; ties count half."""
    if not positive or not negative:
        return float("nan")
    low = np.sort(np.array(negative))
    below = np.searchsorted(low, positive, side="left")
    not_above = np.searchsorted(low, positive, side="right")
    return float((below + not_above).sum() / 2 / len(positive) / len(negative))


def answered_at(positive: Sequence[float], negative: Sequence[float], false_share: float) -> float:
    """The share of answerable questions answered where at most ``false_share`` of the others are."""
    if not positive or not negative:
        return float("nan")
    allowed = int(false_share * len(negative))
    threshold = sorted(negative, reverse=True)[allowed]
    return float(np.mean([value > threshold for value in positive]))


def answered_at_precision(confidences: ArrayLike, right: ArrayLike, precision: float = 0.9) -> float:
    """The largest share of all questions that can be answered, surest first, with ``precision`` of them right.

    Coverage at a bound on the risk, in the words of selective prediction (El-Yaniv & Wiener 2010).

    Args:
        confidences: of all questions that were asked, shape (questions,); unanswerable ones among them.
        right: whether each one's answer is right, shape (questions,); False for the unanswerable, whose answers
            never are. They count among the answered, and among the questions that the share is of.
        precision: at least this part of the answered must be right.

    Returns:
        0 if no threshold is precise enough, NaN without questions. Questions of one confidence are answered together
        or not at all, since no threshold tells them apart.

    Raises:
        ValueError: the two differ in length.
    """
    sure, true = _pair(confidences, right)
    if not sure.size:
        return float("nan")
    order = np.argsort(-sure)
    sure, true = sure[order], true[order]
    answered = np.arange(1, sure.size + 1)
    last_of_ties = np.append(sure[1:] != sure[:-1], True)
    allowed = last_of_ties & (np.cumsum(true) / answered >= precision)
    return float(answered[allowed].max(initial=0) / sure.size)


def brier(confidences: ArrayLike, right: ArrayLike) -> float:
    """The mean squared distance of confidence and outcome, from 0 (best) to 1; NaN without questions.

    This is the usual form for two outcomes; Brier (1950) sums over both, which doubles it.

    Args:
        confidences: probabilities of being right, shape (questions,).
        right: the outcomes, 0 or 1, shape (questions,).

    Raises:
        ValueError: the two differ in length.
    """
    sure, true = _pair(confidences, right)
    return float(np.mean((sure - true) ** 2)) if sure.size else float("nan")


@dataclass(frozen=True, slots=True)
class Bin:
    """The questions whose confidence is in ``(low, high]``; a confidence of 0 is in the first bin."""

    low: float
    high: float
    count: int
    confidence: float
    """The mean of theirs."""
    right: float
    """The share of them that is right."""


def reliability(confidences: ArrayLike, right: ArrayLike, bins: int = 10) -> list[Bin]:
    """How often answers of a given confidence are right, from least sure to surest; empty bins are left out.

    Args:
        confidences: probabilities of being right, from 0 to 1, shape (questions,).
        right: the outcomes, 0 or 1, shape (questions,).
        bins: how many, equally wide, to cut the range from 0 to 1 into.

    Raises:
        ValueError: the two differ in length.
    """
    sure, true = _pair(confidences, right)
    edges = np.arange(bins + 1) / bins
    number = np.searchsorted(edges[1:-1], sure)
    found = []
    for at in np.unique(number).tolist():
        here = number == at
        low, high = float(edges[at]), float(edges[at + 1])
        found.append(Bin(low, high, int(here.sum()), float(sure[here].mean()), float(true[here].mean())))
    return found


def calibration_error(confidences: ArrayLike, right: ArrayLike, bins: int = 10) -> float:
    """How far confidence is from the share that is right, on average over the questions; NaN without questions.

    The expected calibration error (Guo et al. 2017): the distance in each bin, weighted by the bin's count.
    The arguments and errors are those of ``reliability``.
    """
    found = reliability(confidences, right, bins)
    if not found:
        return float("nan")
    return sum(one.count * abs(one.confidence - one.right) for one in found) / sum(one.count for one in found)


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much another system is better than one, on the same questions; all NaN if that is undefined."""

    mean: float
    low: float
    """With ``high``, the 95 % interval of the mean."""
    high: float
    p: float
    """The two-sided p-value of there being no difference; below .05 just about where the interval leaves out 0."""


def paired_bootstrap(one: ArrayLike, other: ArrayLike, samples: int = 10_000, seed: int = 0) -> Difference:
    """Whether another system's values are higher than one's on the same questions, or only happen to be.

    The questions are drawn again and again, with replacement, each with both of its values: the percentile interval
    of the mean difference (Efron & Tibshirani 1993, ch. 13), and as p twice the share of draws in which the mean is
    not on its side of 0, the draw at hand counted with them so that p is never 0 (Koehn 2004; Davison & Hinkley 1997).
    A handful of questions holds too little of the spread to draw from, and makes p too low.

    Args:
        one, other: a value for each question, as 0 or 1 for a hit, or the reciprocal rank; shape (questions,).
        samples: how often to draw.
        seed: of the draws; the same one gives the same result.

    Returns:
        NaN for everything if there are no questions, or a value is NaN or infinite.

    Raises:
        ValueError: the two differ in length.
    """
    before, after = _pair(one, other)
    differences = after - before
    if not differences.size or not np.isfinite(differences).all():
        return Difference(float("nan"), float("nan"), float("nan"), float("nan"))
    random = np.random.default_rng(seed)
    means = np.zeros(samples)
    at_once = max(1, _DRAWN_AT_ONCE // differences.size)
    for at in range(0, samples, at_once):
        chunk = means[at : at + at_once]
        chunk[:] = differences[random.integers(differences.size, size=(chunk.size, differences.size))].mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    beyond = min(int((means <= 0).sum()), int((means >= 0).sum()))
    p = min(1.0, 2 * (beyond + 1) / (samples + 1))
    return Difference(float(differences.mean()), float(low), float(high), p)


def by_group(groups: Iterable[str], values: Iterable[float]) -> dict[str, tuple[int, float]]:
    """The count and the mean of each group's values, in the order in which the groups first appear.

    Raises:
        ValueError: there are not as many groups as values.
    """
    members: dict[str, list[float]] = {}
    for group, value in zip(groups, values, strict=True):
        members.setdefault(group, []).append(value)
    return {group: (len(own), float(np.mean(own))) for group, own in members.items()}


def _pair(one: ArrayLike, other: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two values for each question, as numbers; arrays that only broadcast together are refused."""
    first, second = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"two values for each question are needed, not arrays of {first.shape} and {second.shape}")
    return first, second
