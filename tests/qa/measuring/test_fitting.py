"""Fitting: what is learnt is what was there to be learnt."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from qa.confidence import Features, confidence
from qa.measuring.fitting import _fit_confidence, _fit_reading, _Row, _threshold

NAMES = [field.name for field in dataclasses.fields(Features)]


def test_the_weights_beside_the_reader_are_found_again() -> None:
    rng = np.random.default_rng(7)
    planted = np.array([6.0, 3.0, 0.0, 0.3, 0.5, 1.0])  # the last is the reader's
    problems = []
    for _ in range(2):
        problem = []
        for _ in range(600):
            matrix = rng.normal(size=(12, 6)) * [0.2, 0.2, 3.0, 3.0, 0.5, 3.0]
            gold = np.zeros(12, bool)
            gold[(matrix @ planted + rng.gumbel(size=12)).argmax()] = True  # which makes the odds a softmax's
            problem.append((matrix, gold))
        problems.append(problem)
    found = np.array(dataclasses.astuple(_fit_reading(problems)))
    np.testing.assert_allclose(found, planted[:5], atol=0.6)
    assert abs(found[2]) < 0.05


def rows_of(count: int, file: str, answerable: bool, seed: int) -> list[_Row]:
    """Questions that are right only if both the cosine and the reader's score are high, as chance will have it."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        found = Features(*rng.normal(size=len(NAMES)).tolist())
        both = 1 / (1 + np.exp(-1 - 3 * found.cosine)) / (1 + np.exp(1 - 2 * found.reader))
        rows.append(_Row(file, found, answerable, answerable and bool(rng.random() < both)))
    return rows


def test_both_factors_are_found_again() -> None:
    rows = rows_of(4000, "a", True, seed=1)
    weights = _fit_confidence(rows)
    assert weights["covered"]["cosine"] > 2
    assert weights["answered"]["reader"] > 1.5
    others = [abs(of[name]) for of in weights.values() for name in of if name not in ("bias", "cosine", "reader")]
    assert max(others) < 0.4
    sure = np.array([confidence(row.features, weights) for row in rows])
    right = np.array([row.right for row in rows])
    for low, high in ((0.0, 0.2), (0.2, 0.5), (0.5, 1.0)):  # a probability means what it says
        inside = (sure > low) & (sure <= high)
        assert right[inside].mean() == pytest.approx(sure[inside].mean(), abs=0.05)


def test_a_large_file_counts_no_more_than_a_small_one() -> None:
    few, many = rows_of(50, "few", True, seed=2), [*rows_of(500, "many", False, seed=3)]
    weights, again = _fit_confidence(few + many), _fit_confidence(few + many * 3)
    for factor, of in weights.items():
        assert of == pytest.approx(again[factor], abs=0.05)


def test_the_threshold_lets_so_many_of_each_files_questions_through() -> None:
    rows = rows_of(100, "a", False, seed=4) + rows_of(1000, "b", False, seed=5)
    weights = {"covered": {"bias": 0.0, "cosine": 1.0}}
    threshold = _threshold(rows, weights)
    through = [
        np.mean([confidence(row.features, weights) >= threshold for row in rows if row.file == file]) for file in "ab"
    ]
    assert np.mean(through) == pytest.approx(0.07, abs=0.01)
    assert _threshold([], weights) == 0.5
