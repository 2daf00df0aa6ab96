"""Stores without a model, of vectors that the test makes up, one axis for each thing spoken of; copies of indexes."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from index.reading.articles import Article, parse_article
from index.reading.passages import Passage, Sentence, split_sentences
from index.storage.rows import EncodedArticle, Settings
from index.storage.store import Store

DIMENSION = 4
SETTINGS = Settings(
    model="made-up",
    model_hash="0123456789abcdef",
    dimension=DIMENSION,
    encoding="clippings",
    encoding_hash="fedcba",
    passage_tokens=160,
    corpus="../corpus",
)


def encoded(name: str, text: str, axis: int = 0, per_passage: int = 2) -> EncodedArticle:
    """An article ready to be stored, whose vectors all lie on one axis; so many sentences to a passage."""
    article = parse_article(text.encode(), name)
    return with_vectors(article, np.eye(DIMENSION, dtype=np.float32)[axis], per_passage)


def with_vectors(article: Article, vector: np.ndarray, per_passage: int = 2) -> EncodedArticle:
    sentences = split_sentences(article.text, article.body_start)
    groups: list[Sequence[Sentence]] = [
        sentences[at : at + per_passage] for at in range(0, len(sentences), per_passage)
    ]
    passages = [Passage(group[0].start, group[-1].end, tuple(group)) for group in groups]
    row = np.asarray(vector, np.float32)
    return EncodedArticle(article, passages, np.stack([row] * len(passages)), np.stack([row] * len(sentences)))


def copy_index(built: Path, to: Path) -> Path:
    """A copy of an index, which may be open but not changing; its corpus is found beside the copy as it was before."""
    return Path(shutil.copytree(built, to, ignore=shutil.ignore_patterns("*.db-*", "*.lock")))


def execute(path: Path, statement: str, *values: object) -> None:
    """Change rows of an SQLite file behind everybody's back; at least one."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(statement, values).rowcount > 0
        connection.commit()


def new_store(folder: Path) -> Store:
    """An empty store in a folder of its own."""
    return Store.create(folder / "index", SETTINGS)
