"""Measures of answers, ranks, abstention and confidence, and of the difference between two systems."""

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
"""How many samples the bootstrap draws at a time. This limits its memory."""


def normalise(text: str) -> str:
    """Text in the form in which SQuAD compares it: lower case, without ASCII punctuation and articles, single spaces.

    Typographic quotation marks and dashes stay, as in the official script (Rajpurkar et al. 2016).
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(prediction: str, golds: Sequence[str]) -> float:
    """1 if the normalised answer equals a normalised gold answer, else 0 (Rajpurkar et al. 2016).

    Without golds the question is unanswerable, and the empty answer is right (Rajpurkar et al. 2018).
    """
    return float(normalise(prediction) in _normalised(golds))


def f1(prediction: str, golds: Sequence[str]) -> float:
    """How well the words of the answer agree with a gold answer, from 0 to 1; the best over the golds.

    The harmonic mean of precision and recall over bags of normalised words (Rajpurkar et al. 2016).
    Without golds the question is unanswerable: 1 for the empty answer, else 0 (Rajpurkar et al. 2018).
    """
    words = normalise(prediction).split()
    return max(_overlap(words, gold.split()) for gold in _normalised(golds))


def _normalised(golds: Sequence[str]) -> list[str]:
    """The normalised golds that are not empty, or the empty answer if there are none."""
    return [gold for gold in map(normalise, golds) if gold] or [""]


def _overlap(words: Sequence[str], others: Sequence[str]) -> float:
    if not words or not others:
        return float(words == others)
    return 2 * (Counter(words) & Counter(others)).total() / (len(words) + len(others))


def recall(ranks: Sequence[float], k: int) -> float:
    """The share of questions whose gold is among the first ``k``."""
    return float(np.mean([rank <= k for rank in ranks])) if ranks else float("nan")


def mrr(ranks: Sequence[float]) -> float:
    """The mean reciprocal rank of the gold (Voorhees 1999)."""
    return float(np.mean([1 / rank for rank in ranks])) if ranks else float("nan")


def rank_of_gold(scores: NDArray[np.float64], gold: NDArray[np.bool_]) -> float:
    """The rank of the best gold row, from 1. Rows that tie with it count as before it. ``inf`` without gold."""
    if not gold.any():
        return float("inf")
    return 1.0 + float((scores[~gold] >= scores[gold].max()).sum())


def auc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The chance that an answerable question scores higher than an unanswerable one; ties count half. NaN if either
    is empty."""
    from sklearn.metrics import roc_auc_score  # late: only evaluating needs it

    if not positive or not negative:
        return float("nan")
    return float(roc_auc_score([1] * len(positive) + [0] * len(negative), [*positive, *negative]))


def answered_at(positive: Sequence[float], negative: Sequence[float], false_share: float) -> float:
    """The share of answerable questions that are answered if at most ``false_share`` of the unanswerable ones are."""
    if not positive or not negative:
        return float("nan")
    allowed = int(false_share * len(negative))
    threshold = sorted(negative, reverse=True)[allowed]
    return float(np.mean([value > threshold for value in positive]))


def answered_at_precision(confidences: ArrayLike, right: ArrayLike, precision: float = 0.9) -> float:
    """The largest share of all questions that can be answered, surest first, with ``precision`` of them right.

    Selective prediction calls this coverage at a bound on the risk (El-Yaniv & Wiener 2010).

    Args:
        confidences: of all questions, including unanswerable ones, shape (questions,).
        right: whether each answer is right, shape (questions,). False for unanswerable questions, which count too,
            both among the answered questions and among all questions.
        precision: the share of the answered questions that must be right, at least.

    Returns:
        0 if no threshold is precise enough, NaN without questions. Questions with equal confidence are answered
        together or not at all, because no threshold separates them.

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
    """The mean squared difference of confidence and outcome, from 0 (best) to 1; NaN without questions.

    This is the usual form for two outcomes. Brier (1950) sums over both, which doubles the value.

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
    """The questions whose confidence is in ``(low, high]``. A confidence of 0 is in the first bin."""

    low: float
    high: float
    count: int
    confidence: float
    """Their mean confidence."""
    right: float
    """The share of them that are right."""


def reliability(confidences: ArrayLike, right: ArrayLike, bins: int = 10) -> list[Bin]:
    """How often answers of a given confidence are right, in bins from low to high. Empty bins are left out.

    Args:
        confidences: probabilities of being right, from 0 to 1, shape (questions,).
        right: the outcomes, 0 or 1, shape (questions,).
        bins: the number of bins of equal width from 0 to 1.

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
    """The mean distance between confidence and the share that is right; NaN without questions.

    The expected calibration error (Guo et al. 2017): the distance in each bin, weighted by the bin's count.
    The arguments and errors are those of ``reliability``.
    """
    curve = reliability(confidences, right, bins)
    if not curve:
        return float("nan")
    distances = [abs(point.confidence - point.right) for point in curve]
    return float(np.average(distances, weights=[point.count for point in curve]))


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better a system is than a baseline on the same questions; NaN where this is undefined."""

    mean: float
    low: float
    """The lower end of the 95 % interval of the mean; ``high`` is the upper end."""
    high: float


def paired_bootstrap(baseline: ArrayLike, other: ArrayLike, samples: int = 10_000, seed: int = 0) -> Difference:
    """How much higher the values of another system are than those of a baseline, with a 95 % interval.

    Each sample draws questions with replacement, each with both of its values. The interval is the percentile
    interval of the mean difference (Efron & Tibshirani 1993, ch. 13).

    Args:
        baseline, other: a value for each question, such as 0 or 1 for a hit, or the reciprocal rank; shape
            (questions,).
        samples: the number of samples.
        seed: of the random samples. The same seed gives the same result.

    Returns:
        All NaN if there are no questions, or if a value is NaN or infinite. The interval of a single question is NaN.

    Raises:
        ValueError: the two differ in length.
    """
    from scipy.stats import bootstrap  # late: only evaluating needs it

    baseline_values, other_values = _pair(baseline, other)
    differences = other_values - baseline_values
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
        ValueError: the numbers of groups and values differ.
    """
    values_of: dict[str, list[float]] = {}
    for group, value in zip(groups, values, strict=True):
        values_of.setdefault(group, []).append(value)
    return {group: (len(group_values), float(np.mean(group_values))) for group, group_values in values_of.items()}


def _pair(first_values: ArrayLike, second_values: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two values for each question, as float64. Arrays of different shapes are refused, even if they broadcast."""
    first, second = np.asarray(first_values, np.float64), np.asarray(second_values, np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"two values for each question are needed, not arrays of {first.shape} and {second.shape}")
    return first, second
