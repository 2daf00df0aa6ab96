"""The errors that Clippings raises on purpose. Their messages are fit to show a user."""

from __future__ import annotations


class ClippingsError(Exception):
    """Base of every expected failure. ``str(error)`` says what went wrong and what to do about it."""


class ArticleError(ClippingsError):
    """One article file cannot be read; others are not affected."""


class IndexStateError(ClippingsError):
    """The index is missing, of another format, damaged, or made with other settings."""


class IndexBusyError(ClippingsError):
    """Another process is writing to the index."""


class ModelError(ClippingsError):
    """The embedding model cannot be loaded or is not the one the index was made with."""


class QuestionError(ClippingsError):
    """The question, or a restriction given with it, cannot be used."""


def one_line(text: str) -> str:
    """Text on one line, without the characters that would steer a terminal."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
