"""Days in words: what a weekday in an article means, and the span of time that a question names.

Calendar arithmetic is python-dateutil's.
"""

from __future__ import annotations

import datetime
import re

from index.storage.rows import Restriction

_WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
MONTHS = "january february march april may june july august september october november december".split()
_WEEKDAY = re.compile(rf"\b(?:({'|'.join(_WEEKDAYS)}))\b", re.IGNORECASE)
_MONTH = rf"(?:{'|'.join(MONTHS)})"
_DAY_OF_MONTH = re.compile(
    rf"\b(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<month>{_MONTH})"
    rf"|(?P<month2>{_MONTH})\s+(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?)\b(?:,?\s+(?P<year>(?:19|20)\d\d))?",
    re.IGNORECASE,
)
_ISO = re.compile(r"\b\d{4}-\d\d-\d\d\b")
_NEAR = {"today": 0, "tonight": 0, "this morning": 0, "yesterday": -1, "last night": -1, "tomorrow": 1}
_NEAR_DAY = re.compile(rf"\b(?:{'|'.join(_NEAR)})\b", re.IGNORECASE)
_TO_COME = re.compile(
    r"\b(?:will|shall|would|to be|is to|are to|was to|were to|due|from|until|by|next|expected|expects|forecast|planned"
    r"|scheduled|set to|begins?|starts?|opens?|takes? place|resumes?)\b",
    re.IGNORECASE,
)
_PERIOD = re.compile(
    rf"\b(?:in|from|of|during|since|until|before|after|for)\s+(?:(?P<month>{_MONTH})\s+)?(?P<year>(?:19|20)\d\d)\b",
    re.IGNORECASE,
)


def resolve(words: str, published: datetime.date | None, sentence: str) -> datetime.date | None:
    """The day that words of an article mean, such as "Friday" or "14 May"; None if they do not name one.

    Args:
        words: the exact answer.
        published: the article's date. Without it, only a day with its year is resolved.
        sentence: tells whether a weekday is to come or has passed.
    """
    clause = next((part for part in re.split(r"[,;:—–]", sentence) if words in part), sentence)
    to_come = _TO_COME.search(clause) is not None
    iso = _ISO.search(words)
    if iso:
        try:
            return datetime.date.fromisoformat(iso.group())
        except ValueError:
            return None
    named = _DAY_OF_MONTH.search(words)
    if named:
        return _day_of_month(named, published, to_come)
    if published is None:
        return None
    near = _NEAR_DAY.search(words)
    if near:
        return published + datetime.timedelta(days=_NEAR[near.group().lower()])
    weekday = _WEEKDAY.search(words)
    return _weekday(weekday.group().lower(), f"{words} {sentence}".lower(), published, to_come) if weekday else None


def _day_of_month(named: re.Match[str], published: datetime.date | None, to_come: bool) -> datetime.date | None:
    """A day of a month; without a year, the last or the next one beside the article's date."""
    month = MONTHS.index((named["month"] or named["month2"]).lower()) + 1
    years = [int(named["year"])] if named["year"] else []
    if not years and published is not None:
        years = [published.year - 1, published.year, published.year + 1]
    days = []
    for year in years:
        try:
            days.append(datetime.date(year, month, int(named["day"] or named["day2"])))
        except ValueError:  # 30 February
            continue
    if named["year"] or published is None:
        return days[0] if days else None
    if to_come:
        return min((day for day in days if day >= published), default=None)
    return max((day for day in days if day <= published), default=None)


def _weekday(name: str, around: str, published: datetime.date, to_come: bool) -> datetime.date:
    from dateutil.relativedelta import relativedelta, weekday  # late: few questions ask when

    number = _WEEKDAYS.index(name)
    if re.search(rf"\b{name} of next week\b|\bnext week on {name}\b", around):
        step = relativedelta(weeks=1, days=number - published.weekday())
    elif re.search(rf"\blast {name}\b", around):
        step = relativedelta(days=-1, weekday=weekday(number, -1))
    elif re.search(rf"\bnext {name}\b", around):
        step = relativedelta(days=1, weekday=weekday(number, 1))
    else:
        step = relativedelta(weekday=weekday(number, 1 if to_come else -1))
    day: datetime.date = published + step
    return day


def period(question: str) -> Restriction | None:
    """The month or year of articles that a question names, such as "from February 2024"; None if it names none."""
    named = _PERIOD.search(question)
    if not named:
        return None
    from dateutil.relativedelta import relativedelta  # late: as above

    month = MONTHS.index(named["month"].lower()) + 1 if named["month"] else None
    first = datetime.date(int(named["year"]), month or 1, 1)
    return Restriction(first, first + relativedelta(months=1 if month else 12, days=-1))
