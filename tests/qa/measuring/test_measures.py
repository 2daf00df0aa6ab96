"""The measures, on small cases whose values are worked by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from qa.measuring.measures import (
    Bin,
    Difference,
    answered_at,
    answered_at_precision,
    auc,
    brier,
    by_group,
    calibration_error,
    exact_match,
    f1,
    mrr,
    normalise,
    paired_bootstrap,
    rank_of_gold,
    recall,
    reliability,
)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("the  Cat.", "cat"),
        ("U.S.", "us"),
        ("twenty-five", "twentyfive"),
        ("$3.4 million", "34 million"),
        ("Levi's Stadium", "levis stadium"),
        ("A man,\ta\n plan", "man plan"),
        ("an\u00a0Apple", "apple"),  # a no-break space is white space
        ("Theatre and another thing", "theatre and another thing"),  # articles are whole words
        ("the-end a.", "theend"),  # punctuation goes first
        ("a.n.", ""),  # and what it leaves may be an article
        ("“The end”", "“ end”"),  # curly quotation marks stay, and are no part of a word
        ("Levi’s", "levi’s"),
        ("“the”", "“ ”"),  # a space stands where an article stood
        ("24–10", "24–10"),
        ("the—a", "—"),
        ("The", ""),
        ("", ""),
    ],
)
def test_texts_are_normalised_as_in_the_official_script(text: str, normal: str) -> None:
    assert normalise(text) == normal


def test_an_exact_match_is_one_with_any_gold_once_both_are_normalised() -> None:
    assert exact_match("the U.S.", ["United States", "US"]) == 1
    assert exact_match("cat", ["the  Cat."]) == 1
    assert exact_match("U S", ["U.S."]) == 0
    assert exact_match("24-10", ["24–10"]) == 0
    assert exact_match("Broncos", ["Denver Broncos"]) == 0


def test_f1_is_of_the_gold_that_agrees_best() -> None:
    golds = [  # of SQuAD's question where Super Bowl 50 took place
        "Santa Clara, California",  # 2 of 3 words shared with 5: 4 / 8
        "Levi's Stadium",  # 2 of 2: 4 / 7
        "Levi's Stadium in the San Francisco Bay Area at Santa Clara, California.",  # 5 of 11 without "the": 10 / 16
    ]
    assert f1("Levi's Stadium in Santa Clara", golds) == 10 / 16
    assert f1("Levi's Stadium in Santa Clara", golds[:2]) == 4 / 7
    assert f1("Levi's Stadium in Santa Clara", golds[:1]) == 4 / 8
    assert f1("a cloud", ["within a cloud"]) == pytest.approx(2 / 3)  # precision 1, recall 1/2
    assert f1("graupel", ["gravity"]) == 0


def test_f1_counts_a_repeated_word_as_often_as_both_have_it() -> None:
    assert f1("no no no", ["no"]) == 2 * 1 / (3 + 1)
    assert f1("no no no", ["no, no!"]) == 2 * 2 / (3 + 2)
    assert f1("Clara Santa", ["Santa Clara"]) == 1  # a bag has no order
    assert f1("“no”", ["no"]) == 0


@pytest.mark.parametrize("measure", [exact_match, f1])
def test_only_silence_answers_the_unanswerable(measure: Callable[[str, list[str]], float]) -> None:
    assert measure("", []) == 1
    assert measure("", [""]) == 1
    assert measure("the", []) == 1  # nothing is left of it
    assert measure("France", []) == 0
    assert measure("", ["France"]) == 0
    assert measure("", ["France", "the"]) == 0  # a gold of which nothing is left is none
    assert measure("", ["the"]) == 1


def test_recall_and_mrr() -> None:
    ranks = [1, 2, 4, math.inf]
    assert recall(ranks, 1) == 0.25
    assert recall(ranks, 5) == 0.75
    assert mrr(ranks) == (1 + 1 / 2 + 1 / 4 + 0) / 4
    assert math.isnan(recall([], 1))
    assert math.isnan(mrr([]))


def test_ties_count_against_us() -> None:
    gold = np.array([False, True, False, False])
    assert rank_of_gold(np.array([0.9, 0.5, 0.5, 0.1]), gold) == 3
    assert rank_of_gold(np.array([0.1, 0.5, 0.4, 0.1]), gold) == 1
    assert rank_of_gold(np.array([0.9, 0.5, 0.5, 0.1]), np.zeros(4, bool)) == math.inf
    assert rank_of_gold(np.array([0.9, 0.5, 0.8]), np.array([False, True, True])) == 2  # the best of several


def test_auc_is_the_chance_of_the_right_order() -> None:
    assert auc([0.9, 0.8], [0.1, 0.2]) == 1.0
    assert auc([0.9, 0.1], [0.5]) == 0.5
    assert auc([0.5], [0.5]) == 0.5
    assert math.isnan(auc([], [0.5]))


def test_answered_at_a_share_of_false_answers() -> None:
    wrong = [i / 100 for i in range(100)]  # 0.00 … 0.99
    assert answered_at([0.995, 0.985, 0.5], wrong, 0.01) == pytest.approx(2 / 3)
    assert answered_at([0.995, 0.945, 0.5], wrong, 0.05) == pytest.approx(2 / 3)
    assert answered_at([0.995], wrong, 0.0) == 1.0


def test_answered_at_precision_is_the_largest_share_that_is_precise_enough() -> None:
    sure = [0.2, 0.9, 0.5, 0.8, 0.4]
    right = [False, True, True, False, True]
    # Surest first: right, wrong, right, right, wrong; precision 1, 1/2, 2/3, 3/4, 3/5.
    assert answered_at_precision(sure, right, 1.0) == 1 / 5
    assert answered_at_precision(sure, right, 0.75) == 4 / 5  # though fewer of them are not precise enough
    assert answered_at_precision(sure, right, 0.6) == 1
    assert answered_at_precision(sure, right, 0.76) == 1 / 5
    assert answered_at_precision([*sure, 0.1], [*right, False], 0.75) == 4 / 6  # a share of all of them
    assert answered_at_precision(np.linspace(1, 0, 20), [True] * 9 + [False] * 11) == 10 / 20  # of nine tenths
    # Questions of one confidence are answered together or not at all, and perhaps none.
    assert answered_at_precision([0.9, 0.5, 0.5, 0.5], [True, True, True, False], 0.9) == 1 / 4
    assert answered_at_precision([0.9, 0.5, 0.5, 0.5], [True, False, True, True], 0.75) == 1
    assert answered_at_precision([0.5, 0.5], [True, False], 0.9) == 0
    assert answered_at_precision([0.9, 0.8], [False, True], 0.9) == 0
    assert math.isnan(answered_at_precision([], []))


def test_brier_is_the_mean_squared_distance_to_the_outcome() -> None:
    assert brier([1.0, 0.5, 0.25], [True, False, True]) == pytest.approx((0 + 0.25 + 0.5625) / 3)
    assert brier([1.0, 0.0], [False, True]) == 1
    assert math.isnan(brier([], []))


def test_reliability_is_by_bins_that_hold_their_upper_edge() -> None:
    assert reliability([0.0, 0.3, 0.25, 0.31, 1.0], [False, True, False, True, True]) == [
        Bin(0.0, 0.1, 1, 0.0, 0.0),
        Bin(0.2, 0.3, 2, 0.275, 0.5),
        Bin(0.3, 0.4, 1, 0.31, 1.0),
        Bin(0.9, 1.0, 1, 1.0, 1.0),
    ]
    assert reliability([0.5, 0.75], [True, False], bins=2) == [Bin(0.0, 0.5, 1, 0.5, 1.0), Bin(0.5, 1.0, 1, 0.75, 0.0)]
    assert reliability([0.2, 0.6], [True, False], bins=1) == [Bin(0.0, 1.0, 2, 0.4, 0.5)]
    assert reliability([], []) == []


@pytest.mark.parametrize("tenth", range(1, 11))
def test_every_tenth_is_in_the_bin_below_it(tenth: int) -> None:
    (only,) = reliability([tenth / 10], [True])
    assert (only.low, only.high) == ((tenth - 1) / 10, tenth / 10)


def test_the_calibration_error_weighs_each_bin_by_its_count() -> None:
    sure = [0.75, 0.75, 0.75, 0.25]
    right = [True, True, False, True]
    # Above .5: three, |3/4 - 2/3| = 1/12. Below: one, |1/4 - 1| = 3/4. (3 · 1/12 + 3/4) / 4 = 1/4.
    assert calibration_error(sure, right, bins=2) == pytest.approx(1 / 4)
    assert calibration_error(sure, right, bins=1) == pytest.approx(abs(2.5 / 4 - 3 / 4))
    assert calibration_error([1.0, 0.0], [True, False]) == 0
    assert math.isnan(calibration_error([], []))


def test_the_bootstrap_sees_a_clear_win() -> None:
    before, after = np.zeros(200), np.r_[np.ones(60), np.zeros(140)]
    found = paired_bootstrap(before, after)
    assert found.mean == pytest.approx(0.3)
    assert 0 < found.low < found.mean < found.high


def test_the_interval_is_that_of_95_percent() -> None:
    # 60 wins, 40 losses: mean .2, standard error sqrt(1 - .2²) / 10 = .098; .2 ± 1.96 · .098 = .008 … .392.
    found = paired_bootstrap([0] * 60 + [1] * 40, [1] * 60 + [0] * 40)
    assert found.mean == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.008, 0.392), abs=0.021)


def test_the_bootstrap_makes_nothing_of_noise_and_compares_questions_with_themselves() -> None:
    before, after = np.random.default_rng(1).random((2, 300))
    found = paired_bootstrap(before, after)
    assert found.low < 0 < found.high
    assert found.low < found.mean < found.high
    found = paired_bootstrap(before, before + 0.01)  # they spread far more than what is gained
    assert (found.low, found.high) == pytest.approx((0.01, 0.01))
    assert paired_bootstrap([1, 0, 0.5], [1, 0, 0.5]) == Difference(0, 0, 0)
    single = paired_bootstrap([0], [1])
    assert (single.mean, math.isnan(single.low), math.isnan(single.high)) == (1, True, True)


def test_a_seed_gives_the_same_result_and_another_another() -> None:
    before, after = np.random.default_rng(4).random((2, 50))
    assert paired_bootstrap(before, after, 100, seed=5) == paired_bootstrap(before, after, 100, seed=5)
    assert paired_bootstrap(before, after, 100, seed=5) != paired_bootstrap(before, after, 100, seed=6)


@pytest.mark.parametrize(("one", "other"), [([], []), ([0.5, math.nan], [1, 1]), ([0.5, 1], [1, math.inf])])
def test_what_cannot_be_compared_is_nan(one: list[float], other: list[float]) -> None:
    found = paired_bootstrap(one, other)
    assert all(map(math.isnan, (found.mean, found.low, found.high)))


@pytest.mark.parametrize("measure", [brier, reliability, calibration_error, answered_at_precision, paired_bootstrap])
@pytest.mark.parametrize(("one", "other"), [([0.5, 0.5], [1]), ([0.5], [1, 1]), (0.5, 1), ([[0.5]], [[1]])])
def test_values_of_different_questions_are_refused(
    measure: Callable[[object, object], object], one: object, other: object
) -> None:
    with pytest.raises(ValueError, match="two values for each question"):
        measure(one, other)


def test_groups_keep_the_order_in_which_they_appear() -> None:
    found = by_group(["who", "when", "who", "how many"], [1, 0.5, 0, True])
    assert list(found.items()) == [("who", (2, 0.5)), ("when", (1, 0.5)), ("how many", (1, 1.0))]
    assert by_group([], []) == {}
    with pytest.raises(ValueError, match="zip"):
        by_group(["who"], [1, 0])
