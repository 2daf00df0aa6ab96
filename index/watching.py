"""The watcher: files that appear, change or vanish in the corpus folder are followed in the index."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from index import build
from index.errors import ClippingsError, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

RETRY_SECONDS = 2.0
"""How long to wait before looking again for a folder that is missing, or building again after an error."""

LOOK_MS, DEBOUNCE_MS = 500, 800
"""How long to wait for changes before looking whether to stop, and for more of them before building."""


class _StoppedError(Exception):
    """The watcher is to stop in the middle of a build."""


@contextmanager
def watching(corpus: Path, index: Path) -> Iterator[None]:
    """Follow a corpus folder until the block ends. Begins with a build, for what changed before."""
    stop = threading.Event()
    # No daemon: a process must not end in the middle of onnxruntime.
    thread = threading.Thread(target=follow, args=(corpus, index, stop), name="corpus-watcher")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def follow(corpus: Path, index: Path, stop: threading.Event) -> None:
    """Build whenever anything that is not hidden changes under ``corpus``, until ``stop`` is set; never raises."""
    from watchfiles import watch  # late: only a running chat needs it

    def followed(_change: object, path: str) -> bool:
        return may_matter(corpus.resolve(), index.resolve(), Path(path))

    left_out: set[str] = set()
    trouble = ""
    while not stop.is_set():
        try:
            folder, behind = corpus.stat().st_ino, True
            for changes in watch(
                corpus.resolve(),
                watch_filter=followed,
                stop_event=stop,
                debounce=DEBOUNCE_MS,
                rust_timeout=LOOK_MS,
                yield_on_timeout=True,
            ):
                # The first round builds too, once the watch is set: nothing can change unseen in between.
                if changes or behind:
                    behind = not catch_up(corpus, index, stop, left_out)
                trouble = ""
                if corpus.stat().st_ino != folder:
                    break  # another folder of the same name needs a watch of its own
        except BaseException as error:  # noqa: BLE001 - no such folder, no watches left, or whatever else
            why = str(error) or type(error).__name__
            if why != trouble:  # once, and not every two seconds
                trouble = why
                log.warning("%s is not being followed (%s); trying again", corpus, one_line(trouble))
            stop.wait(RETRY_SECONDS)


def catch_up(corpus: Path, index: Path, stop: threading.Event, left_out: set[str]) -> bool:
    """Build once, and say whether that is done; after a failure, wait a little before it is tried again.

    Args:
        left_out: why files are not in the index, as has been logged already; brought up to date.
    """

    def go_on(*_: object) -> None:
        if stop.is_set():
            raise _StoppedError

    try:
        report = build(corpus, index, progress=go_on)
    except _StoppedError:
        return False
    except (ClippingsError, OSError) as error:
        log.warning("The corpus folder changed, but: %s", error)
    except BaseException:  # whatever it is: a watcher that dies unnoticed is worse than one that tries again
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
        return True
    stop.wait(RETRY_SECONDS)
    return False


def may_matter(corpus: Path, index: Path, path: Path) -> bool:
    """Whether a build should look at what changed: not if it is hidden, or the index that the build writes.

    What it is called says no more: a folder's name may have a dot in it too.
    """
    try:
        parts = path.relative_to(corpus).parts
    except ValueError:
        return False
    if corpus in index.parents and path.is_relative_to(index):
        return False
    return not any(part.startswith(".") for part in parts)
