"""Dates in figures and words: the day as stated, and nothing filled in."""

from __future__ import annotations

import datetime

import pytest

from index.reading.dates import read_date


@pytest.mark.parametrize(
    "words",
    """\
2014-03-30
2014-3-30
2014/03/30
20140330
2014-03-30T23:30:00-05:00
2014-03-30 2:43:37 -0400
2014-03-30T00:10:00.000Z
Sun, 30 Mar 2014 10:00:00 +0000
Sun Mar 30 10:00:00 UTC 2014
Sunday, 30 March 2014 10:00 EST
March 30, 2014
Published on Mar. 30th, 2014 at 10 a.m.
30th of March 2014, 10.30am
30-Mar-2014
2014-Mar-30
30/03/2014
03/30/2014 10:00
30.3.2014""".splitlines(),
)
def test_one_day_in_many_forms(words: str) -> None:
    assert read_date(words) == datetime.date(2014, 3, 30)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("03/04/2014", "may be either of two days"),
        ("3.4.2014", "may be either of two days"),
        ("30 March to 2 April 2014 or 3 April 2014", "states several dates"),
        ("March 2014", "is not a date"),
        ("30 March", "is not a date"),
        ("2014", "is not a date"),
        ("10:30", "is not a date"),
        ("30 March 14", "is not a date"),
        ("2014-02-30", "is not a date"),
        ("0001-01-01T00:00:00Z", "is not a date"),
        ("yesterday", "is not a date"),
        ("", "is not a date"),
    ],
)
def test_what_is_not_one_whole_day_is_refused(words: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{why}$"):
        read_date(words)


def test_the_same_figure_twice_is_one_day() -> None:
    assert read_date("03/03/2014") == datetime.date(2014, 3, 3)
