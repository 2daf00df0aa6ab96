"""Clippings: the windows of text that the reader reads, each the header of an article and one of its passages.

A passage from the middle of a long article says "he" or "the project". The header and the text before the passage
say who and which, and when and by whom the article was written. A clipping is made of slices of the article's
text, so each span of it can be found in the article again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from index.encoding.windows import PassageText
from index.reading.articles import Article
from index.reading.header import states
from index.reading.markup import Readable
from qa.bounds import Span

MAX_HEADER_CHARS = 240
"""Of a longer header, only the lines with title, date, author and source are used."""
BEFORE = 250
"""About how many characters before a passage are read with it. They do not answer: they tell who "he" is."""
_RULE = re.compile(r"-{3,}|\.{3}|\+{3}|={2,}")
_LINE = re.compile(r"\S(?:[^\n]*\S)?")


@dataclass(frozen=True, slots=True)
class Clipping:
    """A window of text, and where its parts are in the article."""

    window: PassageText
    """Its sentences are first the lines of the header, then the sentences of the passage."""
    lines: int
    """The number of lines of the header."""
    pieces: tuple[tuple[int, Readable], ...]
    """The slices of the article, each with its start in the window. The passage, with what is before it, is the last
    one."""

    def in_article(self, span: Span) -> Span:
        """Convert a span of the window to one of the article's text.

        A span that crosses the end of a piece is cut there.

        Raises:
            ValueError: the span is only the line break between two pieces.
        """
        for start, piece in self.pieces:
            low, high = max(span[0], start), min(span[1], start + len(piece.text))
            if low < high:
                return piece.in_file((low - start, high - start))
        raise ValueError(f"{span} is not in the article")

    def in_window(self, span: Span) -> Span | None:
        """Convert a span of the article's text to one of the window, or None if it is not all in one piece."""
        for start, piece in self.pieces:
            if piece.place[0] <= span[0] and span[1] <= piece.place[1]:
                low, high = piece.in_text(span)
                return low + start, high + start
        return None


def clip(article: Article, passage: Span, sentences: Sequence[Span] = ()) -> Clipping:
    """Make the clipping of a passage.

    Args:
        article: with its header.
        passage: a span of the article's body.
        sentences: the sentences of the passage that may answer, as spans of the article's text.
    """
    header = _header(article)
    lines = [line for start, end in header for line in _lines(article.text, start, end)]
    text, pieces = "", []
    for start, end in [*header, (_before(article, passage[0]), passage[1])]:
        pieces.append((len(text), article.through(start, end)))
        text += f"{pieces[-1][1].text}\n"
    clipping = Clipping(PassageText(text.removesuffix("\n"), ()), len(lines), tuple(pieces))
    spans = [clipping.in_window(span) or (0, 0) for span in [*lines, *sentences]]
    return replace(clipping, window=PassageText(clipping.window.text, tuple(spans)))


def _before(article: Article, passage: int) -> int:
    """Where the text that is read before a passage begins: at the body's first word, or after a white space."""
    low = max(article.body_start, passage - BEFORE)
    text = article.text[low:passage]
    if low > article.body_start and not article.text[low - 1].isspace():
        text = text[len(text.split(maxsplit=1)[0]) :] if text.strip() else ""
    return passage - len(text.lstrip())


def _header(article: Article) -> list[Span]:
    """The slices of the header: the whole header if it is short, otherwise the lines that are kept."""
    head = article.text[: article.body_start]
    start, end = len(head) - len(head.lstrip()), len(head.rstrip())
    if end - start <= MAX_HEADER_CHARS:
        return [(start, end)] if start < end else []
    pieces: list[Span] = []
    left, kept = MAX_HEADER_CHARS, False
    for low, high in _lines(head, start, end):
        titled = low < article.title_end and article.title_start < high
        below = head[low - 1 : low] in (" ", "\t") or head.startswith("- ", low)  # continues the line above
        kept = titled or states(head[low:high]) or (kept and below)
        if kept and (titled or high - low <= left):
            pieces.append((low, min(high, low + left)))
            left -= pieces[-1][1] - low
    return [(low, high) for low, high in pieces if low < high]


def _lines(text: str, start: int, end: int) -> list[Span]:
    """The lines between two places, without blank lines, rules, and white space at the ends."""
    return [match.span() for match in _LINE.finditer(text, start, end) if not _RULE.fullmatch(match.group())]
