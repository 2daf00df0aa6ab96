"""onnxruntime, on this machine's cores and telling nobody: opening networks, and putting rows together for them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
"""onnxruntime keeps a device's id and a log of events in the user's cache otherwise, to be sent to its makers. It reads
this when it is first imported."""

Network = Callable[[dict[str, NDArray[np.int64]]], list[NDArray[np.float32]]]
"""Named inputs to outputs, in the order in which the network was exported."""


def open_network(path: Path) -> Network:
    """Open an ONNX network on the processor. What onnxruntime raises for a damaged one is its own."""
    import onnxruntime  # late: listing or checking an index needs no network

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(inputs: dict[str, NDArray[np.int64]]) -> list[NDArray[np.float32]]:
        outputs: list[NDArray[np.float32]] = session.run(None, inputs)
        return outputs

    return run


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def batches(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Positions of rows to run together, each batch of at most ``tokens`` tokens with its padding, longest first.

    None is less than half as long as its batch: padding costs time, and what an int8 network makes of
    a short row depends on the long ones beside it.
    """
    found: list[list[int]] = []
    for at in sorted(range(len(lengths)), key=lambda at: -lengths[at]):
        longest = lengths[found[-1][0]] if found else 0
        if 2 * lengths[at] >= longest > 0 and (len(found[-1]) + 1) * longest <= tokens:
            found[-1].append(at)
        else:
            found.append([at])
    return found


def padded(rows: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids of unequal rows and the mask that says which of them count, both of shape (rows, longest)."""
    ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
    mask = np.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return ids, mask


def quantise(source: Path, target: Path) -> None:
    """Write the network of one file into another with int8 weights, per channel."""
    import onnxruntime.quantization as quantization

    quantization.quantize_dynamic(source, target, weight_type=quantization.QuantType.QInt8, per_channel=True)


def read_tokenizer(path: Path) -> Any:
    """A tokenizer of the ``tokenizers`` library from its file."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(path))
