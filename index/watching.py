"""The watcher: updates the index when files in the corpus folder appear, change or disappear."""

from __future__ import annotations

import logging
import math
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from index import build
from index.errors import ClippingsError, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

RETRY_SECONDS, FAILED_SECONDS = 2.0, 60.0
"""Seconds before the next try: after a missing folder or an error, and if a library failed on some articles."""

LOOK_MS, DEBOUNCE_MS = 500, 800
"""Milliseconds: how often to check whether to stop, and how long to collect changes before a build."""


class _StoppedError(Exception):
    """The watcher was told to stop in the middle of a build."""


@contextmanager
def watching(corpus: Path, index: Path) -> Iterator[None]:
    """Follow a corpus folder until the block ends. The first build takes in earlier changes."""
    stop = threading.Event()
    # Not a daemon thread: a process must not end in the middle of onnxruntime.
    thread = threading.Thread(target=follow, args=(corpus, index, stop), name="corpus-watcher")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def follow(corpus: Path, index: Path, stop: threading.Event) -> None:
    """Build whenever anything that is not hidden changes in ``corpus``, until ``stop`` is set. Never raises."""
    from watchfiles import watch  # late: only a running chat needs it

    def is_relevant(_change: object, path: str) -> bool:
        return may_matter(corpus.resolve(), index.resolve(), Path(path))

    left_out: set[str] = set()
    last_error = ""
    while not stop.is_set():
        try:
            folder, next_try = corpus.stat().st_ino, 0.0
            for changes in watch(
                corpus.resolve(),
                watch_filter=is_relevant,
                stop_event=stop,
                debounce=DEBOUNCE_MS,
                rust_timeout=LOOK_MS,
                yield_on_timeout=True,
            ):
                # The first round builds too. The watch has begun by then, so no change is missed.
                if changes or time.monotonic() >= next_try:
                    next_try = time.monotonic() + catch_up(corpus, index, stop, left_out)
                last_error = ""
                if corpus.stat().st_ino != folder:
                    break  # another folder with the same name needs a new watch
        except BaseException as error:  # noqa: BLE001 - a missing folder, no watches left, or anything else
            why = str(error) or type(error).__name__
            if why != last_error:  # once, not every two seconds
                last_error = why
                log.warning("%s is not being followed (%s); trying again", corpus, one_line(last_error))
            stop.wait(RETRY_SECONDS)


def catch_up(corpus: Path, index: Path, stop: threading.Event, left_out: set[str]) -> float:
    """Build once. Returns the seconds until it should be tried again even without a change: never, after a success.

    Args:
        left_out: reasons for skipped files that have been logged already. Updated by this call.
    """

    def go_on(*_: object) -> None:
        if stop.is_set():
            raise _StoppedError

    try:
        report = build(corpus, index, progress=go_on)
    except _StoppedError:
        pass
    except (ClippingsError, OSError) as error:
        log.warning("The corpus folder changed, but: %s", error)
    except BaseException:  # of any kind: a watcher that dies unnoticed is worse than one that tries again
        log.exception("The corpus folder changed, but following it failed; trying again")
    else:
        reasons = [why for _, why in report.skipped]
        for why in reasons:
            if why not in left_out:
                log.warning("Left out: %s", one_line(why))
        left_out.clear()
        left_out.update(reasons)
        if report.added or report.changed or report.removed:
            log.info("Followed %s: %s", corpus, report)
        return FAILED_SECONDS if report.failed else math.inf
    return RETRY_SECONDS


def may_matter(corpus: Path, index: Path, path: Path) -> bool:
    """Whether a changed path needs a build: not if it is hidden, or in the index that the build writes.

    The suffix does not matter: a folder's name may have a dot in it too.
    """
    try:
        parts = path.relative_to(corpus).parts
    except ValueError:
        return False
    if corpus in index.parents and path.is_relative_to(index):
        return False
    return not any(part.startswith(".") for part in parts)
