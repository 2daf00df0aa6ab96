"""Days in words: what a weekday means beside its article's date, and the time that a question names."""

from __future__ import annotations

import datetime

import pytest

from index.storage.rows import Restriction
from qa.days import period, resolve

DAY = datetime.date.fromisoformat
WEDNESDAY = DAY("2023-07-05")


@pytest.mark.parametrize(
    ("words", "sentence", "day"),
    [
        ("on Tuesday", "The council met on Tuesday.", "2023-07-04"),
        ("Wednesday", "It rained on Wednesday.", "2023-07-05"),
        ("Friday", "The court will rule on Friday.", "2023-07-07"),
        ("From Monday", "From Monday she is acting mayor.", "2023-07-10"),
        ("last Wednesday", "He heard of it last Wednesday.", "2023-06-28"),
        ("next Wednesday", "They meet next Wednesday.", "2023-07-12"),
        ("Friday of next week", "She will be sworn in on Friday of next week.", "2023-07-14"),
        ("yesterday", "She died yesterday.", "2023-07-04"),
        ("14 May", "The vote of 14 May was close.", "2023-05-14"),
        ("January 3rd", "The tunnel opened on January 3rd.", "2023-01-03"),
        ("29 December", "It snowed on 29 December.", "2022-12-29"),
        ("1 January 2026", "The law starts on 1 January 2026.", "2026-01-01"),
    ],
)
def test_a_day_in_words_is_one_of_the_calendar(words: str, sentence: str, day: str) -> None:
    assert resolve(words, WEDNESDAY, sentence) == DAY(day)


@pytest.mark.parametrize("words", ["in May 2023", "two weeks ago", "31 June", "the monday club"[:3], ""])
def test_what_is_not_a_day_stays_words(words: str) -> None:
    assert resolve(words, WEDNESDAY, words) is None


def test_without_the_articles_date_only_a_whole_date_is_one() -> None:
    assert resolve("Tuesday", None, "On Tuesday it rained.") is None
    assert resolve("14 May", None, "On 14 May it rained.") is None
    assert resolve("14 May 2023", None, "On 14 May 2023 it rained.") == DAY("2023-05-14")


@pytest.mark.parametrize(
    ("question", "since", "until"),
    [
        ("What do you have from February 2024?", "2024-02-01", "2024-02-29"),
        ("what happened in july 2022", "2022-07-01", "2022-07-31"),
        ("articles about storms in 2021", "2021-01-01", "2021-12-31"),
    ],
)
def test_a_month_or_a_year_is_a_period(question: str, since: str, until: str) -> None:
    assert period(question) == Restriction(DAY(since), DAY(until))


def test_other_numbers_are_not_a_period() -> None:
    assert period("Who owns the 2022 houses in May Street?") is None
