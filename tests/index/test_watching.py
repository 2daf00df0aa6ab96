"""Following the corpus folder: what changes there is taken in, and nothing stops the watcher."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from index import build, open_index
from index.errors import ClippingsError
from index.library import Library
from index.watching import catch_up, may_matter, watching
from tests.browser_support import ARTICLES, BRIDGE, CHEESE, FIRE, Filled, write_corpus
from tests.running import wait_until


@pytest.fixture
def library(tmp_path: Path, filled: Filled) -> Iterator[Library]:
    """Of one article, in a folder to be followed."""
    opened = filled(tmp_path, {"fire.txt": FIRE})
    yield opened
    opened.close()


def test_the_watcher_follows_the_folder_and_stops(tmp_path: Path, library: Library) -> None:
    with watching(library.corpus, library.path):

        def paths() -> set[str]:
            return {row.path for row in library.articles()}

        (library.corpus / "cheese.md").write_text(CHEESE, encoding="utf-8")
        assert wait_until(lambda: paths() == {"fire.txt", "cheese.md"})
        moved = write_corpus(tmp_path / "elsewhere", {"bridge.txt": BRIDGE})
        moved.rename(library.corpus / "news.2021")
        assert wait_until(lambda: "news.2021/bridge.txt" in paths())
        (library.corpus / "fire.txt").unlink()
        assert wait_until(lambda: paths() == {"cheese.md", "news.2021/bridge.txt"})
    assert not [thread for thread in threading.enumerate() if thread.name == "corpus-watcher"]


def test_the_watcher_waits_for_a_folder_that_is_missing(tmp_path: Path, library: Library) -> None:
    away = library.corpus.rename(tmp_path / "away")
    with watching(tmp_path / "corpus", library.path):
        time.sleep(0.3)
        (away / "cheese.md").write_text(CHEESE, encoding="utf-8")
        away.rename(tmp_path / "corpus")
        assert wait_until(lambda: len(library.articles()) == 2)


def test_the_watcher_survives_what_the_builder_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def refuse(*_: object, **__: object) -> None:
        calls.append(1)
        raise ClippingsError("Another process is writing.")

    monkeypatch.setattr("index.watching.build", refuse)
    monkeypatch.setattr("index.watching.RETRY_SECONDS", 0.01)
    with watching(tmp_path, tmp_path / ".index"):
        assert wait_until(lambda: len(calls) >= 5)


class Panic(BaseException):
    """As a library in Rust panics: no Exception."""


def test_the_watcher_survives_what_nobody_foresaw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, library: Library
) -> None:
    troubles = [ValueError("nobody foresaw this"), Panic("nor this"), SystemExit(1)]

    def build_or_fail(*paths: Path, **named: Any) -> object:
        if troubles:
            raise troubles.pop(0)
        return build(*paths, **named)

    monkeypatch.setattr("index.watching.RETRY_SECONDS", 0.01)
    monkeypatch.setattr("index.watching.build", build_or_fail)
    with watching(library.corpus, library.path):
        assert wait_until(lambda: not troubles)
        (library.corpus / "cheese.md").write_text(CHEESE, encoding="utf-8")
        assert wait_until(lambda: len(library.articles()) == 2)
    said = "The corpus folder changed, but following it failed; trying again"
    assert [record.message for record in caplog.records if record.exc_info] == [said] * 3


def test_the_watcher_survives_what_watching_fails_on_and_says_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, library: Library
) -> None:
    import watchfiles

    real, calls = watchfiles.watch, []

    def watch(*paths: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) < 5:
            raise Panic("no watches left")
        return real(*paths, **named)

    monkeypatch.setattr(watchfiles, "watch", watch)
    monkeypatch.setattr("index.watching.RETRY_SECONDS", 0.01)
    with watching(library.corpus, library.path):
        (library.corpus / "cheese.md").write_text(CHEESE, encoding="utf-8")
        assert wait_until(lambda: len(library.articles()) == 2)
    said = f"{library.corpus} is not being followed (no watches left); trying again"
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [said]


def test_the_watcher_leaves_out_what_a_library_fails_on_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, library: Library
) -> None:
    import sentencex

    real = sentencex.get_sentence_boundaries

    def boundaries(language: str, text: str) -> Any:
        if "gargoyle" in text:
            raise Panic("byte index 16")
        return real(language, text)

    monkeypatch.setattr(sentencex, "get_sentence_boundaries", boundaries)
    monkeypatch.setattr("index.watching.FAILED_SECONDS", 0.01)
    with watching(library.corpus, library.path):
        (library.corpus / "gargoyle.txt").write_text("The gargoyle fell. It hit nobody.\n")
        assert wait_until(lambda: "gargoyle" in caplog.text)
        (library.corpus / "cheese.md").write_text(CHEESE, encoding="utf-8")
        assert wait_until(lambda: len(library.articles()) == 2)
        assert {row.path for row in library.articles()} == {"cheese.md", "fire.txt"}
        monkeypatch.setattr(sentencex, "get_sentence_boundaries", real)  # the library recovers, and no file changes
        assert wait_until(lambda: len(library.articles()) == 3)
    (warned,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert warned.startswith("Left out: gargoyle.txt: a library fails on this text (Panic: byte index 16); ")


@pytest.mark.usefixtures("encoder")
def test_a_watcher_that_is_to_stop_does_not_finish_its_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.builder._BATCH_CHARS", 1)  # every article is a transaction
    stop = threading.Event()
    stop.set()
    corpus = write_corpus(tmp_path / "corpus", ARTICLES)
    assert catch_up(corpus, tmp_path / ".index", stop, set()) < math.inf
    assert catch_up(corpus, tmp_path / ".index", threading.Event(), set()) == math.inf
    with closing(open_index(tmp_path / ".index")) as library:
        assert {row.path for row in library.articles()} == set(ARTICLES)


@pytest.mark.parametrize(
    ("path", "followed"),
    [
        ("/c/a.txt", True),
        ("/c/A.MD", True),
        ("/c/folder", True),
        ("/c/folder/b.md", True),
        ("/c/.trash/a.txt", False),
        ("/c/.0af.tmp", False),
        ("/c/news.2021", True),
        ("/c/index/articles.db", False),
        ("/c/index", False),
        ("/elsewhere/a.txt", False),
    ],
)
def test_all_is_followed_but_what_is_hidden_and_the_index(path: str, followed: bool) -> None:
    assert may_matter(Path("/c"), Path("/c/index"), Path(path)) is followed


def test_an_index_around_the_corpus_hides_nothing() -> None:
    assert may_matter(Path("/c/corpus"), Path("/c"), Path("/c/corpus/a.txt"))
