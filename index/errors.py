"""The errors that Clippings raises on purpose. Their messages are shown to users."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_MAX_REASON_CHARS = 160
_EXTRAS = {
    **dict.fromkeys(("onnx", "sentence_transformers", "torch", "transformers"), "models"),
    **dict.fromkeys(("scipy", "sklearn"), "evaluate"),
}
"""The extra of Clippings that brings a package. All others come without an extra."""


class ClippingsError(Exception):
    """Base of every expected failure. ``str(error)`` says what went wrong and how to fix it."""


class ArticleError(ClippingsError):
    """One article file cannot be read. Other articles are not affected."""


class LibraryError(ArticleError):
    """A library fails on one article. The article may be fine, so what the index holds of it is kept."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"{name}: a library fails on this text ({reason}); try again, or remove what is unusual in it."
        )
        self.reason = reason


class IndexStateError(ClippingsError):
    """The index is missing or damaged, or has another format or other settings."""


class OldIndexError(IndexStateError):
    """The index is of an earlier format. A build goes over it in place."""

    def __init__(self, message: str, settings: dict[str, Any]) -> None:
        super().__init__(message)
        self.settings = settings
        """What it was made with, as far as the earlier format says."""


class IndexBusyError(ClippingsError):
    """Another process is writing to the index."""


class ModelError(ClippingsError):
    """The embedding model cannot be loaded, or is not the one that the index was made with."""


class DamagedEncoderError(ModelError):
    """The folder of an encoder is missing or damaged, or holds another encoder. It can be made again."""


class QuestionError(ClippingsError):
    """The question, or a restriction given with it, cannot be used."""


def what_to_install(error: ModuleNotFoundError) -> str:
    """The message for a package that is missing: which one, and how to install it."""
    extra = _EXTRAS.get((error.name or "").partition(".")[0])
    package = f"'clippings[{extra}]'" if extra else "clippings"
    return f"this needs {error.name}. Run: pip install {package}"


def one_line(text: str) -> str:
    """Text on one line, without characters that control a terminal."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


@contextmanager
def blamed_on(name: str) -> Iterator[None]:
    """Turn an exception that a library raises on one article into a LibraryError, so that the others go on.

    A panic in a Rust library raises a BaseException whose class cannot be imported.
    """
    try:
        yield
    except (ClippingsError, MemoryError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise  # has its message already, or is not about the article
    except BaseException as error:
        first_line = str(error).strip().partition("\n")[0][:_MAX_REASON_CHARS]
        reason = f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__
        raise LibraryError(name, reason) from error
