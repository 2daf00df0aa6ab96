"""What goes through a network together: rows of like length, padded."""

from __future__ import annotations

import numpy as np

from index.encoding.windows import batches, padded


def test_rows_of_like_length_run_together() -> None:
    lengths = [10, 50, 12, 48, 5, 51]
    found = batches(lengths, tokens=110)
    assert found == [[5, 1], [3], [2, 0], [4]]  # 51 twice; 48 finds no room; 5 is less than half of 12
    assert sorted(at for batch in found for at in batch) == list(range(6))
    assert batches([], 100) == []
    assert batches([500], 100) == [[0]]  # too long for any batch: alone


def test_padding_is_masked() -> None:
    ids, mask = padded([[7, 8, 9], [5]])
    assert np.array_equal(ids, [[7, 8, 9], [5, 0, 0]])
    assert np.array_equal(mask, [[1, 1, 1], [1, 0, 0]])
