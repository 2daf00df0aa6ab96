"""Markup is read through: what a piece of an article says, without its marks, and where each character stands.

markdown-it-py gives no places within a line, so the marks are found here: links are read by their words, images and
template tags not at all. Entities, soft hyphens and words broken at line ends are read through in any text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

Span = tuple[int, int]

_TARGET = r"\([^()\n]{0,1000}(?:\([^()\n]{0,300}\)[^()\n]{0,300})?\)"
_ANYWHERE = r"""
    (?P<entity> &(?:\#\d{1,7}|\#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30}); )
  | (?P<break> (?<=[^\W\d_])-\n[ \t]*(?=[a-z]) )
  | [\u00ad\u200b\u200c\u200d\ufeff]+\n?
"""
_MARKDOWN = rf"""
  | !\[[^\]\n]{{0,500}}\]{_TARGET} (?:\{{:[^{{}}\n]{{0,200}}\}})?
  | \[ (?= (?:[^\[\]\n]|\n(?!\n)){{1,500}} \](?:{_TARGET}|\[[^\]\n]{{0,100}}\]) )
  | \]{_TARGET}  |  (?<=[^\s\[])\]\[[^\]\n]{{0,100}}\]
  | \{{\{{[^{{}}]{{0,2000}}\}}\}}  |  \{{%.{{0,300}}?%\}}  |  \{{:[^{{}}\n]{{0,200}}\}}
  | <!--(?:.|\n){{0,2000}}?-->  |  </?(?![A-Za-z][\w+.-]*:|[^\s<>]*@)[A-Za-z][^<>]{{0,2000}}>
  | \*\*+  |  (?<![\w*])\*(?=[^\s*])  |  (?<=[^\s*])\*(?![\w*])
  | (?<!\w)_{{1,2}}(?=[^\s_])  |  (?<=[^\s_])_{{1,2}}(?!\w)
  | ~~  |  `+  |  \\(?=[!-/:-@\[-`{{-~])
"""
_IN_TEXT = re.compile(_ANYWHERE, re.VERBOSE)
_IN_MARKDOWN = re.compile(_ANYWHERE + _MARKDOWN, re.VERBOSE)
_SIGNS = re.compile(r"[&\u00ad\u200b\u200c\u200d\ufeff]|-\n")
_MARKDOWN_SIGNS = re.compile(_SIGNS.pattern + r"|[\[\]{}<*_~`\\]")
"""Text without any of these has no marks."""


@dataclass(frozen=True, slots=True)
class Readable:
    """A piece of a text as it is read. Each character that is read stands for some characters of the file."""

    text: str
    place: Span
    """The piece of the text."""
    pieces: tuple[tuple[int, int, int, int], ...]
    """Start and end of each piece in what is read, and in the file. Pieces without marks are equally long in both."""

    def in_file(self, span: Span) -> Span:
        """Where a span of what is read stands in the file. It must not be empty."""
        return self._there(span[0], 0), self._there(span[1], 1)

    def in_text(self, span: Span) -> Span:
        """Where a span of the file stands in what is read. Marks at its ends are left out."""
        return self._here(span[0]), self._here(span[1])

    def _there(self, at: int, last: int) -> int:
        """The file's place of a start (``last`` 0) or of an end (``last`` 1)."""
        for low, high, start, end in self.pieces:
            if low <= at - last < high:
                return start + at - low if high - low == end - start else (start, end)[last]
        return self.place[last]

    def _here(self, place: int) -> int:
        for low, high, start, end in self.pieces:
            if place < end:
                return max(low, low + place - start) if high - low == end - start else low
        return len(self.text)


def is_markdown(path: str) -> bool:
    """Whether a file is Markdown, by its name."""
    return path.lower().endswith(".md")


def read_through(text: str, start: int, end: int, markdown: bool) -> Readable:
    """What ``text[start:end]`` says.

    Args:
        text: of an article.
        start: where the piece begins, best at a sentence.
        end: where it ends.
        markdown: whether the article is Markdown.
    """
    said: list[str] = []
    pieces: list[tuple[int, int, int, int]] = []
    length, at = 0, start
    for first, last, instead in marks(text, start, end, markdown):
        for low, high, words in ((at, first, text[at:first]), (first, last, instead)):
            if words:
                said.append(words)
                pieces.append((length, length + len(words), low, high))
                length += len(words)
        at = last
    if at < end:
        said.append(text[at:end])
        pieces.append((length, length + end - at, at, end))
    return Readable("".join(said), (start, end), tuple(pieces))


def marks(text: str, start: int, end: int, markdown: bool) -> Iterator[tuple[int, int, str]]:
    """Start, end and reading of what is not read as it stands in ``text[start:end]``, in order."""
    if not (_MARKDOWN_SIGNS if markdown else _SIGNS).search(text, start, end):
        return
    for match in (_IN_MARKDOWN if markdown else _IN_TEXT).finditer(text, start, end):
        instead = ""
        if match["entity"]:
            instead = html.unescape(match.group())
            if instead == match.group():
                continue  # no entity
        elif match["break"]:
            instead = "" if _is_written(text, match) else "-"
        yield match.start(), match.end(), instead


def _is_written(text: str, broken: re.Match[str]) -> bool:
    """Whether a word that is broken at a line's end also stands unbroken in the text."""
    before = re.search(r"[^\W\d_]+$", text[max(0, broken.start() - 40) : broken.start()])
    after = re.match(r"[^\W\d_]+", text[broken.end() : broken.end() + 40])
    return bool(before and after) and before.group() + after.group() in text  # type: ignore[union-attr]


def blanked(text: str, start: int, end: int, markdown: bool) -> str:
    """``text[start:end]`` with its marks replaced by spaces, so that all places stay."""
    piece, at = [], start
    for first, last, _ in marks(text, start, end, markdown):
        piece += [text[at:first], " " * (last - first)]
        at = last
    return "".join([*piece, text[at:end]])
