"""The errors that Clippings raises on purpose. Their messages are fit to show a user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_MAX_REASON_CHARS = 160


class ClippingsError(Exception):
    """Base of every expected failure. ``str(error)`` says what went wrong and what to do about it."""


class ArticleError(ClippingsError):
    """One article file cannot be read; others are not affected."""


class IndexStateError(ClippingsError):
    """The index is missing, of another format, damaged, or made with other settings."""


class OldIndexError(IndexStateError):
    """The index is of an earlier format. A build goes over it in place."""

    def __init__(self, message: str, settings: dict[str, Any]) -> None:
        super().__init__(message)
        self.settings = settings
        """What it was made with, as far as the earlier format says."""


class IndexBusyError(ClippingsError):
    """Another process is writing to the index."""


class ModelError(ClippingsError):
    """The embedding model cannot be loaded or is not the one the index was made with."""


class QuestionError(ClippingsError):
    """The question, or a restriction given with it, cannot be used."""


def one_line(text: str) -> str:
    """Text on one line, without the characters that would steer a terminal."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


@contextmanager
def blamed_on(name: str) -> Iterator[None]:
    """Make whatever a library raises on one article that article's error, so that the others go on.

    A library in Rust that panics raises a BaseException, of a class that cannot be imported.
    """
    try:
        yield
    except (ClippingsError, MemoryError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise  # said already, or not the article's
    except BaseException as error:
        first_line = str(error).strip().partition("\n")[0][:_MAX_REASON_CHARS]
        reason = f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__
        raise ArticleError(
            f"{name}: a library fails on this text ({reason}); leave out what is unusual in it, and add it again."
        ) from error
