"""verify(): agrees with a fresh index, and names each kind of damage."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from index import build, verify
from index.checking import Verification
from index.reading import passages
from index.storage.database import FILE
from index.storage.dense import Dense
from index.storage.lexical import Lexical
from index.storage.rows import TextRow
from index.storage.store import Store
from tests.conftest import BRIDGE, write
from tests.stored import execute


@pytest.fixture
def home(index_path: Path) -> Path:
    """A folder with a corpus and its index, to be damaged."""
    return index_path.parent


def test_a_fresh_index_agrees(two_articles: Path) -> None:
    told: list[tuple[int, int, str]] = []
    result = verify(two_articles / "index", progress=lambda *what: told.append(what))

    assert result.problems == []
    assert (result.articles, result.passages, result.sentences) == (2, 2, 11)
    assert result.least_cosine > 0.999
    assert told == [(1, 2, "harvest.txt"), (2, 2, "bridge.txt")]


def test_without_vectors_no_model_is_asked(two_articles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.library.index_encoder", lambda *_: pytest.fail("asked the model"))
    assert verify(two_articles / "index", vectors=False) == Verification(2, 2, 11, 1.0, [])


def problems(home: Path, vectors: bool = False) -> list[str]:
    return verify(home / "index", vectors=vectors).problems


def test_a_changed_file_is_named(home: Path) -> None:
    (home / "corpus" / "bridge.txt").write_text(BRIDGE + "One more.\n")
    assert problems(home) == ["bridge.txt has changed since it was indexed. Build again."]


def test_a_file_that_is_gone_is_named(home: Path) -> None:
    (home / "corpus" / "bridge.txt").unlink()
    build_again = f"Run: python -m index build {home / 'corpus'} --index {home / 'index'}"
    assert problems(home) == [f"bridge.txt is in the index but not in the folder. {build_again}"]


def test_a_file_that_is_not_indexed_is_named_unless_it_cannot_be(home: Path) -> None:
    write(home / "corpus", extra="Extra\n\nSomething new.\n", copy=BRIDGE, empty="")
    build_again = f"Run: python -m index build {home / 'corpus'} --index {home / 'index'}"
    assert problems(home) == [f"extra.txt is not in the index. {build_again}"]


def test_a_corpus_folder_that_is_missing_is_named(home: Path) -> None:
    shutil.rmtree(home / "corpus")
    assert problems(home) == [f"The corpus folder {home / 'corpus'} is missing."]


@pytest.mark.parametrize("table", ["passages", "sentences"])
@pytest.mark.parametrize("vector", [np.eye(384)[7], np.zeros(384), np.full(384, np.nan)], ids=["other", "zero", "nan"])
def test_a_vector_that_was_overwritten_is_named(table: str, vector: np.ndarray, home: Path) -> None:
    blob = vector.astype(np.float16).tobytes()
    execute(home / "index" / FILE, f"UPDATE {table} SET vector = ? WHERE id = 1", blob)
    assert problems(home, vectors=True) == ["bridge.txt: encoding it again gives other vectors. Build a new index."]


def test_a_vector_that_is_a_little_off_is_named(home: Path) -> None:
    store = Store.open(home / "index")
    vector = store.passage_rows([1])[1].vector
    store.close()
    other = np.eye(384)[int(np.abs(vector).argmin())] * 0.1
    execute(
        home / "index" / FILE,
        "UPDATE passages SET vector = ? WHERE id = 1",
        (vector + other).astype(np.float16).tobytes(),
    )
    result = verify(home / "index")
    assert result.problems == ["bridge.txt: encoding it again gives other vectors. Build a new index."]
    assert 0.99 < result.least_cosine < 0.999


def test_each_article_is_split_once(two_articles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    split: list[str] = []
    real = passages.split_sentences

    def noting(text: str, start: int, markdown: bool) -> list[passages.Sentence]:
        split.append(text)
        return real(text, start, markdown)

    monkeypatch.setattr(passages, "split_sentences", noting)
    for vectors in (True, False):
        split.clear()
        assert verify(two_articles / "index", vectors=vectors).problems == []
        assert len(split) == 2


@pytest.mark.parametrize("table", ["passages", "sentences"])
def test_an_offset_that_was_shifted_is_named(table: str, home: Path) -> None:
    execute(home / "index" / FILE, f"UPDATE {table} SET start = start + 1 WHERE id = 1")
    assert "bridge.txt: splitting it again gives other sentences. Build a new index." in problems(home)


def test_a_sentence_that_is_gone_is_named(home: Path) -> None:
    execute(home / "index" / FILE, "DELETE FROM sentences WHERE id = 2")
    found = problems(home)
    assert found[0] == "bridge.txt: splitting it again gives other sentences. Build a new index."
    assert found[1].startswith("tantivy holds (2, 11) passages and sentences, the store (2, 10). Delete ")


def test_a_row_that_tantivy_lacks_is_named(home: Path) -> None:
    lexical = Lexical(home / "index" / "lexical")
    lexical.update([], [], [], [(2, 2)], lexical.generation)
    advice = f"Delete {home / 'index' / 'lexical'}: it is made again from the store."
    assert problems(home) == [
        f"tantivy holds (2, 10) passages and sentences, the store (2, 11). {advice}",
        f"tantivy does not find 1 sentences by their own words. {advice}",
    ]
    shutil.rmtree(home / "index" / "lexical")
    assert problems(home) == []


def test_a_text_that_tantivy_holds_wrongly_is_named(home: Path) -> None:
    lexical = Lexical(home / "index" / "lexical")
    lexical.update([], [TextRow(2, "Quite another text.", None, None)], [], [(2, 2)], lexical.generation)
    assert [problem.split(".")[0] for problem in problems(home)] == [
        "tantivy does not find 1 sentences by their own words"
    ]


def test_faiss_is_compared_with_the_store(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dense, "ids", lambda _: np.array([1], np.int64))
    assert problems(home) == ["FAISS holds other passages than the store. Open the index again."]
    monkeypatch.undo()
    monkeypatch.setattr(Dense, "vector", lambda *_: np.zeros(384, np.float32))
    assert problems(home) == ["FAISS holds other vectors than the store. Open the index again."]


@pytest.mark.usefixtures("encoder")
def test_a_text_without_a_word_the_model_knows_agrees(tmp_path: Path) -> None:
    build(write(tmp_path / "corpus", invisible="A title\n\n\u200b\u200b\n"), tmp_path / "index")
    assert verify(tmp_path / "index").problems == []


@pytest.mark.usefixtures("encoder")
def test_articles_of_a_word_agree_whatever_they_were_encoded_with(tmp_path: Path) -> None:
    corpus, index = write(tmp_path / "corpus"), tmp_path / "index"
    write(corpus, long=BRIDGE, short="A title\n\nNo.\n")
    build(corpus, index)  # the two together
    (corpus / "long.txt").unlink()
    build(corpus, index)
    assert verify(index).problems == []  # the short one alone
