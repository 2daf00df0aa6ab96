"""Read one article file into an Article: decoding, newlines and the header."""

from __future__ import annotations

import datetime
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from index.errors import ArticleError, blamed_on

SUFFIXES = (".txt", ".md")
_ENCODINGS = (
    "cp1252 cp1250 cp1251 cp1253 cp1254 cp1255 cp1256 cp1257 koi8_r mac_roman shift_jis euc_jp gb18030 big5 euc_kr "
    "utf_16"
).split()
"""Encodings to try when a text is not UTF-8. The first is the most common, but a short text rarely proves it."""
UNDATED = " Kept without a date."
"""The end of the warning about a date that cannot be read."""
MAX_BYTES = 4_000_000
"""Larger files are refused: 4 MB of news is an archive, to be split into articles."""

MAX_TITLE_CHARS = 200
MAX_SENTENCE_TITLE_CHARS = 110
"""A first line that ends like a sentence is a title only up to this length. A longer one is the lead."""
_KEYS = ("title", "date", "source", "url", "author")
_KEY_LINE = re.compile(r"[ \t]*([A-Za-z][\w -]{0,30}?)[ \t]*:(?:[ \t]+(.*))?$")
_DATE_LINE = re.compile(r"[ \t]*date[ \t]*:?[ \t]+(\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4})(?=[ \t]|$)[ \t]*", re.IGNORECASE)
_SEVERAL_SENTENCES = re.compile(r"[a-z)”’\"][.!?][\"'”’)]* +\S.*[.!?]$")
_MAX_FRONT_MATTER_LINES = 40


@dataclass(frozen=True, slots=True)
class Article:
    """A whole article file, decoded once. Every offset in the project points into ``text``.

    ``text`` is the entire file. Newlines are normalised to ``\\n``; nothing else is changed.
    ``text[title_start:title_end]`` is the title, an empty span if there is none.
    ``text[body_start:]`` is the body. A field that the file does not state is ``None``, never guessed.
    """

    path: str
    """Path relative to the corpus folder, with forward slashes."""
    text: str
    title_start: int = 0
    title_end: int = 0
    body_start: int = 0
    date: datetime.date | None = None
    source: str | None = None
    url: str | None = None
    author: str | None = None
    hash: str = ""
    """SHA-256 of the file's bytes, in hexadecimal."""
    warning: str | None = None
    """What could not be read in the header, as a message to show. The article is kept."""
    id: int | None = None
    """The id of this article in the index; ``None`` until stored. Never reused."""

    @property
    def title(self) -> str:
        """The stated title, or the file's name if there is none."""
        stated = " ".join(self.text[self.title_start : self.title_end].split())
        return stated or Path(self.path).stem


@dataclass(slots=True)
class _Header:
    """The header fields read so far. Offsets point into the article's text."""

    title_start: int = 0
    title_end: int = 0
    body_start: int = 0
    date: datetime.date | None = None
    source: str | None = None
    url: str | None = None
    author: str | None = None
    warning: str | None = None

    def set_title(self, start: int, end: int) -> None:
        self.title_start, self.title_end = start, end

    def set_date(self, value: str, where: str) -> None:
        try:
            self.date = datetime.date.fromisoformat(value)
        except ValueError:
            self.warning = f"{where}: {value[:40]!r} is not a date; write it as YYYY-MM-DD.{UNDATED}"

    def set_key(self, key: str, value: str, start: int, where: str) -> None:
        """Store one ``key: value`` pair. The value begins at ``start``; quotes around it are dropped."""
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value, start = value[1:-1], start + 1
        if not value:
            return
        if key == "title":
            self.set_title(start, start + len(value))
        elif key == "date":
            self.set_date(value, where)
        elif key == "source":
            self.source = value
        elif key == "url":
            self.url = value
        elif key == "author":
            self.author = value


