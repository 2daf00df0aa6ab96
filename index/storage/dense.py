"""The dense index: nearest passages by cosine, with FAISS, which only this file imports."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import faiss
import numpy as np
from numpy.typing import NDArray

Scored = dict[int, float]
"""Scores by passage id."""


class Dense:
    """An exact inner-product index over normalised passage vectors, filled from the store when opened.

    FAISS must not be searched while rows are added, so every call takes the same lock.

    Args:
        dimension: length of the vectors.
    """

    def __init__(self, dimension: int) -> None:
        self.last = 0
        """The highest id ever added."""
        self._index = faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))
        self._lock = threading.Lock()

    def add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Add passages: ids of shape (n,), vectors of shape (n, dimension)."""
        if len(ids):
            with self._lock:
                self._index.add_with_ids(np.ascontiguousarray(vectors, np.float32), ids)
                self.last = max(self.last, int(ids.max()))

    def remove(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Remove the passages whose ids are in the ranges, both ends included."""
        with self._lock:
            for first, last in ranges:
                self._index.remove_ids(faiss.IDSelectorRange(first, last + 1))

    def search(self, vector: NDArray[np.float32], k: int, among: NDArray[np.int64] | None = None) -> Scored:
        """The ``k`` passages nearest to a vector of shape (dimension,), with their cosines.

        ``among`` limits the search to the passages with those ids.
        """
        parameters = None
        if among is not None:
            if not len(among):
                return {}
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorBatch(among))
        # One question is too little work for several threads: waiting for them costs more than it gains.
        faiss.omp_set_num_threads(1)  # for the calling thread
        with self._lock:
            k = min(k, self._index.ntotal)
            if k <= 0:
                return {}
            scores, ids = self._index.search(vector.reshape(1, -1), k, params=parameters)
        return {int(i): float(s) for i, s in zip(ids[0], scores[0], strict=True) if i >= 0}

    def vector(self, id_: int) -> NDArray[np.float32]:
        """The stored vector of a passage, shape (dimension,). Raises KeyError if it is missing."""
        with self._lock:
            try:
                return np.asarray(self._index.reconstruct(id_), np.float32)
            except RuntimeError as error:
                raise KeyError(id_) from error

    def ids(self) -> NDArray[np.int64]:
        """The ids of all passages, ascending, shape (n,)."""
        with self._lock:
            return np.sort(faiss.vector_to_array(self._index.id_map).astype(np.int64))
