"""Sum up an evaluation: the figures of each file, as plain values and as a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from qa.measuring.measures import (
    answered_at,
    answered_at_precision,
    auc,
    brier,
    by_group,
    calibration_error,
    mrr,
    paired_bootstrap,
    recall,
    reliability,
)

STAGES = ("dense alone", "BM25 alone", "fused", "+ reader")
_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one question. The fields from ``right`` on are for answerable questions only."""

    id: str
    question: str
    kind: str
    """What the question asks for: the file's word, or else a ``qa.question.Kind``. For an unanswerable question, the
    file's word for why nothing answers it."""
    answerable: bool
    answers: tuple[str, ...]
    """The right answers."""
    found: bool
    """Whether it was answered, at the shipped threshold."""
    confidence: float
    text: str
    """The exact answer in the first hit, even if it was not shown; empty if there was no hit."""
    right: bool = False
    """Whether the first hit is a gold sentence."""
    ranks: Mapping[str, float] = field(default_factory=dict)
    """The rank of the gold sentence in each stage, from 1; ``inf`` if it was not among the candidates."""
    passage_rank: float = _NAN
    """The rank of the gold passage by the fused score of its best sentence."""
    em: float = _NAN
    """Exact match of the exact answer in the first hit."""
    f1: float = _NAN
    """F1 of the exact answer in the first hit."""
    em_given: float = _NAN
    """Exact match of the exact answer if the reader is given the right passage."""
    f1_given: float = _NAN
    """F1 of the exact answer if the reader is given the right passage."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The results of one file."""

    name: str
    articles: int
    results: tuple[Result, ...]
    """In the order of the questions."""
    without_gold: tuple[str, ...] = ()
    """Ids of the answerable questions whose answer is in no sentence. They are left out of the results."""

    @property
    def answerable(self) -> list[Result]:
        """The results of the questions that the articles answer."""
        return [result for result in self.results if result.answerable]

    @property
    def unanswerable(self) -> list[Result]:
        """The results of the questions that the articles do not answer."""
        return [result for result in self.results if not result.answerable]


def summary(figures: Figures) -> dict[str, Any]:
    """The figures of one file as plain values; NaN if there was nothing to measure.

    "span" counts the exact answers to all answerable questions, even those below the threshold. In "calibration" and
    "reliability", a question is right if it is answerable and its first hit is a gold sentence. The shares there are of
    all questions, answerable or not; a confidence estimates this probability. The share right in "at_threshold" is of
    the answerable questions that were answered.
    """
    results, answerable, unanswerable = figures.results, figures.answerable, figures.unanswerable
    positive, negative = ([result.confidence for result in group] for group in (answerable, unanswerable))
    confidences, right = [result.confidence for result in results], [result.right for result in results]
    return {
        "file": figures.name,
        "articles": figures.articles,
        "questions": len(answerable),
        "without_gold": list(figures.without_gold),
        "sentence": {stage: _of_ranks([result.ranks[stage] for result in answerable]) for stage in STAGES},
        "passage": {"R@20": recall([result.passage_rank for result in answerable], 20)},
        "differences": _differences(answerable),
        "span": {
            "open": {"EM": _mean(result.em for result in answerable), "F1": _mean(result.f1 for result in answerable)},
            "given": {
                "EM": _mean(result.em_given for result in answerable),
                "F1": _mean(result.f1_given for result in answerable),
            },
        },
        "calibration": {
            "Brier": brier(confidences, right),
            "error": calibration_error(confidences, right),
            "answered_at_90%_precision": answered_at_precision(confidences, right),
        },
        "reliability": [asdict(point) for point in reliability(confidences, right)],
        "abstention": {
            "answerable": len(answerable),
            "unanswerable": len(unanswerable),
            "AUC": auc(positive, negative),
            "answered_at_1%_false": answered_at(positive, negative, 0.01),
            "answered_at_5%_false": answered_at(positive, negative, 0.05),
        },
        "at_threshold": {
            "answered": _mean(result.found for result in answerable),
            "right_of_answered": _mean(result.right for result in answerable if result.found),
            "falsely_answered": _mean(result.found for result in unanswerable),
        },
        "kinds": _kinds(answerable, unanswerable),
    }


def _of_ranks(ranks: Sequence[float]) -> dict[str, float]:
    return {**{f"R@{k}": recall(ranks, k) for k in (1, 5, 10)}, "MRR": mrr(ranks)}


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return float(np.mean(listed)) if listed else _NAN


_VALUES: dict[str, Callable[[float], float]] = {"R@1": lambda rank: float(rank <= 1), "MRR": lambda rank: 1 / rank}
"""For each measure that is a mean over the questions, the value of one rank."""


