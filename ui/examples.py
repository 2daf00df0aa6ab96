"""Example questions, each shown only once the library has answered it with the sentence that is meant."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qa import answer

if TYPE_CHECKING:
    from index.library import Library

log = logging.getLogger(__name__)
MAX_EXAMPLES = 4
FILE = Path(__file__).with_name("examples.txt")


@dataclass(frozen=True, slots=True)
class Sample:
    """A question, the path of the article that answers it, and words from the answering sentence."""

    question: str
    path: str
    words: str


def read_samples(file: Path = FILE) -> list[Sample]:
    """The samples of a file. Each line is a question, a path and words, separated by tabs; # begins a comment."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [Sample(*line.split("\t")) for line in lines if line and not line.startswith("#")]


def answered(samples: list[Sample], library: Library) -> list[str]:
    """The questions that the library answers with the sample's sentence."""
    paths = {article.path for article in library.articles()}
    questions: list[str] = []
    for sample in samples:
        if sample.path not in paths or len(questions) == MAX_EXAMPLES:
            continue
        result = answer(sample.question, library)
        if not result.found or not result.evidence:
            continue
        hit = result.evidence[0].hit
        if hit.article.path == sample.path and sample.words in hit.text:
            questions.append(sample.question)
    return questions


class Examples:
    """The example questions of a library, checked in the background whenever its articles change."""

    def __init__(self, library: Library, samples: list[Sample] | None = None) -> None:
        self._library = library
        self._samples = read_samples() if samples is None else samples
        self._lock = threading.Lock()
        self._newest: int | None = None
        self._questions: tuple[str, ...] = ()
        # One permanent thread: a new thread for every change would open a new connection to the store each time. It is
        # not a daemon thread: a process must not end in the middle of onnxruntime.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="examples")

    def current(self) -> tuple[str, ...]:
        """The questions that are known to be answered. Starts a new check if the library has changed."""
        generation = self._library.generation
        with self._lock:
            if self._newest != generation:
                self._newest = generation
                with suppress(RuntimeError):  # the process is ending
                    self._worker.submit(self._check, generation)
            return self._questions

    def _check(self, generation: int) -> None:
        """Check the examples of a generation, unless it is no longer the newest."""
        if generation != self._newest:
            return
        questions: tuple[str, ...] = ()
        try:
            questions = tuple(answered(self._samples, self._library))
        except Exception as error:  # noqa: BLE001 - examples are optional; the next question shows the error
            log.debug("No examples: %s", error)
        with self._lock:
            if generation == self._newest:
                self._questions = questions
