"""An opened index: what qa asks. It follows the store as the store changes, and may be shared by threads."""

from __future__ import annotations

import functools
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from index.encoding.encoder import Encoder
from index.encoding.loading import index_encoder
from index.encoding.windows import Vectors
from index.reading.articles import Article
from index.storage.database import FILE
from index.storage.rows import ArticleInfo, Restriction
from index.storage.store import Store

if TYPE_CHECKING:
    from index.storage.dense import Dense
    from index.storage.lexical import Lexical

DEFAULT_INDEX = ".index"


class Library:
    """One index directory, open for asking. Opening loads no model; the first question does.

    Attributes:
        store: articles, sentences and vectors, always current.
        dense, lexical: the search indexes, current as of the last ``follow()``.
    """

    store: Store
    dense: Dense
    lexical: Lexical

    def __init__(self, path: Path) -> None:
        from index.storage.dense import Dense  # late: faiss is for asking, not for importing

        self.path = path
        self._identity = self._file_identity()
        self.store = Store.open(path)
        self.dense = Dense(self.store.settings.dimension)
        self.lexical = self._open_lexical()
        self._successor: Library | None = None
        self._encoder: Encoder | None = None
        self._following = threading.Lock()
        self._loading = threading.Lock()
        self._generation, self._last_passage = -1, 0
        self._articles = functools.lru_cache(maxsize=512)(self.store.article)
        self.follow()

    @property
    def corpus(self) -> Path:
        """The folder the articles come from. Raises IndexStateError in an exported copy, which has none."""
        return self._latest().store.corpus

    @property
    def generation(self) -> int:
        """Changes whenever the set of articles does; cheap to read."""
        return (self.follow() if self._replaced() else self._latest()).store.generation

    def articles(self) -> list[ArticleInfo]:
        """All articles without their texts, the latest first."""
        return self._latest().store.articles()

    def article(self, id_: int) -> Article | None:
        """One article with its text, or None if it has been removed."""
        return self._latest()._articles(id_)  # kept until the next change

    def sources(self) -> list[str]:
        """The sources that articles state, in alphabetical order."""
        return self._latest().store.sources()

    @property
    def encoder(self) -> Encoder:
        """The encoder that the index was made with, loaded at first use.

        Raises:
            ModelError: it is missing or damaged, and cannot be made again.
        """
        with self._loading:
            if self._encoder is None:
                settings = self.store.settings
                self._encoder = index_encoder(self.path, settings.model, settings.model_hash)
            return self._encoder

    def encode_question(self, question: str) -> Vectors:
        """The question's vector, shape (dimension,)."""
        return self.encoder.encode_question(question)

    def search_dense(self, vector: Vectors, k: int, restriction: Restriction) -> dict[int, float]:
        """The ``k`` nearest passages and their cosines, within the restriction."""
        among = self.store.passage_ids(restriction) if restriction else None
        return self.dense.search(vector, k, among)

    def follow(self) -> Library:
        """Take in what has been committed since the last call, by this process or another.

        Returns:
            The library to ask: this one, or the one that follows it where another index has been built
            in its place, so that one question never mixes the two.

        Raises:
            IndexStateError: what has been put in its place cannot be used.
        """
        with self._following:
            if self._successor is None and self._replaced():
                self._successor = Library(self.path)
            if self._successor is not None:
                return self._successor.follow()
            generation = self.store.generation
            if generation != self._generation:
                self.dense.remove([removal.passages for removal in self.store.removals_since(self._generation)])
                for ids, vectors in self.store.vectors_after(self._last_passage):
                    self.dense.add(ids, vectors)
                    self._last_passage = int(ids[-1])
                self._generation = generation
                self._articles.cache_clear()  # an article that was removed is not to be had any more
            if self.lexical.generation != generation:
                self._follow_lexical(generation)
            return self

    def _latest(self) -> Library:
        return self if self._successor is None else self._successor._latest()

    def _file_identity(self) -> tuple[int, int] | None:
        try:
            stat = (self.path / FILE).stat()
        except OSError:
            return None
        return stat.st_dev, stat.st_ino

    def _replaced(self) -> bool:
        """Whether another index has been built in the place of the one that is open."""
        return self._file_identity() not in (self._identity, None)

    def _follow_lexical(self, generation: int) -> None:
        """Normally the builder has just committed; where it was killed between, finish its work."""
        from index.storage.lexical import Lexical, catch_up

        try:
            self.lexical.reload()
        except ValueError:  # its folder has been deleted
            self.lexical = self._open_lexical()
        if self.lexical.generation == generation:
            return
        try:
            from index.storage.locking import (
                BuildLock,  # late: seldom needed, and not there where only asking is installed
            )

            lock = BuildLock(self.path)
            if lock.try_acquire("catching up"):
                try:
                    catch_up(self.lexical, self.store)
                finally:
                    lock.release()
        except (ImportError, OSError):  # the directory cannot be written: keep the derived part in memory
            self.lexical = Lexical(None)
            catch_up(self.lexical, self.store)

    def _open_lexical(self) -> Lexical:
        from index.storage.lexical import Lexical

        try:
            return Lexical(self.path / "lexical")
        except OSError:  # a read-only copy whose lexical part is missing
            return Lexical(None)

    def close(self) -> None:
        """Close the files. Questions asked later fail."""
        if self._successor is not None:
            self._successor.close()
        self.store.close()


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
