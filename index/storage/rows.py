"""The rows of an index, as they go into the store and come out of it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.reading.articles import Article
from index.reading.passages import Passage

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Settings:
    """What an index was made with; kept in it, and the same for all of its life."""

    model: str
    model_hash: str
    dimension: int
    encoding: str
    """Name of the passage vocabulary."""
    encoding_hash: str
    passage_tokens: int
    corpus: str
    """The corpus folder, relative to the index directory where that is possible; empty in an exported copy."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """What a search is confined to. ``since`` and ``until`` are both included; ``None`` restricts nothing."""

    since: datetime.date | None = None
    until: datetime.date | None = None
    source: str | None = None

    def __bool__(self) -> bool:
        return self.by_date or self.source is not None

    @property
    def by_date(self) -> bool:
        """Whether articles of unknown date are kept out."""
        return self.since is not None or self.until is not None


@dataclass(frozen=True, slots=True)
class ArticleInfo:
    """An article without its text, for listings."""

    id: int
    path: str
    title: str
    date: datetime.date | None
    source: str | None


@dataclass(frozen=True, slots=True)
class EncodedArticle:
    """An article ready to be stored: its passages with their vectors, normalised float32."""

    article: Article
    passages: Sequence[Passage]
    passage_vectors: Vectors
    """Shape (passages, dimension)."""
    sentence_vectors: Vectors
    """Shape (sentences of all passages in order, dimension)."""


@dataclass(frozen=True, slots=True)
class TextRow:
    """A passage or a sentence with its text, as the lexical index takes it in."""

    id: int
    text: str
    date: datetime.date | None
    source: str | None


@dataclass(frozen=True, slots=True)
class PassageRow:
    """A stored passage; offsets into its article's text, and its vector of shape (dimension,)."""

    id: int
    article: int
    start: int
    end: int
    vector: Vectors


@dataclass(frozen=True, slots=True)
class SentenceRow:
    """A stored sentence; offsets into its article's text."""

    id: int
    passage: int
    article: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Removal:
    """The ids that one removed article's passages and sentences had, both ends included."""

    passages: tuple[int, int]
    sentences: tuple[int, int]


def source_key(source: str) -> str:
    """The form in which sources are compared: without case, white space folded."""
    return " ".join(source.casefold().split())
