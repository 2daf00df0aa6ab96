"""FAISS over hand-made vectors: exact neighbours and cosines, restriction, removal, and threads."""

from __future__ import annotations

import numpy as np
import pytest

from index.storage.dense import Dense
from tests.running import repeating


def rows(*vectors: tuple[float, ...]) -> np.ndarray:
    return np.array(vectors, np.float32)


def ids(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


QUESTION = rows((1, 0))[0]


@pytest.fixture
def dense() -> Dense:
    made = Dense(2)
    made.add(ids(7, 2, 40), rows((1, 0), (0.6, 0.8), (-1, 0)))
    return made


def test_the_nearest_come_with_their_cosines(dense: Dense) -> None:
    assert dense.ids().tolist() == [2, 7, 40]
    assert list(dense.search(QUESTION, 2).items()) == [(7, 1.0), (2, pytest.approx(0.6))]
    assert dense.search(QUESTION, 10) == {7: 1.0, 2: pytest.approx(0.6), 40: -1.0}
    assert dense.search(QUESTION, 0) == {}


def test_an_empty_index_finds_nothing() -> None:
    empty = Dense(2)
    empty.add(ids(), np.zeros((0, 2), np.float32))

    assert (empty.search(QUESTION, 5), empty.ids().tolist()) == ({}, [])


def test_a_search_is_confined_to_the_ids_given(dense: Dense) -> None:
    assert dense.search(QUESTION, 1, ids(40, 2)) == {2: pytest.approx(0.6)}
    assert dense.search(QUESTION, 5, ids(40, 999)) == {40: -1.0}
    assert dense.search(QUESTION, 5, ids()) == {}


def test_what_is_removed_is_not_found(dense: Dense) -> None:
    dense.remove([(3, 7), (41, 90)])

    assert dense.ids().tolist() == [2, 40]
    assert dense.search(QUESTION, 5) == {2: pytest.approx(0.6), 40: -1.0}
    with pytest.raises(KeyError):
        dense.vector(7)
    dense.remove([(2, 40)])
    assert dense.search(QUESTION, 5) == {}


def test_what_is_added_later_is_found_in_its_place(dense: Dense) -> None:
    dense.remove([(7, 7)])
    dense.add(ids(41), rows((0.8, 0.6)))

    assert dense.search(QUESTION, 2) == {41: pytest.approx(0.8), 2: pytest.approx(0.6)}
    assert dense.vector(41).tolist() == pytest.approx([0.8, 0.6])
    assert dense.ids().tolist() == [2, 40, 41]


def test_searching_while_rows_come_and_go_finds_only_true_rows() -> None:
    generator = np.random.default_rng(3)
    vectors = generator.normal(size=(4_000, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    dense = Dense(16)
    dense.add(np.arange(100), vectors[:100])
    wrong: list[tuple[int, float]] = []

    def search(number: int, turn: int) -> None:
        question = vectors[(turn * 7 + number) % len(vectors)]
        for id_, score in dense.search(question, 10).items():
            if not 0 <= id_ < len(vectors) or abs(float(vectors[id_] @ question) - score) > 1e-4:
                wrong.append((id_, score))

    with repeating(search, threads=4):
        for at in range(100, 4_000, 50):
            dense.add(np.arange(at, at + 50), vectors[at : at + 50])
            dense.remove([(at - 100, at - 91)])

    assert wrong == []
    assert len(dense.ids()) == 4_000 - 78 * 10
