"""The library: an open index that qa searches. It follows changes of the store. Threads can share it."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from index.encoding.encoder import Encoder
from index.encoding.loading import index_encoder
from index.encoding.windows import Vectors
from index.reading.articles import Article
from index.storage.rows import ArticleInfo, Restriction
from index.storage.store import Store

if TYPE_CHECKING:
    from index.storage.dense import Dense
    from index.storage.lexical import Lexical

DEFAULT_INDEX = ".index"
_CACHED_ARTICLES = 512
_REBUILT_STEP = 2**32
"""Added to the generation each time that another index is built in the same place. No index has as many changes."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that one question needs, from one index, even if another is built in its place meanwhile.

    An article that is removed meanwhile is missing. An article that is added meanwhile may be found.
    """

    path: Path
    """The index directory."""
    store: Store
    """Articles, sentences and vectors."""
    dense: Dense
    lexical: Lexical
    generation: int
    """The generation of the store when this was taken. During a build, ``lexical`` may be older."""
    article: Callable[[int], Article | None]
    """One article with its text, by id, or None if it has been removed."""

    def articles(self) -> list[ArticleInfo]:
        """All articles without their texts, the latest first."""
        return self.store.articles()

    def sources(self) -> list[str]:
        """The sources that articles state, in alphabetical order."""
        return self.store.sources()

    @property
    def encoder(self) -> Encoder:
        """The encoder that the index was made with, loaded on first use.

        Raises:
            ModelError: it is missing or damaged, and cannot be made again.
        """
        return index_encoder(self.path, self.store.settings.model, self.store.settings.model_hash)

    def encode_question(self, question: str) -> Vectors:
        """The question's vector, shape (dimension,)."""
        return self.encoder.encode_question(question)

    def search_dense(self, vector: Vectors, k: int, restriction: Restriction) -> dict[int, float]:
        """The ``k`` nearest passages and their cosines, within the restriction."""
        among = self.store.passage_ids(restriction) if restriction else None
        return self.dense.search(vector, k, among)


class Library:
    """One index directory, open for questions. Opening does not load a model; the first question does.

    To answer a question, take a snapshot with ``follow()`` and search that. The library's own properties
    and methods are those of its latest snapshot.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._following = threading.Lock()
        self._rebuilt = 0
        self._latest = _open(path)
        self.follow()

    def follow(self) -> Snapshot:
        """A snapshot with everything that this process or another has committed so far.

        Raises:
            IndexStateError: another index has taken the place of this one, and cannot be used.
        """
        with self._following:
            snapshot = self._latest
            while True:
                if snapshot.store.replaced:
                    snapshot = _open(self.path)
                snapshot = _follow(snapshot)
                if not snapshot.store.replaced:  # otherwise its lexical index may belong to the new one
                    break
            if snapshot.store is not self._latest.store:
                self._rebuilt += 1
            self._latest = snapshot
            return snapshot

    def _now(self) -> Snapshot:
        """The latest snapshot, or a new one if another index has been built in its place."""
        return self.follow() if self._latest.store.replaced else self._latest

    @property
    def generation(self) -> int:
        """A number that changes whenever the articles change. Cheap to read."""
        return self._now().store.generation + self._rebuilt * _REBUILT_STEP

    @property
    def corpus(self) -> Path:
        """The folder that the articles come from. Raises IndexStateError in an exported copy, which has none."""
        return self._now().store.corpus

    def articles(self) -> list[ArticleInfo]:
        """All articles without their texts, the latest first."""
        return self._now().articles()

    def article(self, id_: int) -> Article | None:
        """One article with its text, or None if it has been removed."""
        return self._now().article(id_)

    def sources(self) -> list[str]:
        """The sources that articles state, in alphabetical order."""
        return self._now().sources()

    @property
    def store(self) -> Store:
        """The store, as of the last ``follow()``. It reads what is committed now."""
        return self._latest.store

    @property
    def dense(self) -> Dense:
        """Nearest passages, as of the last ``follow()``."""
        return self._latest.dense

    @property
    def lexical(self) -> Lexical:
        """BM25, as of the last ``follow()``."""
        return self._latest.lexical

    @property
    def encoder(self) -> Encoder:
        """The encoder that the index was made with; see ``Snapshot``."""
        return self._latest.encoder

    def close(self) -> None:
        """Close the files. Later questions raise IndexStateError."""
        self._latest.store.close()


def _open(path: Path) -> Snapshot:
    """A snapshot of the index that is in a directory now, with the vectors still to be loaded."""
    from index.storage.dense import Dense  # late: importing a package should not load FAISS

    store = Store.open(path)
    try:
        return _snapshot(path, store, Dense(store.settings.dimension), _open_lexical(path), generation=-1)
    except BaseException:
        store.close()
        raise


def _snapshot(path: Path, store: Store, dense: Dense, lexical: Lexical, generation: int) -> Snapshot:
    """A snapshot with its own cache of articles, so that a removed article is not in a later snapshot."""
    cached_article = functools.lru_cache(maxsize=_CACHED_ARTICLES)(store.article)
    return Snapshot(path, store, dense, lexical, generation, cached_article)


def _follow(before: Snapshot) -> Snapshot:
    """A snapshot of the same index with all later commits, or the same snapshot if there are none."""
    store, dense, lexical = before.store, before.dense, before.lexical
    generation = store.generation
    if generation != before.generation:
        dense.remove([removal.passages for removal in store.removals_since(before.generation)])
        for ids, vectors in store.vectors_after(dense.last):
            dense.add(ids, vectors)
    if generation != lexical.generation:
        lexical = _follow_lexical(before.path, store)
    if generation == before.generation and lexical is before.lexical:
        return before
    return _snapshot(before.path, store, dense, lexical, generation)


def _follow_lexical(path: Path, store: Store) -> Lexical:
    """The lexical index as it is now. If a build was killed before updating it, it is updated here."""
    from index.storage.lexical import Lexical, catch_up

    lexical = _open_lexical(path)
    if lexical.generation == store.generation:
        return lexical
    try:
        from index.storage.locking import BuildLock  # late: rarely needed

        lock = BuildLock(path)
        if lock.try_acquire("catching up"):
            try:
                if not store.replaced:  # otherwise the folder belongs to another index
                    catch_up(lexical, store)
            finally:
                lock.release()
    except OSError:  # the directory cannot be written: make the lexical index in memory
        lexical = Lexical(None)
        catch_up(lexical, store)
    return lexical


def _open_lexical(path: Path) -> Lexical:
    from index.storage.lexical import Lexical

    try:
        return Lexical(path / "lexical")
    except OSError:  # a read-only copy without its lexical index
        return Lexical(None)


def default_path() -> Path:
    """The default index directory: ``CLIPPINGS_INDEX``, or ``.index``."""
    return Path(os.environ.get("CLIPPINGS_INDEX") or DEFAULT_INDEX)


def open_index(path: str | os.PathLike[str] | None = None) -> Library:
    """Open an index for questions.

    Args:
        path: the index directory. The default is ``CLIPPINGS_INDEX``, or ``.index``.

    Raises:
        IndexStateError: the index is missing or cannot be used. The message says what to run.
    """
    return Library(default_path() if path is None else Path(path))


@functools.lru_cache(maxsize=1)
def default_library() -> Library:
    """The default index, opened once and kept."""
    return open_index()
