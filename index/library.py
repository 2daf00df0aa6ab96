"""An opened index: what qa asks. It follows the store as the store changes, and may be shared by threads."""

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
_KEPT_ARTICLES = 512
_LATER = 2**32
"""More than any index has changes: what the generation of another index in the same place begins with."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one question needs, all of one index, whatever is built in its place while the question is asked.

    An article that is removed meanwhile is no longer there, and one that is added may be found already.
    """

    path: Path
    """The index directory."""
    store: Store
    """Articles, sentences and vectors."""
    dense: Dense
    lexical: Lexical
    generation: int
    """The generation of the store that this was taken at; where its builder is at work, ``lexical`` may be older."""
    article: Callable[[int], Article | None]
    """One article with its text by its id, or None if it has been removed."""

    def articles(self) -> list[ArticleInfo]:
        """All articles without their texts, the latest first."""
        return self.store.articles()

    def sources(self) -> list[str]:
        """The sources that articles state, in alphabetical order."""
        return self.store.sources()

    @property
    def encoder(self) -> Encoder:
        """The encoder that the index was made with, loaded at first use.

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
    """One index directory, open for asking. Opening loads no model; the first question does.

    Whoever asks a question takes a snapshot with ``follow()`` and asks that. The library itself passes on
    what its latest snapshot has.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._following = threading.Lock()
        self._rebuilt = 0
        self._latest = _open(path)
        self.follow()

    def follow(self) -> Snapshot:
        """Take in what has been committed since the last call, by this process or another.

        Raises:
            IndexStateError: another index has been put in the place of this one, and cannot be used.
        """
        with self._following:
            snapshot = self._latest
            while True:
                if snapshot.store.replaced:
                    snapshot = _open(self.path)
                snapshot = _follow(snapshot)
                if not snapshot.store.replaced:  # otherwise its lexical index may be that of the other one
                    break
            if snapshot.store is not self._latest.store:
                self._rebuilt += 1
            self._latest = snapshot
            return snapshot

    def _now(self) -> Snapshot:
        """The latest snapshot; a new one only where another index has been built in its place."""
        return self.follow() if self._latest.store.replaced else self._latest

    @property
    def generation(self) -> int:
        """Changes whenever the set of articles does; cheap to read."""
        return self._now().store.generation + self._rebuilt * _LATER

    @property
    def corpus(self) -> Path:
        """The folder the articles come from. Raises IndexStateError in an exported copy, which has none."""
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
        """The truth, always current."""
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

    def encode_question(self, question: str) -> Vectors:
        """The question's vector, shape (dimension,)."""
        return self._latest.encode_question(question)

    def search_dense(self, vector: Vectors, k: int, restriction: Restriction) -> dict[int, float]:
        """The ``k`` nearest passages and their cosines, within the restriction."""
        return self._latest.search_dense(vector, k, restriction)

    def close(self) -> None:
        """Close the files. Questions asked later fail."""
        self._latest.store.close()


def _open(path: Path) -> Snapshot:
    """The index that lies in a directory now, without its passages' vectors."""
    from index.storage.dense import Dense  # late: faiss is for asking, not for importing

    store = Store.open(path)
    try:
        return _snapshot(path, store, Dense(store.settings.dimension), _open_lexical(path), generation=-1)
    except BaseException:
        store.close()
        raise


def _snapshot(path: Path, store: Store, dense: Dense, lexical: Lexical, generation: int) -> Snapshot:
    """A snapshot that keeps the articles it has been asked for: one that is removed later is in no later snapshot."""
    kept = functools.lru_cache(maxsize=_KEPT_ARTICLES)(store.article)
    return Snapshot(path, store, dense, lexical, generation, kept)


def _follow(known: Snapshot) -> Snapshot:
    """A snapshot of the same index with what has been committed since; the same one if nothing has."""
    store, dense, lexical = known.store, known.dense, known.lexical
    generation = store.generation
    if generation != known.generation:
        dense.remove([removal.passages for removal in store.removals_since(known.generation)])
        for ids, vectors in store.vectors_after(dense.last):
            dense.add(ids, vectors)
    if generation != lexical.generation:
        lexical = _follow_lexical(known.path, store)
    if generation == known.generation and lexical is known.lexical:
        return known
    return _snapshot(known.path, store, dense, lexical, generation)


def _follow_lexical(path: Path, store: Store) -> Lexical:
    """The lexical index as it is now. Where its builder was killed before it was done, its work is finished here."""
    from index.storage.lexical import Lexical, catch_up

    lexical = _open_lexical(path)
    if lexical.generation == store.generation:
        return lexical
    try:
        from index.storage.locking import BuildLock  # late: seldom needed, and not there where only asking is installed

        lock = BuildLock(path)
        if lock.try_acquire("catching up"):
            try:
                catch_up(lexical, store)
            finally:
                lock.release()
    except (ImportError, OSError):  # the directory cannot be written: keep the derived part in memory
        lexical = Lexical(None)
        catch_up(lexical, store)
    return lexical


def _open_lexical(path: Path) -> Lexical:
    from index.storage.lexical import Lexical

    try:
        return Lexical(path / "lexical")
    except OSError:  # a read-only copy whose lexical part is missing
        return Lexical(None)


def default_path() -> Path:
    """The index directory that is meant where none is named: ``CLIPPINGS_INDEX``, or ``.index``."""
    return Path(os.environ.get("CLIPPINGS_INDEX") or DEFAULT_INDEX)


def open_index(path: str | os.PathLike[str] | None = None) -> Library:
    """Open an index for asking.

    Args:
        path: the index directory; if left out, the one that ``CLIPPINGS_INDEX`` names, or ``.index``.

    Raises:
        IndexStateError: there is no index, or it cannot be used; the message says what to run.
    """
    return Library(default_path() if path is None else Path(path))


@functools.lru_cache(maxsize=1)
def default_library() -> Library:
    """The default index, opened once and kept."""
    return open_index()