def read_article(path: Path, name: str | None = None) -> Article:
    """Read one article file.

    Args:
        path: the file, ``.txt`` or ``.md``, of at most ``MAX_BYTES`` bytes.
        name: the path to record in the article; ``path.name`` if left out.

    Raises:
        ArticleError: the file is missing, empty, too large or binary, or its text or its name is in an
            unknown encoding. The message names the file and the fix.
    """
    name = name if name is not None else path.name
    return parse_article(read_bytes(path, name), name)


def read_bytes(path: Path, name: str) -> bytes:
    """The bytes of one article file. Raises ArticleError as ``read_article`` does."""
    shown = name.encode("utf-8", "backslashreplace").decode()
    if shown != name:
        raise ArticleError(f"{shown}: the file's name is not in UTF-8; rename the file.")
    try:
        if not path.is_file():
            why = "the link points to nothing" if path.is_symlink() and not path.exists() else "there is no such file"
            raise ArticleError(f"{name}: {why}.")
        _refuse_too_large(path.stat().st_size, name)
        return path.read_bytes()
    except OSError as error:
        raise ArticleError(f"{name}: cannot be read ({error.strerror or error}).") from error


def _refuse_too_large(size: int, name: str) -> None:
    if size > MAX_BYTES:
        raise ArticleError(
            f"{name}: {size / 1e6:.1f} MB is more than the limit of {MAX_BYTES / 1e6:.0f} MB; "
            "split it into one file per article."
        )


def parse_article(data: bytes, name: str) -> Article:
    """Decode a file's bytes and read its header. Raises ArticleError as ``read_article`` does."""
    _refuse_too_large(len(data), name)
    with blamed_on(name):
        return _parse(data, name)


def _parse(data: bytes, name: str) -> Article:
    text, encoding = _decode(data, name)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise ArticleError(f"{name}: the file is empty; put the article's text in it.")
    header = _read_header(text)
    if encoding:
        guess = f"it is not UTF-8 and was read as {encoding}; save it as UTF-8 if letters are wrong."
        header.warning = f"{header.warning} Also, {guess}" if header.warning else guess
    if not text[header.body_start :].strip():
        raise ArticleError(f"{name}: there is no text below the title; put the article's text there.")
    return Article(
        path=name,
        text=text,
        title_start=header.title_start,
        title_end=header.title_end,
        body_start=header.body_start,
        date=header.date,
        source=header.source,
        url=header.url,
        author=header.author,
        hash=hashlib.sha256(data).hexdigest(),
        warning=header.warning,
    )


def _decode(data: bytes, name: str) -> tuple[str, str | None]:
    """The text of a file, and its encoding if it was guessed."""
    boms = (
        (b"\xef\xbb\xbf", "utf-8"),
        (b"\xff\xfe\x00\x00", "utf-32-le"),
        (b"\x00\x00\xfe\xff", "utf-32-be"),
        (b"\xff\xfe", "utf-16-le"),
        (b"\xfe\xff", "utf-16-be"),
    )
    encoding: str | None = "utf-8"
    guessed = None
    for bom, bom_encoding in boms:
        if data.startswith(bom):
            data, encoding = data[len(bom) :], bom_encoding
            break
    else:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            encoding = guessed = _detect(data)
    refused = ArticleError(f"{name}: this is not text in a known encoding; save it as plain text in UTF-8.")
    if encoding is None:
        raise refused
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise refused from error
    if _looks_binary(text):
        raise refused
    return text, guessed


def _detect(data: bytes) -> str | None:
    """The most plausible encoding of bytes that are not UTF-8, or None."""
    import charset_normalizer  # late: only files that are not UTF-8 need it

    matches = charset_normalizer.from_bytes(data, cp_isolation=[*_ENCODINGS])
    best = matches.best()
    if best is None:
        return None
    western = next((match for match in matches if match.encoding == _ENCODINGS[0]), best)
    likely = western.coherence > best.coherence and western.chaos <= best.chaos + 0.1
    return western.encoding if likely else best.encoding


