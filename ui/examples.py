"""Example questions, each shown only once the library has answered it with the sentence meant."""

from __future__ import annotations

import logging
import threading
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
    """A question, the path of the article that answers it, and words of the sentence that says so."""

    question: str
    path: str
    words: str


def read_samples(file: Path = FILE) -> list[Sample]:
    """The samples of a file: question, path and words, parted by tabs, on each line; # begins a comment."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [Sample(*line.split("\t")) for line in lines if line and not line.startswith("#")]


def answered(samples: list[Sample], library: Library) -> list[str]:
    """The questions that the library answers with the sentence that the sample means."""
    held = {article.path for article in library.articles()}
    questions: list[str] = []
    for sample in samples:
        if sample.path not in held or len(questions) == MAX_EXAMPLES:
            continue
        said = answer(sample.question, library)
        if not said.found or not said.evidence:
            continue
        hit = said.evidence[0].hit
        if hit.article.path == sample.path and sample.words in hit.text:
            questions.append(sample.question)
    return questions


class Examples:
    """The examples of a library, checked in the background whenever its articles change."""

    def __init__(self, library: Library, samples: list[Sample] | None = None) -> None:
        self._library = library
        self._samples = read_samples() if samples is None else samples
        self._changed = threading.Condition()
        self._newest: int | None = None
        self._questions: tuple[str, ...] = ()
        # One for good: a thread for every change would open a connection to the store for every change.
        self._worker: threading.Thread | None = None

    def current(self) -> tuple[str, ...]:
        """The questions known to be answered; a check is begun if the library has changed since the last."""
        generation = self._library.generation
        with self._changed:
            if self._newest != generation:
                self._newest = generation
                self._changed.notify()
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="examples", daemon=True)
                self._worker.start()
            return self._questions

    def _work(self) -> None:
        """Check the newest generation whenever there is one; those that came and went meanwhile are left out."""
        checked: int | None = None
        while True:
            with self._changed:
                while self._newest == checked:
                    self._changed.wait()
                checked = self._newest
            questions = self._check()
            with self._changed:
                if self._newest == checked:
                    self._questions = questions

    def _check(self) -> tuple[str, ...]:
        try:
            return tuple(answered(self._samples, self._library))
        except Exception as error:  # noqa: BLE001 - a courtesy; the person's own question will show the error
            log.debug("No examples: %s", error)
            return ()
