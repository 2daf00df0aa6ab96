"""onnxruntime, on this machine's cores and telling nobody: opening networks and running them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
"""onnxruntime keeps a device's id and a log of events in the user's cache otherwise, to be sent to its makers. It reads
this when it is first imported."""

Network = Callable[[dict[str, NDArray[np.int64]]], list[NDArray[np.float32]]]
"""Named inputs to outputs, in the order that the network gives them in."""
Networks = Callable[[Sequence[dict[str, NDArray[np.int64]]]], Iterator[list[NDArray[np.float32]]]]
"""The same for many inputs, each by itself; outputs come in the order of the inputs."""


def open_network(path: Path, threads: int | None = None) -> Network:
    """Open an ONNX network on the processor, on all cores unless told how many threads.

    What onnxruntime raises for a damaged one is its own.
    """
    import onnxruntime  # late: listing or checking an index needs no network

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or cores()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(inputs: dict[str, NDArray[np.int64]]) -> list[NDArray[np.float32]]:
        outputs: list[NDArray[np.float32]] = session.run(None, inputs)
        return outputs

    return run


def open_side_by_side(path: Path) -> Networks:
    """Open a network to run on many inputs, each by itself, so that what one gives does not depend on the others.

    As many run at the same time as there are cores, each on one, which takes a quarter to a third less time than one
    after another on all of them; only an input that would run alone has all cores.
    """
    width = cores()
    alone = open_network(path, 1)
    together = open_network(path) if width > 1 else alone
    workers = ThreadPoolExecutor(width, thread_name_prefix="network")

    def run_each(inputs: Sequence[dict[str, NDArray[np.int64]]]) -> Iterator[list[NDArray[np.float32]]]:
        side_by_side = len(inputs) - (len(inputs) % width == 1)
        yield from workers.map(alone, inputs[:side_by_side])
        yield from map(together, inputs[side_by_side:])

    return run_each


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def read_tokenizer(path: Path) -> Any:
    """A tokenizer of the ``tokenizers`` library from its file."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(path))