def _looks_binary(text: str) -> bool:
    """Whether decoded text has NULs, or more control characters than an article would."""
    controls = sum(1 for char in text[:100_000] if (char < " " and char not in "\t\n\r\f\v\x1b") or char == "\x7f")
    return "\x00" in text or controls > 2 + len(text[:100_000]) // 1000


def _read_header(text: str) -> _Header:
    header = _Header()
    start = len(text) - len(text.lstrip("\ufeff\n \t"))
    line_start = text.rfind("\n", 0, start) + 1
    end_of_front_matter = _read_front_matter(text, line_start, header)
    if end_of_front_matter is not None:
        header.body_start = end_of_front_matter
        rest = text[header.body_start :]
        line_start = header.body_start + len(rest) - len(rest.lstrip("\n \t"))
    dated = _DATE_LINE.match(text, line_start)
    if dated:
        header.set_date(dated.group(1), "first line")
        _, end = _line(text, dated.end())
        header.set_title(*_trim(text, dated.end(), end))
        header.body_start = _read_keys_below(text, end, header)
    elif header.title_end == 0:
        _read_plain_title(text, line_start, header)
    return header


def _read_front_matter(text: str, line_start: int, header: _Header) -> int | None:
    """Read flat front matter at ``line_start``. Returns where it ends, or None if there is none."""
    start, end = _line(text, line_start)
    if text[start:end].rstrip() != "---":
        return None
    pairs: list[tuple[str, str, int]] = []
    for _ in range(_MAX_FRONT_MATTER_LINES):
        if end >= len(text):
            return None
        start, end = _line(text, end + 1)
        line = text[start:end]
        if line.rstrip() in ("---", "..."):
            for key, value, at in pairs:
                header.set_key(key, value, at, "front matter")
            return min(end + 1, len(text))
        pair = _KEY_LINE.match(line)
        if pair:
            at, stop = _trim(text, start + pair.start(2), end) if pair.group(2) else (end, end)
            pairs.append((pair.group(1).lower(), text[at:stop], at))
        elif line.strip() and not line.startswith((" ", "\t", "-", "#")):
            return None  # prose between two rules, not front matter
    return None


def _read_keys_below(text: str, end: int, header: _Header) -> int:
    """Read lines such as ``source: …`` directly below a dated first line. Returns where the body begins."""
    while end < len(text):
        start, next_end = _line(text, end + 1)
        pair = _KEY_LINE.match(text[start:next_end])
        if not pair or pair.group(1).lower() not in _KEYS or not pair.group(2):
            break
        at, stop = _trim(text, start + pair.start(2), next_end)
        header.set_key(pair.group(1).lower(), text[at:stop], at, "header")
        end = next_end
    return min(end + 1, len(text))


def _read_plain_title(text: str, line_start: int, header: _Header) -> None:
    """Use the first line as the title if it looks like one: short, alone, and with text below it."""
    start, end = _line(text, line_start)
    line = text[start:end].rstrip()
    mark = re.match(r"[ \t]*#{1,6}[ \t]+", line)
    next_line = text[slice(*_line(text, end + 1))] if end < len(text) else None
    alone = next_line is not None and not next_line.strip() and text[end:].strip()
    prose = len(line) > (MAX_SENTENCE_TITLE_CHARS if line.endswith(".") else MAX_TITLE_CHARS)
    if not mark and (not alone or prose or _SEVERAL_SENTENCES.search(line)):
        return
    if mark and not text[end:].strip():
        return
    header.set_title(*_trim(text, start + (mark.end() if mark else 0), end))
    header.body_start = min(end + 1, len(text))


def _line(text: str, start: int) -> tuple[int, int]:
    """The span of the line that begins at ``start``, without its newline."""
    end = text.find("\n", start)
    return start, len(text) if end < 0 else end


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without white space at its ends."""
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - (len(piece) - len(piece.rstrip()))
