"""export_index(): a copy that answers like the index, is not changed, and needs nothing that only building needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from index import add, build, export_index, open_index, remove, verify
from index.__main__ import main
from index.errors import ClippingsError, IndexStateError, ModelError
from index.library import Library
from index.storage.store import Store
from qa import retrieve
from tests.conftest import write
from tests.running import python

QUESTION = "What did the works cost?"
FERRY = "The ferry\n\nThe ferry Skua sank off Port Ansel. All nine sailors were saved.\n"


def hits(library: Library) -> list[tuple[str, str, int, int]]:
    return [(hit.text, hit.article.path, hit.start, hit.end) for hit in retrieve(QUESTION, library, k=9)]


@pytest.fixture
def copy(index_path: Path, tmp_path: Path) -> Path:
    recipe = export_index(index_path, tmp_path / "out" / "copy")
    assert recipe.int8
    return tmp_path / "out" / "copy"


def test_a_copy_answers_like_its_index_wherever_it_is(library: Library, copy: Path, tmp_path: Path) -> None:
    expected = hits(library)
    moved = copy.rename(tmp_path / "elsewhere")
    opened = open_index(moved)

    assert expected[0][:2] == ("The works cost 3.4 million euros.", "bridge.txt")
    assert hits(opened) == expected
    assert opened.store.counts() == library.store.counts()
    assert opened.lexical.generation == opened.generation
    assert sorted(path.name for path in moved.iterdir()) == ["articles.db", "lexical"]
    assert verify(moved).problems == []
    opened.close()


def test_an_index_without_its_encoder_is_closed_again(
    index_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise ModelError("No model here.")

    closed: list[Store] = []
    monkeypatch.setattr(Store, "close", lambda store: closed.append(store))
    monkeypatch.setattr("index.exporting.index_encoder", missing)
    with pytest.raises(ModelError):
        export_index(index_path, tmp_path / "copy")
    assert len(closed) == 1


def test_a_copy_is_of_its_moment(own_library: Library, copy: Path, corpus: Path, index_path: Path) -> None:
    write(corpus, ferry=FERRY)
    (corpus / "harvest.txt").unlink()
    build(corpus, index_path)

    opened = open_index(copy)
    assert [info.path for info in opened.articles()] == ["harvest.txt", "bridge.txt"]
    assert [info.path for info in own_library.follow().articles()] == ["bridge.txt", "ferry.txt"]
    opened.close()


def test_a_copy_is_never_changed_and_takes_no_other_files_for_its_own(copy: Path, corpus: Path, tmp_path: Path) -> None:
    write(tmp_path / "out" / "corpus", ferry=FERRY)
    file = write(tmp_path / "new", ferry=FERRY) / "ferry.txt"
    for change in (
        lambda: add([file], copy),
        lambda: remove(["bridge.txt"], copy),
        lambda: build(corpus, copy),
        lambda: build(tmp_path / "out" / "corpus", copy),
    ):
        with pytest.raises(IndexStateError, match=r"copy is an exported copy: it can be searched but not changed\. "):
            change()
    opened = open_index(copy)
    assert opened.store.counts()[0] == 2
    opened.close()


def test_a_folder_that_holds_something_is_not_overwritten(index_path: Path, corpus: Path) -> None:
    with pytest.raises(ClippingsError, match=r"corpus exists already; name a new folder for the copy\.$"):
        export_index(index_path, corpus)
    assert sorted(path.name for path in corpus.iterdir()) == ["bridge.txt", "harvest.txt"]


def test_a_copy_that_fails_leaves_nothing(index_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("index.exporting._copy_store", full)
    with pytest.raises(ClippingsError, match=r"cannot be written to .*copy \(No space left on device\)\.$"):
        export_index(index_path, tmp_path / "out" / "copy")
    assert list((tmp_path / "out").iterdir()) == []


def test_exporting_from_the_terminal_says_what_asking_takes(
    index_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "copy"
    assert main(["export", str(target), "--index", str(index_path)]) == 0
    assert capsys.readouterr().out == (f"{target}: 0 MB\n")
    assert main(["status", "--index", str(target)]) == 0
    assert "corpus: none, this is an exported copy\n" in capsys.readouterr().out

    asked = python("-m", "qa", "How many euros did the works cost?", "--index", target)
    assert asked.returncode == 0
    assert "[[The works cost **3.4 million euros**.]]" in " ".join(asked.stdout.split())
