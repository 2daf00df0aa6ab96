"""The rows that go into the store and come out of it."""

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
    """The settings of an index. They are stored in it and do not change, except the corpus folder's path."""

    model: str
    model_hash: str
    dimension: int
    encoding: str
    """Name of the passage vocabulary."""
    encoding_hash: str
    passage_tokens: int
    corpus: str
    """The corpus folder, relative to the index directory if possible; empty in an exported copy."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """The articles that a search may use. ``since`` and ``until`` are included; ``None`` does not restrict."""

    since: datetime.date | None = None
    until: datetime.date | None = None
    source: str | None = None

    def __bool__(self) -> bool:
        return self.by_date or self.source is not None

    @property
    def by_date(self) -> bool:
        """Whether dates are restricted. Articles without a date are then left out."""
        return self.since is not None or self.until is not None


@dataclass(frozen=True, slots=True)
class ArticleInfo:
    """An article without its text, for listings."""

    id: int
    path: str
    title: str
    date: datetime.date | None
    source: str | None
    author: str | None = None


@dataclass(frozen=True, slots=True)
class EncodedArticle:
    """An article ready to be stored, with its passages and their vectors (normalised float32)."""

    article: Article
    passages: Sequence[Passage]
    passage_vectors: Vectors
    """Shape (passages, dimension)."""
    sentence_vectors: Vectors
    """Shape (sentences of all passages, in order; dimension)."""


@dataclass(frozen=True, slots=True)
class TextRow:
    """A passage or a sentence with its text, as the lexical index needs it."""

    id: int
    text: str
    date: datetime.date | None
    source: str | None


@dataclass(frozen=True, slots=True)
class PassageRow:
    """A stored passage: offsets into its article's text, and its vector, shape (dimension,)."""

    id: int
    article: int
    start: int
    end: int
    vector: Vectors


@dataclass(frozen=True, slots=True)
class SentenceRow:
    """A stored sentence: offsets into its article's text."""

    id: int
    passage: int
    article: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Removal:
    """First and last id of the passages, and of the sentences, of one removed article."""

    passages: tuple[int, int]
    sentences: tuple[int, int]


def source_key(source: str) -> str:
    """The form in which sources are compared: case-folded, with single spaces."""
    return " ".join(source.casefold().split())
