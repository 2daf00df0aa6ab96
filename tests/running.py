"""Running things in a process of their own, and several at once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]


def python(
    *arguments: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments to its end, in the folder that holds the packages."""
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False)


def together(*acts: Callable[[], object]) -> None:
    """Do each in a thread of its own, all at once, and wait until they are done."""
    threads = [threading.Thread(target=act) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def repeating(act: Callable[[int, int], object], threads: int) -> Iterator[None]:
    """Do it again and again in so many threads until the block ends, in each at least once.

    ``act`` gets the number of its thread and of its turn. What it raises fails the block.
    """
    done = threading.Event()
    failed: list[str] = []

    def repeat(number: int) -> None:
        turn = 0
        try:
            while not done.is_set() or not turn:
                act(number, turn)
                turn += 1
        except Exception as error:  # noqa: BLE001 - whatever a thread raises fails the test
            failed.append(repr(error))

    running = [threading.Thread(target=repeat, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in running:
            thread.join()
    assert failed == []


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether the condition has come true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return condition()
