"""The lock of an index: one process writes at a time, and the others can see which one."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from types import TracebackType

import filelock

from index.errors import ClippingsError, IndexBusyError

WAIT_SECONDS = 10.0


class BuildLock:
    """A lock on an index directory, as a context manager. The system releases it if the process dies.

    Args:
        directory: the index directory; made if it is missing.
        wait: seconds to wait for another holder before giving up.

    Raises:
        IndexBusyError: on entering, when another process did not finish in time. The message names it.
        ClippingsError: on entering, when the directory cannot be written.
    """

    def __init__(self, directory: Path, wait: float = WAIT_SECONDS) -> None:
        self._directory = directory
        self._wait = wait
        self._lock = filelock.FileLock(directory / "build.lock", thread_local=False)
        self._holder = directory / "build.json"

    def try_acquire(self, purpose: str) -> bool:
        """Take the lock if it is free now. Raises OSError if the directory cannot be written."""
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            return False
        self._note(purpose)
        return True

    def release(self) -> None:
        """Release the lock."""
        self._holder.unlink(missing_ok=True)
        self._lock.release()

    def __enter__(self) -> BuildLock:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=self._wait)
            self._note("building")
        except filelock.Timeout as error:
            raise IndexBusyError(
                f"{self._describe_holder()} is writing to the index at {self._directory}. "
                "Wait until it is done, or stop it, and try again."
            ) from error
        except OSError as error:
            self._lock.release()
            raise ClippingsError(
                f"The index folder {self._directory} cannot be written ({error.strerror or error})."
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _note(self, purpose: str) -> None:
        self._holder.write_text(
            json.dumps({"process": os.getpid(), "since": time.strftime("%H:%M:%S"), "purpose": purpose})
        )

    def _describe_holder(self) -> str:
        try:
            holder = json.loads(self._holder.read_text())
            return f"Process {holder['process']} ({holder['purpose']} since {holder['since']})"
        except (OSError, ValueError, KeyError):
            return "Another process"
