"""Read one article file into an Article: its bytes, their encoding, newlines and the header."""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass
from pathlib import Path

from index.errors import ArticleError, blamed_on
from index.reading.header import read_header
from index.reading.markup import Readable, is_markdown, read_through

SUFFIXES = (".txt", ".md")
_ENCODINGS = (
    "cp1252 cp1250 cp1251 cp1253 cp1254 cp1255 cp1256 cp1257 koi8_r mac_roman shift_jis euc_jp gb18030 big5 euc_kr "
    "utf_16"
).split()
"""Encodings to try when a text is not UTF-8. The first is the most common, but a short text rarely proves it."""
MAX_BYTES = 4_000_000
"""Larger files are refused: 4 MB of news is an archive, to be split into articles."""


@dataclass(frozen=True, slots=True)
class Article:
    """A whole article file, decoded once. Every offset in the project points into ``text``.

    ``text`` is the entire file. Newlines are normalised to ``\\n``; nothing else is changed.
    ``text[title_start:title_end]`` is the title, an empty span if there is none.
    ``text[body_start:]`` is the body. A field that the file does not state is ``None``, never guessed; a name such as
    ``2014-03-03-title.md`` states a date.
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
        stated = " ".join(self.read(self.title_start, self.title_end).split())
        return stated or Path(self.path).stem

    @property
    def markdown(self) -> bool:
        """Whether the file is Markdown."""
        return is_markdown(self.path)

    def read(self, start: int, end: int) -> str:
        """What ``text[start:end]`` says, without marks of Markdown, entities and soft hyphens."""
        return self.through(start, end).text

    def through(self, start: int, end: int) -> Readable:
        """As ``read``, with the place of each character in the file."""
        return read_through(self.text, start, end, self.markdown)


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
    header = read_header(text, name)
    warnings = header.warnings
    if encoding:
        warnings.append(f"it is not UTF-8 and was read as {encoding}; save it as UTF-8 if letters are wrong.")
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
        warning=" Also, ".join(warnings) or None,
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
