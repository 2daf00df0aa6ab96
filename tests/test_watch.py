"""What runs behind the page: the watcher of the corpus folder, and the check of the examples."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from index.errors import ClippingsError
from tests.browser_support import ARTICLES, BRIDGE, CHEESE, FIRE, serving, write_corpus
from ui.examples import Examples, Sample, answered, read_samples
from ui.watch import is_article, watching

pytestmark = pytest.mark.model


WHO = "Which night watchman saw flames above the ticket hall?"


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether the condition has come true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return condition()


def test_the_watcher_follows_the_folder_and_stops(tmp_path: Path) -> None:
    with serving(tmp_path, {"fire.txt": FIRE}, watched=True) as served:

        def paths() -> set[str]:
            return {row.path for row in served.library.articles()}

        (served.corpus / "cheese.md").write_text(CHEESE, encoding="utf-8")
        assert wait_until(lambda: paths() == {"fire.txt", "cheese.md"})
        moved = write_corpus(tmp_path / "elsewhere", {"bridge.txt": BRIDGE})
        moved.rename(served.corpus / "folder")
        assert wait_until(lambda: "folder/bridge.txt" in paths())
        (served.corpus / "fire.txt").unlink()
        assert wait_until(lambda: paths() == {"cheese.md", "folder/bridge.txt"})
    assert not [thread for thread in threading.enumerate() if thread.name == "corpus-watcher"]


def test_the_watcher_waits_for_a_folder_that_is_missing(tmp_path: Path) -> None:
    with serving(tmp_path, {"fire.txt": FIRE}) as served:
        away = served.corpus.rename(tmp_path / "away")
        with watching(tmp_path / "corpus", served.library.path):
            time.sleep(0.3)
            (away / "cheese.md").write_text(CHEESE, encoding="utf-8")
            away.rename(tmp_path / "corpus")
            assert wait_until(lambda: len(served.library.articles()) == 2)


def test_the_watcher_survives_what_the_builder_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def refuse(*_: object) -> None:
        calls.append(1)
        raise ClippingsError("Another process is writing.")

    monkeypatch.setattr("ui.watch.build", refuse)
    monkeypatch.setattr("ui.watch.RETRY_SECONDS", 0.01)
    with watching(tmp_path, tmp_path / ".index"):
        assert wait_until(lambda: len(calls) >= 5)


@pytest.mark.parametrize(
    ("path", "followed"),
    [
        ("/c/a.txt", True),
        ("/c/A.MD", True),
        ("/c/folder", True),
        ("/c/folder/b.md", True),
        ("/c/.trash/a.txt", False),
        ("/c/.0af.tmp", False),
        ("/c/photo.jpg", False),
        ("/elsewhere/a.txt", False),
    ],
)
def test_only_articles_and_folders_are_followed(path: str, followed: bool) -> None:
    assert is_article(Path("/c"), Path(path)) is followed


# Examples


def test_an_example_is_shown_only_if_the_sentence_meant_answers_it(tmp_path: Path) -> None:
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


def test_every_sample_names_words_of_an_article_of_the_corpus() -> None:
    corpus = Path(__file__).parent.parent / "corpus"
    samples = read_samples()

    assert len(samples) >= 6
    for sample in samples:
        assert sample.words in (corpus / sample.path).read_text(encoding="utf-8")
