"""Figures from what became of each question, on small cases with exact values."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from qa.measuring.report import STAGES, Figures, Result, rows, summary, table


def result(ranks: tuple[float, float, float, float], kind: str = "person", **values: Any) -> Result:
    """An answerable question; ranks in the order of the stages."""
    made = Result("a", "Who?", kind, True, ("Ana",), True, 0.9, "Ana", right=ranks[3] == 1)
    return replace(made, ranks=dict(zip(STAGES, ranks, strict=True)), passage_rank=1.0, **values)


def unanswerable(confidence: float, found: bool, kind: str = "") -> Result:
    return Result("u", "Why?", kind, False, (), found, confidence, "something")


INF = math.inf
MEASURED = Figures(
    "small",
    7,
    (
        result((1, 1, 1, 1), confidence=0.75, em=1.0, f1=1.0, em_given=1.0, f1_given=1.0),
        result((2, INF, 4, 1), confidence=0.75, em=0.0, f1=0.5, em_given=1.0, f1_given=1.0),
        result((INF, 2, 1, 2), "date", confidence=0.25, found=False, em=0.0, f1=0.0, em_given=0.0, f1_given=0.5),
        replace(
            result((4, INF, 20, 10), confidence=0.75, em=0.0, f1=0.0, em_given=0.0, f1_given=0.0), passage_rank=21.0
        ),
        unanswerable(0.75, True, "fact-changed"),
        unanswerable(0.05, False, "fact-changed"),
        unanswerable(0.05, False, "elsewhere"),
        unanswerable(0.05, False),
    ),
    ("q9",),
)


def test_ranks_by_stage() -> None:
    values = summary(MEASURED)
    assert (values["file"], values["articles"], values["questions"]) == ("small", 7, 4)
    assert values["without_gold"] == ["q9"]
    assert values["sentence"] == {
        "dense alone": {"R@1": 0.25, "R@5": 0.75, "R@10": 0.75, "MRR": (1 + 1 / 2 + 0 + 1 / 4) / 4},
        "BM25 alone": {"R@1": 0.25, "R@5": 0.5, "R@10": 0.5, "MRR": (1 + 0 + 1 / 2 + 0) / 4},
        "fused": {"R@1": 0.5, "R@5": 0.75, "R@10": 0.75, "MRR": (1 + 1 / 4 + 1 + 1 / 20) / 4},
        "+ reader": {"R@1": 0.5, "R@5": 0.75, "R@10": 1.0, "MRR": (1 + 1 + 1 / 2 + 1 / 10) / 4},
    }
    assert values["passage"] == {"R@20": 0.75}


def test_exact_answers_to_answerable_questions() -> None:
    assert summary(MEASURED)["span"] == {"open": {"EM": 0.25, "F1": 1.5 / 4}, "given": {"EM": 0.5, "F1": 2.5 / 4}}


def test_confidence_is_measured_on_all_questions() -> None:
    values = summary(MEASURED)
    # Sure by .75: two of four right, one of them unanswerable. By .25: one, wrong. By .05: three, unanswerable.
    squares = 2 * 0.25**2 + 2 * 0.75**2 + 0.25**2 + 3 * 0.05**2
    assert values["calibration"] == {
        "Brier": pytest.approx(squares / 8),
        "error": pytest.approx((4 * 0.25 + 1 * 0.25 + 3 * 0.05) / 8),
        "answered_at_90%_precision": 0.0,
    }
    assert values["reliability"] == [
        {"low": 0.0, "high": 0.1, "count": 3, "confidence": pytest.approx(0.05), "right": 0.0},
        {"low": 0.2, "high": 0.3, "count": 1, "confidence": 0.25, "right": 0.0},
        {"low": 0.7, "high": 0.8, "count": 4, "confidence": 0.75, "right": 0.5},
    ]
    surer = replace(MEASURED.results[0], confidence=0.8)
    assert summary(replace(MEASURED, results=(surer, *MEASURED.results[1:])))["calibration"][
        "answered_at_90%_precision"
    ] == pytest.approx(1 / 8)


def test_abstention() -> None:
    values = summary(MEASURED)
    # Of 16 pairs, .75 is above .05 in 9 and beside .75 in 3; .25 is above .05 in 3 and below .75 in 1.
    assert values["abstention"] == {
        "answerable": 4,
        "unanswerable": 4,
        "AUC": (9 + 3 / 2 + 3) / 16,
        "answered_at_1%_false": 0.0,
        "answered_at_5%_false": 0.0,
    }
    assert values["at_threshold"] == {"answered": 0.75, "right_of_answered": 2 / 3, "falsely_answered": 0.25}


def test_kinds_of_questions() -> None:
    assert summary(MEASURED)["kinds"] == {
        "answerable": {
            "person": {"questions": 3, "R@1": 2 / 3, "R@1_fused": 1 / 3, "F1": 0.5},
            "date": {"questions": 1, "R@1": 0.0, "R@1_fused": 1.0, "F1": 0.0},
        },
        "unanswerable": {
            "fact-changed": {"questions": 2, "falsely_answered": 0.5},
            "elsewhere": {"questions": 1, "falsely_answered": 0.0},
        },
    }


def test_the_fused_order_is_compared_with_the_better_of_the_two_searches() -> None:
    ranks: list[tuple[float, float, float, float]] = [(1, 2, 1, 1), (1, 2, 1, 1), (INF, 2, 1, 1), (INF, 2, 1, 1)]
    found = summary(Figures("f", 1, tuple(result(each, confidence=0.9) for each in ranks)))["differences"]
    assert [(row["stage"], row["over"], row["measure"], row["mean"]) for row in found] == [
        ("+ reader", "fused", "R@1", 0.0),
        ("fused", "dense alone", "R@1", 0.5),  # dense: 2 of 4, BM25: none
        ("+ reader", "fused", "MRR", 0.0),
        ("fused", "dense alone", "MRR", 0.5),  # both searches 1 / 2: the first of them
    ]
    assert (found[0]["low"], found[0]["high"]) == (0.0, 0.0)
    assert 0 <= found[1]["low"] < 0.5 < found[1]["high"] <= 1
    ranks = [(INF, 1, 2, 1), (2, INF, 2, 1), (2, 4, 1, 1)]
    found = summary(Figures("f", 1, tuple(result(each, confidence=0.9) for each in ranks)))["differences"]
    assert [row["over"] for row in found] == ["fused", "BM25 alone", "fused", "BM25 alone"]
    assert found[3]["mean"] == pytest.approx((1 / 2 + 1 / 2 + 1) / 3 - (1 + 1 / 4) / 3)


def test_the_table_says_all_of_it_on_a_screen() -> None:
    lines = table(MEASURED).splitlines()
    assert len(lines) <= 30
    assert lines[:3] == [
        "small: 4 questions over 7 articles",
        "  without gold (the answer is in no sentence), left out: 1: q9",
        "  sentence             R@1     R@5    R@10     MRR",
    ]
    for line in (
        "  + reader           0.500   0.750   1.000   0.650",
        "  passage R@20 0.750",
        "  exact answer          EM      F1",
        "  open               0.250   0.375",
        "  passage given      0.500   0.625",
        "  kind              questions     R@1  R@1 fused      F1",
        "  person                    3   0.667      0.333   0.500",
        "    sure             0.050   0.250   0.750",
        "    right            0.000   0.000   0.500",
        "    questions            3       1       4",
        "  at the threshold: answered 0.750, right of those 0.667, falsely answered 0.250",
        "  unanswerable      questions  falsely answered",
        "  fact-changed              2             0.500",
    ):
        assert line in lines
    assert "  + reader over fused, R@1: +0.000 (" in table(MEASURED)
    assert "AUC 0.844, answered at 1 % false 0.000, at 5 % false 0.000" in table(MEASURED)


def test_what_there_is_nothing_of_is_left_out() -> None:
    none = table(Figures("small", 7, ()))
    assert none == "small: 0 questions over 7 articles"
    foreign = table(Figures("small", 7, (unanswerable(0.25, False),)))
    assert "sentence" not in foreign
    assert foreign.endswith("at the threshold: falsely answered 0.000")
    answered = table(replace(MEASURED, results=MEASURED.results[:4]))
    assert "abstention" not in answered
    assert "falsely" not in answered


def test_rows_hold_what_became_of_each_question() -> None:
    found = list(rows(MEASURED))
    assert len(found) == 8
    assert found[1] == {
        "file": "small",
        "id": "a",
        "question": "Who?",
        "kind": "person",
        "answerable": True,
        "answers": ("Ana",),
        "found": True,
        "confidence": 0.75,
        "text": "Ana",
        "right": True,
        "ranks": {"dense alone": 2, "BM25 alone": INF, "fused": 4, "+ reader": 1},
        "passage_rank": 1.0,
        "em": 0.0,
        "f1": 0.5,
        "em_given": 1.0,
        "f1_given": 1.0,
    }
    assert (found[4]["ranks"], math.isnan(found[4]["f1"])) == ({}, True)
