"""The examples on the front page: only those that the library answers, checked behind the page."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from index.library import Library
from tests.browser_support import ARTICLES, WHO, Serving
from tests.running import wait_until
from ui.examples import MAX_EXAMPLES, Examples, Sample, answered, read_samples


def test_an_example_is_shown_only_if_the_sentence_meant_answers_it(tmp_path: Path, serving: Serving) -> None:
    samples = [
        Sample(WHO, "cheese.md", ""),
        Sample(WHO, "fire.txt", "Agnes Brandt"),
        Sample("Who painted the ceiling of the Sistine Chapel?", "fire.txt", ""),
        Sample(WHO, "not-there.txt", ""),
        Sample(WHO, "fire.txt", "Ruben Okafor"),
    ]

    with serving(tmp_path, ARTICLES) as served:
        assert answered(samples, served.library) == [WHO]
        examples = Examples(served.library, samples)
        assert examples.current() in ((), (WHO,))
        assert wait_until(lambda: examples.current() == (WHO,))


def test_one_thread_checks_the_examples_of_the_newest_library_only(monkeypatch: pytest.MonkeyPatch) -> None:
    library: Any = SimpleNamespace(generation=1)
    checked: list[tuple[int, int]] = []
    go_on = threading.Semaphore(0)

    def check(*_: object) -> list[str]:
        generation = library.generation
        checked.append((generation, threading.get_ident()))
        go_on.acquire()
        if generation == 4:
            raise ValueError("the articles vanished meanwhile")
        return [f"What of {generation}?"]

    monkeypatch.setattr("ui.examples.answered", check)
    examples = Examples(library, [])

    def shows(*questions: str) -> bool:
        return wait_until(lambda: examples.current() == questions)

    for generation in (1, 2, 3):
        library.generation = generation
        assert examples.current() == ()
        assert wait_until(lambda: len(checked) == 1)
    go_on.release(2)  # what was found for the first is not news any more
    assert shows("What of 3?")
    go_on.release(2)
    library.generation = 4
    assert shows()
    library.generation = 5
    assert shows("What of 5?")

    assert [generation for generation, _ in checked] == [1, 3, 4, 5]
    assert len({thread for _, thread in checked}) == 1


def test_every_example_is_answered_by_the_sentence_meant(shipped: Library) -> None:
    samples = read_samples()
    assert len(samples) > MAX_EXAMPLES
    assert [answered([sample], shipped) for sample in samples] == [[sample.question] for sample in samples]
