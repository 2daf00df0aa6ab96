"""What was measured, summed up: from what became of each question to figures, as plain values and in words."""

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
    """What became of one question; the fields from ``right`` on are of answerable questions only."""

    id: str
    question: str
    kind: str
    """What it asks for, in its file's word or else a ``qa.question.Kind``. Why nothing answers, in its file's word."""
    answerable: bool
    answers: tuple[str, ...]
    """Those that are right."""
    found: bool
    """Whether it was answered, at the threshold that ships."""
    confidence: float
    text: str
    """The exact answer in the first hit, as it is shown or would be; empty if there was no hit."""
    right: bool = False
    """Whether the first hit is a gold sentence."""
    ranks: Mapping[str, float] = field(default_factory=dict)
    """By stage, of the gold sentence: from 1, ``inf`` where it was not among the candidates."""
    passage_rank: float = _NAN
    """Of the gold's passage by the fused score of its best sentence."""
    em: float = _NAN
    f1: float = _NAN
    em_given: float = _NAN
    """Of the exact answer if the reader is given the right passage."""
    f1_given: float = _NAN


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured on one file."""

    name: str
    articles: int
    results: tuple[Result, ...]
    """In the order of the questions."""
    without_gold: tuple[str, ...] = ()
    """Ids of the answerable questions whose answer stands in no sentence; they are left out."""

    @property
    def answerable(self) -> list[Result]:
        """The questions that the articles answer."""
        return [result for result in self.results if result.answerable]

    @property
    def unanswerable(self) -> list[Result]:
        """Those that they do not."""
        return [result for result in self.results if not result.answerable]


def summary(figures: Figures) -> dict[str, Any]:
    """The figures of one file as plain values; NaN where there was nothing to measure.

    Under "span", whether anything answers is not asked: the exact answers to answerable questions count whether they
    would be shown or not. Right, under "calibration" and "reliability", is an answerable question whose first hit is
    a gold sentence; of all questions, answerable or not, that is the probability that a confidence estimates. The
    share right under "at_threshold" is of the answerable questions that were answered.
    """
    results, answerable, unanswerable = figures.results, figures.answerable, figures.unanswerable
    sure, not_sure = ([result.confidence for result in some] for some in (answerable, unanswerable))
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
        "reliability": [asdict(one) for one in reliability(confidences, right)],
        "abstention": {
            "answerable": len(answerable),
            "unanswerable": len(unanswerable),
            "AUC": auc(sure, not_sure),
            "answered_at_1%_false": answered_at(sure, not_sure, 0.01),
            "answered_at_5%_false": answered_at(sure, not_sure, 0.05),
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
"""What a rank is worth by measures that are means over the questions."""


def _differences(answerable: Sequence[Result]) -> list[dict[str, Any]]:
    """What reading adds to the fused order, and that to the better of the two searches, by measure."""
    rows = []
    for name, value in _VALUES.items():
        values = {stage: [value(result.ranks[stage]) for result in answerable] for stage in STAGES}
        better = max(STAGES[:2], key=lambda stage: sum(values[stage]))
        for stage, over in (("+ reader", "fused"), ("fused", better)):
            difference = paired_bootstrap(values[over], values[stage])
            rows.append({"stage": stage, "over": over, "measure": name, **asdict(difference)})
    return rows


def _kinds(answerable: Sequence[Result], unanswerable: Sequence[Result]) -> dict[str, dict[str, dict[str, float]]]:
    """By kind of question; unanswerable ones only by a kind that their file states."""
    kinds = [result.kind for result in answerable]
    columns = {
        "R@1": by_group(kinds, [result.ranks["+ reader"] <= 1 for result in answerable]),
        "R@1_fused": by_group(kinds, [result.ranks["fused"] <= 1 for result in answerable]),
        "F1": by_group(kinds, [result.f1 for result in answerable]),
    }
    stated = [result for result in unanswerable if result.kind]
    false = by_group([result.kind for result in stated], [result.found for result in stated])
    return {
        "answerable": {
            name: {"questions": count, **{column: means[name][1] for column, means in columns.items()}}
            for name, (count, _) in columns["F1"].items()
        },
        "unanswerable": {name: {"questions": count, "falsely_answered": mean} for name, (count, mean) in false.items()},
    }


def rows(figures: Figures) -> Iterator[dict[str, Any]]:
    """What became of each question, as plain values: the fields of ``Result``, and the file."""
    for result in figures.results:
        yield {"file": figures.name, **asdict(result)}


def table(figures: Figures) -> str:
    """The figures of one file in words and columns."""
    values = summary(figures)
    lines = [f"{figures.name}: {values['questions']} questions over {figures.articles} articles"]
    if figures.without_gold:
        named = ", ".join(figures.without_gold[:10]) + (" …" if len(figures.without_gold) > 10 else "")
        lines.append(
            f"  without gold (the answer stands in no sentence), left out: {len(figures.without_gold)}: {named}"
        )
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
    """Rows of values under a line with the heading and the values' names."""
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
        yield f"    {label:<14}" + "".join(f"{_cell(one[key]):>8}" for one in values["reliability"])
    if abstention["unanswerable"]:
        yield (
            f"  abstention: {abstention['answerable']} answerable, {abstention['unanswerable']} not: "
            f"AUC {abstention['AUC']:.3f}, answered at 1 % false {abstention['answered_at_1%_false']:.3f}, "
            f"at 5 % false {abstention['answered_at_5%_false']:.3f}"
        )
    said = [("answered", "answered"), ("right of those", "right_of_answered"), ("falsely answered", "falsely_answered")]
    parts = [f"{label} {shown[key]:.3f}" for label, key in said if not math.isnan(shown[key])]
    yield f"  at the threshold: {', '.join(parts)}"
