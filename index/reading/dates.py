"""Dates as articles state them, in figures or in words. A part that is not stated is never filled in."""

from __future__ import annotations

import datetime
import re

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_YEAR = r"[12]\d{3}"
_NTH = r"\d{1,2}(?:st|nd|rd|th)?"
_FORMS = (
    rf"(?P<year>{_YEAR})(?P<rule>[-/.])(?P<month>\d{{1,2}})(?P=rule)(?P<day>\d{{1,2}})",
    rf"(?P<year>{_YEAR})(?P<month>0\d|1[0-2])(?P<day>[0-3]\d)",
    rf"(?P<year>{_YEAR})[ -](?P<name>{MONTH})[ -](?P<day>{_NTH})",
    rf"(?P<day>{_NTH})(?: of)?[ -]?(?P<name>{MONTH}),?[ -]?(?P<year>{_YEAR})",
    rf"(?P<name>{MONTH}) ?(?P<day>{_NTH})(?:,? \d?\d:[\d:]+(?: [A-Z]{{3,4}})?)?,? ?(?P<year>{_YEAR})",
    rf"(?P<first>\d{{1,2}})(?P<rule>[-/.])(?P<second>\d{{1,2}})(?P=rule)(?P<year>{_YEAR})",
)
_DATES = tuple(re.compile(rf"(?<![\d/.-])(?<![^\W\d_]){form}(?![\d/])", re.IGNORECASE) for form in _FORMS)

_ZONES = "gmt utc est edt cst cdt mst mdt pst pdt et pt bst cet cest eet eest ist jst awst acst aest aedt nzst msk"
_STAMP = re.compile(
    rf"(?:{MONTH}|(?:mon|tue|tues|wed|wednes|thu|thur|thurs|fri|sat|satur|sun)(?:day)?\b\.?|(?<=\d)(?:st|nd|rd|th|h)\b"
    rf"|\d{{1,4}}\+? ?(?:seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|months?|years?)[ -](?:ago|read)\b"
    r"|(?:last|first|originally|date|dated|updated?|published|posted|modified|created|filed|issued|at|on|of|from)\b"
    rf"|(?:[ap]\.?m\b\.?|{'|'.join(_ZONES.split())}|today|yesterday|just now)(?![^\W\d_])|[TZ](?![^\W\d_])"
    r"|\d|[\s,.:;/|()+·•–—-])+",
    re.IGNORECASE,
)
_SAYS_WHEN = re.compile(r"\d|(?:last|first|updated|published|posted|modified)\b", re.IGNORECASE)


def read_date(words: str) -> datetime.date:
    """The one day that the words state, with or without a time, which may be in any zone: the day is kept as stated.

    Raises:
        ValueError: they state no whole date, or several, or one such as 03/04/2014, which may be either of two days.
            The message goes on from the words: "is not a date".
    """
    words = " ".join(words.split())
    days = {_day(match.groupdict()) for form in _DATES for match in form.finditer(words)}
    if len(days) != 1:
        raise ValueError("states several dates" if days else "is not a date")
    return days.pop()


def _day(parts: dict[str, str]) -> datetime.date:
    year = int(parts["year"])
    if "first" in parts:
        first, second = int(parts["first"]), int(parts["second"])
        if first != second and max(first, second) <= 12 and min(first, second) > 0:
            raise ValueError("may be either of two days")
        day, month = (first, second) if first > 12 else (second, first)
    else:
        day = int(parts["day"].rstrip("sthndrSTHNDR"))
        month = int(parts["month"]) if "month" in parts else _MONTHS.index(parts["name"][:3].lower()) + 1
    try:
        return datetime.date(year, month, day)
    except ValueError:
        raise ValueError("is not a date") from None


def is_stamp(line: str) -> bool:
    """Whether a line says when and nothing else: a date, a time, "Updated 10:30 GMT", "3 hours ago"."""
    if len(line) > 120 or (line.endswith(".") and not line.lower().endswith("m.")):
        return False
    return _STAMP.fullmatch(line) is not None and _SAYS_WHEN.search(line) is not None
