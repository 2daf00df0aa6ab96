"""The corpus folder: find article files, add new ones and move removed ones to .trash."""

from __future__ import annotations

import os
import re
import secrets
import time
import unicodedata
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from index.errors import ArticleError, ClippingsError
from index.reading.articles import SUFFIXES, Article, parse_article, read_bytes

TRASH = ".trash"
_MAX_NAME_BYTES = 100
_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.tmp")
STALE_SECONDS = 3600
"""A temporary file older than this was left behind: no file takes this long to write."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A file that is in the corpus folder."""

    name: str
    """Its path within the folder."""
    article: Article | None = None
    """The article, if it has been read. None if the file was in the folder before and is not read yet."""
    copied: bool = False
    """Whether it was copied there just now."""


def scan(corpus: Path) -> list[str]:
    """The article files of a folder and its subfolders, as sorted relative paths with ``/``.

    Hidden files and folders, READMEs and other kinds of file are left out.

    Raises:
        ClippingsError: a folder cannot be read. Skipping it would make its articles look removed.
    """

    def refuse(error: OSError) -> None:
        why = f"The folder {error.filename} cannot be read ({error.strerror})"
        raise ClippingsError(f"{why}. Allow it to be read, or move it out of {corpus}.") from error

    names = []
    for folder, subfolders, entries in os.walk(corpus, onerror=refuse):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for entry in entries:
            path = Path(folder, entry)
            if is_article_name(entry) and not path.is_dir():
                names.append(path.relative_to(corpus).as_posix())
    return sorted(names)


def is_article_name(name: str) -> bool:
    """Whether a file with this name counts as an article."""
    path = Path(name)
    return path.suffix.lower() in SUFFIXES and not name.startswith(".") and path.stem.lower() != "readme"


def place(path: Path, corpus: Path) -> Placed:
    """Make sure that a file is in the corpus folder. A file from elsewhere is copied there.

    Raises:
        ArticleError: it is not a readable article, or another article has its name.
    """
    if path.suffix.lower() not in SUFFIXES:
        if not path.exists() and not path.is_symlink():
            raise ArticleError(f"{path.name}: there is no such file.")
        raise ArticleError(f"{path.name}: an article is a {' or '.join(SUFFIXES)} file; save it as one.")
    inside = path.parent.resolve() / path.name  # a link in the folder is an article under its own name
    if inside.is_relative_to(corpus):
        name = inside.relative_to(corpus).as_posix()
        if not is_article_name(inside.name) or any(part.startswith(".") for part in Path(name).parts):
            raise ArticleError(f"{name}: hidden files and READMEs are not articles; give it another name.")
        return Placed(name)
    data = read_bytes(path, path.name)
    article = parse_article(data, path.name)  # so that nothing unreadable is copied
    name = safe_name(path.name)
    target = corpus / name
    if target.is_file():
        if target.read_bytes() == data:
            return Placed(name, replace(article, path=name))
        raise ArticleError(f"{name}: the corpus folder has another article with that name; rename one of the two.")
    name = _write_new(data, name, corpus)
    return Placed(name, replace(article, path=name), copied=True)


def write(data: bytes, title: str, corpus: Path) -> str:
    """Write an article's bytes under a new name made from its title. Returns the name."""
    return _write_new(data, safe_name(title.replace("/", "-").replace("\\", "-") + ".txt"), corpus)


def compose(text: str, title: str = "", date: str = "", source: str = "") -> bytes:
    """The bytes of an article file: a header made from the fields that are given, then the text.

    Raises:
        ArticleError: there is no text, or it is too long.
    """
    stated = [("title", title), ("date", date), ("source", source)]
    pairs = [(key, _quoted(" ".join(value.split()))) for key, value in stated if value.strip()]
    lines = ["---", *(f"{key}: {value}" for key, value in pairs), "---", ""] if pairs else []
    data = "\n".join([*lines, text.strip("\n"), ""]).encode("utf-8", "replace")
    if not text.strip():
        raise ArticleError("There is no text to add; paste the article's text.")
    return data


def _quoted(value: str) -> str:
    """A value for front matter, verbatim: in quotes that it does not hold, or else as a block."""
    if '"' not in value and "\\" not in value:
        return f'"{value}"'
    return f"'{value}'" if "'" not in value else f"|-\n  {value}"


def trash(corpus: Path, name: str) -> None:
    """Move an article's file to the corpus folder's ``.trash``, if it is still there."""
    path = corpus / name
    if not (path.exists() or path.is_symlink()):
        return
    folder = corpus / TRASH
    folder.mkdir(exist_ok=True)
    target = folder / path.name
    if target.exists():
        target = folder / f"{path.stem}.{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}{path.suffix}"
    path.replace(target)


def sweep(corpus: Path) -> None:
    """Delete temporary files left by processes that were killed. A recent one may still be in use and is kept."""
    for path in corpus.glob(".*.tmp"):
        with suppress(OSError):
            if _TEMPORARY.fullmatch(path.name) and time.time() - path.stat().st_mtime > STALE_SECONDS:
                path.unlink()


def safe_name(name: str) -> str:
    """A file name that is valid on every system and cannot point outside its folder."""
    name = unicodedata.normalize("NFC", name.replace("\\", "/")).rsplit("/", 1)[-1]
    suffix = Path(name).suffix
    stem = name.removesuffix(suffix)
    kept = "".join(c if c.isalnum() or c in " ._-" or unicodedata.category(c) == "Mn" else " " for c in stem)
    stem = re.sub(r"[\s]+", "-", kept.strip(" ._-"))
    while len(stem.encode()) > _MAX_NAME_BYTES:
        stem = stem[:-1]
    if stem.lower() in ("", "readme", "con", "nul", "aux", "prn"):
        stem = f"article-{stem}".rstrip("-")
    return stem + (suffix.lower() if suffix.lower() in SUFFIXES else ".txt")


def _write_new(data: bytes, name: str, corpus: Path) -> str:
    """Write a file completely or not at all, under a name that is free. Returns the name."""
    corpus.mkdir(parents=True, exist_ok=True)
    temporary = corpus / f".{secrets.token_hex(8)}.tmp"  # ``sweep`` looks for this form
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        stem, suffix = Path(name).stem, Path(name).suffix
        for number in range(1, 1000):
            candidate = name if number == 1 else f"{stem}-{number}{suffix}"
            try:
                os.link(temporary, corpus / candidate)
            except FileExistsError:
                continue
            except OSError:  # a file system without hard links: renaming is nearly as safe
                if (corpus / candidate).exists():
                    continue
                temporary.rename(corpus / candidate)
            return candidate
        raise ArticleError(f"{name}: the corpus folder has too many articles with that name; choose another.")
    finally:
        temporary.unlink(missing_ok=True)