def _differences(answerable: Sequence[Result]) -> list[dict[str, Any]]:
    """By measure, what the reader adds to fusion, and what fusion adds to the better of the two searches."""
    rows = []
    for name, value in _VALUES.items():
        values = {stage: [value(result.ranks[stage]) for result in answerable] for stage in STAGES}
        better = max(STAGES[:2], key=lambda stage: sum(values[stage]))
        for stage, baseline in (("+ reader", "fused"), ("fused", better)):
            difference = paired_bootstrap(values[baseline], values[stage])
            rows.append({"stage": stage, "over": baseline, "measure": name, **asdict(difference)})
    return rows


def _kinds(answerable: Sequence[Result], unanswerable: Sequence[Result]) -> dict[str, dict[str, dict[str, float]]]:
    """The figures by kind of question. Unanswerable questions count only if their file states a kind."""
    kinds = [result.kind for result in answerable]
    columns = {
        "R@1": by_group(kinds, [result.ranks["+ reader"] <= 1 for result in answerable]),
        "R@1_fused": by_group(kinds, [result.ranks["fused"] <= 1 for result in answerable]),
        "F1": by_group(kinds, [result.f1 for result in answerable]),
    }
    stated = [result for result in unanswerable if result.kind]
    falsely_answered = by_group([result.kind for result in stated], [result.found for result in stated])
    return {
        "answerable": {
            name: {"questions": count, **{column: means[name][1] for column, means in columns.items()}}
            for name, (count, _) in columns["F1"].items()
        },
        "unanswerable": {
            name: {"questions": count, "falsely_answered": mean} for name, (count, mean) in falsely_answered.items()
        },
    }


def rows(figures: Figures) -> Iterator[dict[str, Any]]:
    """The result of each question as plain values: the file, and the fields of ``Result``."""
    for result in figures.results:
        yield {"file": figures.name, **asdict(result)}


def table(figures: Figures) -> str:
    """The figures of one file as a text table."""
    values = summary(figures)
    lines = [f"{figures.name}: {values['questions']} questions over {figures.articles} articles"]
    if figures.without_gold:
        named = ", ".join(figures.without_gold[:10]) + (" …" if len(figures.without_gold) > 10 else "")
        lines.append(f"  without gold (the answer is in no sentence), left out: {len(figures.without_gold)}: {named}")
    if figures.answerable:
        lines += _columns("sentence", values["sentence"])
        lines.append(f"  passage R@20 {values['passage']['R@20']:.3f}")
        lines += [_in_words(row) for row in values["differences"]]
        lines += _columns("exact answer", {"open": values["span"]["open"], "passage given": values["span"]["given"]})
        lines += _columns("kind", values["kinds"]["answerable"])
    if figures.results:
        lines += _of_confidence(values)
    if values["kinds"]["unanswerable"]:
        lines += _columns("unanswerable", values["kinds"]["unanswerable"])
    return "\n".join(lines)


def _columns(heading: str, rows: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Rows of values below a line with the heading and the names of the values."""
    names = [name.replace("_", " ") for name in next(iter(rows.values()))]
    widths = [max(8, len(name) + 2) for name in names]
    first = max(16, *(len(label) + 1 for label in rows))

    def line(label: str, cells: Iterable[str]) -> str:
        return f"  {label:<{first}}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))

    values = {label: [_cell(value) for value in row.values()] for label, row in rows.items()}
    return [line(heading, names), *(line(label, cells) for label, cells in values.items())]


def _cell(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def _in_words(row: dict[str, Any]) -> str:
    interval = f"{row['low']:+.3f} … {row['high']:+.3f}"
    return f"  {row['stage']} over {row['over']}, {row['measure']}: {row['mean']:+.3f} ({interval})"


def _of_confidence(values: dict[str, Any]) -> Iterator[str]:
    calibration, abstention, shown = values["calibration"], values["abstention"], values["at_threshold"]
    yield (
        f"  confidence: Brier {calibration['Brier']:.3f}, calibration error {calibration['error']:.3f}, "
        f"answered at 90 % precision {calibration['answered_at_90%_precision']:.3f}"
    )
    for label, key in (("sure", "confidence"), ("right", "right"), ("questions", "count")):
        yield f"    {label:<14}" + "".join(f"{_cell(point[key]):>8}" for point in values["reliability"])
    if abstention["unanswerable"]:
        yield (
            f"  abstention: {abstention['answerable']} answerable, {abstention['unanswerable']} not: "
            f"AUC {abstention['AUC']:.3f}, answered at 1 % false {abstention['answered_at_1%_false']:.3f}, "
            f"at 5 % false {abstention['answered_at_5%_false']:.3f}"
        )
    labels = [
        ("answered", "answered"),
        ("right of those", "right_of_answered"),
        ("falsely answered", "falsely_answered"),
    ]
    parts = [f"{label} {shown[key]:.3f}" for label, key in labels if not math.isnan(shown[key])]
    yield f"  at the threshold: {', '.join(parts)}"
