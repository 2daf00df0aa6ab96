"""Lists and tables in a text: what an item or a row belongs to.

All offsets point into the text. Only the lines around a place are looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Span = tuple[int, int]

_ITEM = re.compile(r"[ \t]*(?:(?P<bullet>[-*+•–])|(?P<number>\(?(?:\d{1,3}|[a-z])[.)]))[ \t]+(?=\S)")
_CELLS = re.compile(r"\S(?:[ \t]{2,}|\t| *\| *)\S")
_RULE = re.compile(r"[ \t|:+=-]*-{2,}[ \t|:+=-]*")
_MOST_LINES = 200
"""The most lines of a list or table in each direction."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A list: "The following streets are closed:" and the streets."""

    lead_in: Span | None
    """The line above the first item."""
    items: tuple[Span, ...]
    """Without their marks, with their further lines."""


def list_at(text: str, at: int, floor: int = 0) -> Listing | None:
    """The list of which an item, or the line above the first item, holds an offset; None if there is none.

    Blank lines may stand between the items, but not two. A line that is no item belongs to the one above it.

    Args:
        text: of an article.
        at: the offset.
        floor: where the body begins.
    """
    lines = _lines_around(text, at, floor)
    here = next((n for n, (start, end) in enumerate(lines) if start <= at <= end), None)
    if here is None:
        return None
    first = _item_above(text, lines, here)
    if first is None:  # the line above a list?
        first = next((n for n in range(here + 1, min(here + 3, len(lines))) if not _is_blank(text, lines[n])), None)
        if first is None or not _ITEM.match(text, *lines[first]):
            return None
    kind = _kind(text, lines[first])
    begin = first
    while (above := _item_above(text, lines, _skip_blank(text, lines, begin - 1, -1))) is not None:
        if _kind(text, lines[above]) != kind:
            break
        begin = above
    items, n = [], begin
    while n < len(lines) and (mark := _ITEM.match(text, *lines[n])) and _kind(text, lines[n]) == kind:
        last = n
        while (
            last + 1 < len(lines) and not _is_blank(text, lines[last + 1]) and not _ITEM.match(text, *lines[last + 1])
        ):
            last += 1
        items.append((mark.end(), lines[last][0] + len(text[slice(*lines[last])].rstrip())))
        n = _skip_blank(text, lines, last + 1, 1)
    over = _skip_blank(text, lines, begin - 1, -1)
    lead_in = _trimmed(text, lines[over]) if 0 <= over < len(lines) else None
    if lead_in and _CELLS.search(text, *lead_in):
        lead_in = None  # a row of a table
    return Listing(lead_in, tuple(items)) if len(items) > 1 else None


def context_above(text: str, at: int, floor: int = 0) -> Span | None:
    """What an item of a list or a row of a table needs to be understood: the line above the list, the table's header.

    None for other text, for the header itself, and if there is no such line.
    """
    listing = list_at(text, at, floor)
    if listing and listing.lead_in and at >= listing.lead_in[1]:
        return listing.lead_in
    lines = _lines_around(text, at, floor)
    here = next((n for n, (start, end) in enumerate(lines) if start <= at <= end), 0)
    first = here
    while first > 0 and (_CELLS.search(text, *lines[first - 1]) or _RULE.fullmatch(text, *lines[first - 1])):
        first -= 1
    if first == here or not _CELLS.search(text, *lines[here]):
        return None
    return _trimmed(text, lines[first])


def _lines_around(text: str, at: int, floor: int) -> list[Span]:
    """Spans of the lines around an offset, without their newlines."""
    start = max(floor, text.rfind("\n", 0, at) + 1)
    lines: list[Span] = []
    begin = start
    while begin > floor and len(lines) < _MOST_LINES:
        before = max(floor, text.rfind("\n", 0, begin - 1) + 1)
        lines.insert(0, (before, begin - 1))
        begin = before
    end = start
    for _ in range(_MOST_LINES):
        newline = text.find("\n", end)
        lines.append((end, len(text) if newline < 0 else newline))
        if newline < 0:
            break
        end = newline + 1
    return lines


def _item_above(text: str, lines: list[Span], n: int) -> int | None:
    """The line with the mark of the item that a line belongs to; None if it belongs to none."""
    while 0 <= n < len(lines) and not _is_blank(text, lines[n]):
        if _ITEM.match(text, *lines[n]):
            return n
        n -= 1
    return None


def _skip_blank(text: str, lines: list[Span], n: int, step: int) -> int:
    return n + step if 0 <= n < len(lines) and _is_blank(text, lines[n]) else n


def _is_blank(text: str, line: Span) -> bool:
    return not text[slice(*line)].strip()


def _kind(text: str, line: Span) -> str | None:
    mark = _ITEM.match(text, *line)
    return mark.lastgroup if mark else None


def _trimmed(text: str, line: Span) -> Span | None:
    piece = text[slice(*line)]
    start, end = line[0] + len(piece) - len(piece.lstrip()), line[0] + len(piece.rstrip())
    return (start, end) if start < end else None
