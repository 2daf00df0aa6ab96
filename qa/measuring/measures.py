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
_AT_ONCE = 100
"""Samples that the bootstrap draws at a time, which bounds its memory."""


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
    from sklearn.metrics import roc_auc_score  # late: only evaluating needs it

    if not positive or not negative:
        return float("nan")
    return float(roc_auc_score([1] * len(positive) + [0] * len(negative), [*positive, *negative]))


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

    This is the usual form for two outcomes. Brier (1950) sums over both, which doubles it.

    Args:
        confidences: probabilities of being right, shape (questions,).
        right: the outcomes, 0 or 1, shape (questions,).

    Raises:
        ValueError: the two differ in length.
    """
    from sklearn.metrics import brier_score_loss  # late: only evaluating needs it

    sure, true = _pair(confidences, right)
    return float(brier_score_loss(true, sure, pos_label=1)) if sure.size else float("nan")


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
    from sklearn.calibration import calibration_curve  # late: only evaluating needs it

    sure, true = _pair(confidences, right)
    if not sure.size:
        return []
    shares, means = calibration_curve(true, sure, n_bins=bins)  # without the empty bins, and without counts
    edges = np.linspace(0, 1, bins + 1)
    counts = np.bincount(np.searchsorted(edges[1:-1], sure), minlength=bins)
    return [
        Bin(at / bins, (at + 1) / bins, int(counts[at]), float(mean), float(share))
        for at, mean, share in zip(np.flatnonzero(counts).tolist(), means, shares, strict=True)
    ]


def calibration_error(confidences: ArrayLike, right: ArrayLike, bins: int = 10) -> float:
    """How far confidence is from the share that is right, on average over the questions; NaN without questions.

    The expected calibration error (Guo et al. 2017): the distance in each bin, weighted by the bin's count.
    The arguments and errors are those of ``reliability``.
    """
    curve = reliability(confidences, right, bins)
    if not curve:
        return float("nan")
    distances = [abs(one.confidence - one.right) for one in curve]
    return float(np.average(distances, weights=[one.count for one in curve]))


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much another system is better than one, on the same questions; NaN where that is undefined."""

    mean: float
    low: float
    """With ``high``, the 95 % interval of the mean."""
    high: float


def paired_bootstrap(one: ArrayLike, other: ArrayLike, samples: int = 10_000, seed: int = 0) -> Difference:
    """By how much another system's values are higher than one's on the same questions, and how sure that is.

    The questions are drawn again and again, with replacement, each with both of its values. The interval is the
    percentile one of the mean difference (Efron & Tibshirani 1993, ch. 13).

    Args:
        one, other: a value for each question, as 0 or 1 for a hit, or the reciprocal rank; shape (questions,).
        samples: how often to draw.
        seed: of the draws; the same one gives the same result.

    Returns:
        NaN for everything if there are no questions, or a value is NaN or infinite; no interval of a single question.

    Raises:
        ValueError: the two differ in length.
    """
    from scipy.stats import bootstrap  # late: only evaluating needs it

    before, after = _pair(one, other)
    differences = after - before
    if not differences.size or not np.isfinite(differences).all():
        return Difference(float("nan"), float("nan"), float("nan"))
    mean = float(differences.mean())
    if differences.size == 1:
        return Difference(mean, float("nan"), float("nan"))
    drawn = bootstrap(
        (differences,),
        np.mean,
        n_resamples=samples,
        method="percentile",
        batch=_AT_ONCE,
        rng=np.random.default_rng(seed),
    )
    return Difference(mean, float(drawn.confidence_interval.low), float(drawn.confidence_interval.high))


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
