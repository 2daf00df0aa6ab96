"""Building, adding and removing, with the real model: what is encoded, what is skipped, and what a kill leaves."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from index import BuildReport, add, add_text, build, open_index, remove, verify
from index.builder import PathLike, index_articles
from index.encoding import loading
from index.encoding.encoder import TokenEncoder
from index.encoding.recipe import FOLDER
from index.encoding.windows import PassageText, PassageVectors
from index.errors import ArticleError, ClippingsError, IndexBusyError, IndexStateError, ModelError
from index.library import Library
from index.reading import articles, files
from index.reading.articles import parse_article
from index.reading.header import read_header as read_article_header
from index.storage.database import FILE
from index.storage.locking import BuildLock
from index.storage.store import Store
from qa import retrieve
from tests.conftest import BRIDGE, HARVEST, write
from tests.models import SmallModel
from tests.running import ROOT, python, together
from tests.stored import execute

pytestmark = pytest.mark.usefixtures("encoder")

FERRY = "The ferry\n\nThe ferry Skua sank off Port Ansel. All nine sailors were saved.\n"


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The text of every passage that is encoded from now on; none is that of a question."""
    texts: list[str] = []
    real = TokenEncoder.encode_passages

    def spy(self: TokenEncoder, passages: list[PassageText]) -> list[PassageVectors]:
        texts.extend(passage.text for passage in passages)
        return real(self, passages)

    monkeypatch.setattr(TokenEncoder, "encode_passages", spy)
    return texts


def counts(report: BuildReport) -> tuple[int, int, int, int, int]:
    return (report.added, report.changed, report.removed, report.unchanged, len(report.skipped))


def paths(index: Path) -> list[str]:
    with closing(open_index(index)) as library:
        return sorted(info.path for info in library.articles())


def found(question: str, index: PathLike, k: int = 5) -> list[str]:
    with closing(open_index(index)) as library:
        return [hit.text for hit in retrieve(question, library, k=k)]


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


# Building


def test_a_first_build_adds_every_article(corpus: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    report = build(corpus, tmp_path / "new" / "index", progress=lambda *what: told.append(what))

    assert counts(report) == (2, 0, 0, 0, 0)
    assert (report.paths, report.passages, report.sentences) == (["bridge.txt", "harvest.txt"], 2, 11)
    assert (report.warnings, str(report)) == ([], "2 added, 0 changed, 0 removed, 0 unchanged, 0 skipped")
    assert told == [(1, 2, "bridge.txt"), (2, 2, "harvest.txt")]
    assert found("Who is the mayor?", tmp_path / "new" / "index", k=1) == [
        "Engineers replaced 212 of its\nblocks, the mayor, Ana Vukić, said."
    ]


def test_only_what_is_new_or_changed_is_encoded(corpus: Path, index_path: Path, encoded: list[str]) -> None:
    assert counts(build(corpus, index_path)) == (0, 0, 0, 2, 0)
    assert encoded == []

    write(corpus, ferry=FERRY, bridge=BRIDGE.replace("Ana Vukić", "Mira Horvat"))
    (corpus / "harvest.txt").touch()
    report = build(corpus, index_path)
    assert counts(report) == (1, 1, 0, 1, 0)
    assert report.paths == ["bridge.txt", "ferry.txt"]
    assert encoded == [encoded[0], "The ferry Skua sank off Port Ansel. All nine sailors were saved."]
    assert "Mira Horvat" in encoded[0]


def test_a_changed_and_a_removed_article_leave_no_trace(corpus: Path, index_path: Path) -> None:
    before = found("Who is the mayor Ana Vukić, and what do plum growers expect?", index_path, k=50)
    write(corpus, bridge=BRIDGE.replace("Ana Vukić", "Mira Horvat"))
    (corpus / "harvest.txt").unlink()
    assert counts(build(corpus, index_path)) == (0, 1, 1, 0, 0)

    after = found("Who is the mayor Ana Vukić, and what do plum growers expect?", index_path, k=50)
    assert (len(before), len(after)) == (11, 7)
    assert [text for text in before if "Ana Vukić" in text] != []
    assert [text for text in after if "Ana Vukić" in text or "plum" in text or "Petar" in text] == []
    assert "Engineers replaced 212 of its\nblocks, the mayor, Mira Horvat, said." in after
    assert verify(index_path).problems == []


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"zebra": BRIDGE, "harvest": HARVEST}, (1, 0, 1, 1, 0)),  # renamed
        ({"bridge": HARVEST, "harvest": BRIDGE}, (0, 2, 0, 0, 0)),  # changed places
        ({"bridge": FERRY, "zebra": BRIDGE, "harvest": HARVEST}, (1, 1, 0, 1, 0)),  # moved on to another file
    ],
)
def test_a_text_that_moves_to_another_file_is_no_copy_of_itself(
    files: dict[str, str], expected: tuple[int, ...], corpus: Path, index_path: Path
) -> None:
    shutil.rmtree(corpus)
    write(corpus, **files)
    assert counts(build(corpus, index_path)) == expected
    assert paths(index_path) == sorted(f"{name}.txt" for name in files)
    assert verify(index_path).problems == []


def test_of_two_files_with_one_text_the_first_is_indexed_and_then_the_second(corpus: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    write(corpus, copy=BRIDGE)
    report = build(corpus, index)
    assert counts(report) == (2, 0, 0, 0, 1)
    assert report.skipped == [
        ("copy.txt", "copy.txt: the same text as bridge.txt, which is in the index; delete one of the two.")
    ]
    assert counts(build(corpus, index)) == (0, 0, 0, 2, 1)

    (corpus / "bridge.txt").unlink()
    assert counts(build(corpus, index)) == (1, 0, 1, 1, 0)
    assert paths(index) == ["copy.txt", "harvest.txt"]


def test_files_that_cannot_be_read_are_skipped_for_a_reason_and_the_rest_is_built(corpus: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    (corpus / "empty.txt").write_bytes(b"")
    (corpus / "binary.txt").write_bytes(bytes(range(256)) * 40)
    (corpus / "dangling.txt").symlink_to(tmp_path / "nowhere.txt")
    with (corpus / "huge.txt").open("wb") as file:
        file.truncate(50_000_000)
    (corpus / "title.txt").write_text("date 2022-01-01 Only a title\n\n")
    (corpus / "folder.txt").mkdir()
    os.mkfifo(corpus / "pipe.txt")
    Path(os.fsdecode(os.fsencode(corpus) + b"/caf\xe9.txt")).write_text("Coffee costs more.")
    (corpus / "badday.txt").write_text("date 2021-02-30 A day that is none\n\nThe calendar was wrong.\n")
    outside.write_text("Outside\n\nThe linked story is read.\n")
    (corpus / "linked.txt").symlink_to(outside)
    report = build(corpus, tmp_path / "index")

    assert counts(report) == (4, 0, 0, 0, 7)
    assert {why.partition(": ")[0]: why.partition(": ")[2] for _, why in report.skipped} == {
        "binary.txt": "this is not text in a known encoding; save it as plain text in UTF-8.",
        "caf\\udce9.txt": "the file's name is not in UTF-8; rename the file.",
        "dangling.txt": "the link points to nothing.",
        "empty.txt": "the file is empty; put the article's text in it.",
        "huge.txt": "50.0 MB is more than the limit of 4 MB; split it into one file per article.",
        "pipe.txt": "there is no such file.",
        "title.txt": "there is no text below the title; put the article's text there.",
    }
    assert report.warnings == [
        ("badday.txt", "first line: '2021-02-30' is not a date; write it as YYYY-MM-DD. Kept without a date.")
    ]
    assert paths(tmp_path / "index") == ["badday.txt", "bridge.txt", "harvest.txt", "linked.txt"]
    assert verify(tmp_path / "index", vectors=False).problems == []
    again = build(corpus, tmp_path / "index")
    assert counts(again) == (0, 0, 0, 4, 7)
    assert again.warnings == report.warnings


def test_an_article_that_becomes_unreadable_leaves_the_index(corpus: Path, index_path: Path) -> None:
    (corpus / "bridge.txt").write_bytes(b"\x00")
    assert counts(build(corpus, index_path)) == (0, 0, 1, 1, 1)
    assert paths(index_path) == ["harvest.txt"]
    assert [text for text in found("bridge over the Lim", index_path, k=50) if "bridge" in text] == []


def test_any_name_will_do_and_readmes_and_hidden_files_are_left_out(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    names = [
        "a b.txt",
        "Vučić 🙂.md",
        "line\nbreak.txt",
        'quote\'s "x".TXT',
        "sub/deep er/-rf.txt",
        "%2e%2e.txt",
        "con.txt",
    ]
    left_out = [".hidden.txt", ".trash/old.txt", "README.md", "sub/readme.txt", "notes.doc", "notxt", "sub/.x/y.txt"]
    for number, name in enumerate([*names, *left_out]):
        path = corpus / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"Story {number}\n\nThe parcel number {number} arrived.\n")
    report = build(corpus, tmp_path / "index")

    assert counts(report) == (7, 0, 0, 0, 0)
    assert paths(tmp_path / "index") == sorted(names)
    assert verify(tmp_path / "index", vectors=False).problems == []
    assert remove(["line\nbreak.txt", "sub/deep er/-rf.txt"], tmp_path / "index").removed == 2
    assert counts(build(corpus, tmp_path / "index")) == (0, 0, 0, 5, 0)


@pytest.mark.parametrize("with_index", [True, False])
def test_a_corpus_may_move_with_its_index_or_alone(
    with_index: bool, corpus: Path, index_path: Path, tmp_path: Path
) -> None:
    (tmp_path / "moved").mkdir()
    moved = corpus.rename(tmp_path / "moved" / "corpus")
    index = index_path.rename(tmp_path / "moved" / "index") if with_index else index_path
    assert counts(build(moved, index)) == (0, 0, 0, 2, 0)
    with closing(open_index(index)) as library:
        assert library.corpus == moved


def test_another_corpus_needs_an_index_of_its_own(corpus: Path, index_path: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other", ferry=FERRY)
    with pytest.raises(IndexStateError) as caught:
        build(other, index_path)
    assert str(caught.value) == (
        f"The index at {index_path} holds the articles of {corpus}. To index {other}, build a second index: "
        "--index NEW_FOLDER"
    )
    assert paths(index_path) == ["bridge.txt", "harvest.txt"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"model": "another/model"}, "model 'all-MiniLM-L6-v2', not 'another/model'"),
        ({"encoding": "cl100k_base"}, "encoding 'clippings', not 'cl100k_base'"),
        ({"passage_tokens": 64}, "passage tokens 160, not 64"),
    ],
)
def test_other_settings_are_refused_with_the_way_out(asked: dict, said: str, corpus: Path, index_path: Path) -> None:  # type: ignore[type-arg]
    with pytest.raises(IndexStateError) as caught:
        build(corpus, index_path, **asked)
    assert str(caught.value) == (
        f"The index at {index_path} was made with {said}. Leave that option out, or build a second "
        "index: --index NEW_FOLDER"
    )
    assert counts(build(corpus, index_path, model="all-MiniLM-L6-v2", passage_tokens=160)) == (0, 0, 0, 2, 0)


def make_old(index: Path, exact: bool = False) -> None:
    """Turn an index into one of an earlier format, as far as anyone can see."""
    with closing(sqlite3.connect(index / "articles.db")) as connection:
        connection.execute("UPDATE meta SET value = '2' WHERE key = 'format'")
        connection.execute("DROP TABLE removals")
        connection.commit()
    (index / FOLDER).mkdir()
    description = {"model": "all-MiniLM-L6-v2", "exported": not exact}
    (index / FOLDER / "encoder.json").write_text(json.dumps(description))


def test_an_index_of_an_earlier_format_says_what_to_run_and_a_build_goes_over_it(corpus: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    build(corpus, index, passage_tokens=40)
    make_old(index)
    with pytest.raises(IndexStateError) as caught:
        open_index(index)
    assert str(caught.value) == (
        f"The index at {index} has format 2; this version of Clippings reads format 4. "
        f"Build it again: python -m index build FOLDER --index {index}"
    )
    report = build(corpus, index)
    assert counts(report) == (2, 0, 0, 0, 0)
    assert report.encoder.startswith("int8 ONNX")
    library = open_index(index)
    assert library.follow().store.settings.passage_tokens == 40  # as it was
    assert retrieve("What did the works cost?", library, k=1)[0].text == "The works cost 3.4 million euros."
    library.close()
    assert not (index / FOLDER).exists()
    assert verify(index).problems == []
    assert counts(build(corpus, index)) == (0, 0, 0, 2, 0)


@pytest.mark.parametrize("exact", [False, True])
def test_a_build_over_an_exact_index_of_an_earlier_format_is_exact(
    exact: bool, corpus: Path, index_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def provide(name: str, index: Path, identity: str | None = None, int8: bool = True) -> object:
        asked.append(int8)
        raise ModelError("No model here.")

    make_old(index_path, exact)
    monkeypatch.setattr("index.creating.provide_encoder", provide)
    with pytest.raises(ModelError, match="No model here"):
        build(corpus, index_path)
    assert asked == [not exact]


def test_an_old_index_of_another_folder_is_not_built_over(index_path: Path, corpus: Path, tmp_path: Path) -> None:
    make_old(index_path)
    other = write(tmp_path / "other", ferry=FERRY)
    with pytest.raises(IndexStateError, match=r"the articles of .*corpus\. To index .*other, build a second index"):
        build(other, index_path)
    with pytest.raises(IndexStateError, match="has format 2"):
        open_index(index_path)


def test_an_index_without_the_description_of_its_encoder_may_be_exact(corpus: Path, index_path: Path) -> None:
    execute(index_path / FILE, "UPDATE meta SET value = ? WHERE key = 'model_hash'", json.dumps("0" * 64))
    with pytest.raises(IndexStateError, match=r"is missing or damaged .* not known whether .* exact encoding"):
        build(corpus, index_path, exact=True)


def test_an_index_that_is_refused_is_closed(
    corpus: Path, index_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[Store] = []
    real = Store.close

    def close(self: Store) -> None:
        closed.append(self)
        real(self)

    monkeypatch.setattr(Store, "close", close)
    with pytest.raises(IndexStateError):
        build(corpus, index_path, passage_tokens=64)
    with pytest.raises(IndexStateError):
        build(write(tmp_path / "other", ferry=FERRY), index_path)
    assert len(closed) == 2


def test_a_passage_budget_is_kept_with_the_index(corpus: Path, tmp_path: Path) -> None:
    assert build(corpus, tmp_path / "small", passage_tokens=40).passages > 2
    write(corpus, ferry=FERRY)
    assert counts(build(corpus, tmp_path / "small")) == (1, 0, 0, 2, 0)
    assert verify(tmp_path / "small").problems == []


def test_weights_that_changed_under_their_name_are_not_mixed(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_model: SmallModel
) -> None:
    monkeypatch.setattr(loading, "ENCODERS", loading.Encoders())  # as in a new process
    index = tmp_path / "index"
    name = small_model(tmp_path)
    build(corpus, index, model=name)
    small_model(tmp_path, seed=8)
    loading.ENCODERS.opened.clear()
    write(corpus, ferry=FERRY)
    assert counts(build(corpus, index)) == (1, 0, 0, 2, 0)  # with the encoder that it was made with
    assert verify(index).problems == []

    loading.ENCODERS.opened.clear()
    shutil.rmtree(index / FOLDER)
    write(corpus, ferry=FERRY + "More.\n")
    with pytest.raises(ModelError, match=r"no longer the one that the index at .*index was made with\."):
        build(corpus, index)
    assert paths(index) == ["bridge.txt", "ferry.txt", "harvest.txt"]
    assert [name for name in files_in(index) if name.startswith(("encoder", ".encoder"))] == []
    assert counts(build(corpus, tmp_path / "new", model=name)) == (3, 0, 0, 0, 0)


def test_a_build_that_cannot_be_is_refused_and_nothing_made(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    index, none = tmp_path / "index", tmp_path / "none"
    for folder, place, said in (
        (none, index, f"There is no folder {none}. Name the folder that holds your articles."),
        (corpus, tmp_path / "file", f"The index folder {tmp_path / 'file'} cannot be written (File exists)."),
        (corpus, corpus, "both the folder of articles and the index"),
    ):
        with pytest.raises(ClippingsError, match=re.escape(said)):
            build(folder, place)
    assert files_in(tmp_path) == ["corpus/bridge.txt", "corpus/harvest.txt", "file"]
    assert (tmp_path / "file").read_text() == "mine"
    with pytest.raises(ClippingsError, match="A passage of 0 tokens is too short; give at least 16"):
        build(corpus, index, passage_tokens=0)


def test_an_empty_folder_makes_an_index_to_add_to_even_inside_it(tmp_path: Path) -> None:
    index = tmp_path / ".index"
    assert counts(build(tmp_path, index)) == (0, 0, 0, 0, 0)
    assert found("Anything?", index) == []
    assert add_text(FERRY, index).added == 1
    assert counts(build(tmp_path, index)) == (0, 0, 0, 1, 0)
    assert found("Which ferry sank?", index, k=1) == ["The ferry Skua sank off Port Ansel."]


def test_a_store_made_anew_does_not_trust_the_lexical_index_of_the_old(corpus: Path, index_path: Path) -> None:
    for path in index_path.glob("articles.db*"):
        path.unlink()
    write(corpus, bridge=FERRY)
    assert counts(build(corpus, index_path)) == (2, 0, 0, 0, 0)
    assert verify(index_path).problems == []


# Adding and removing


def test_a_file_from_elsewhere_is_copied_in(corpus: Path, index_path: Path, tmp_path: Path, encoded: list[str]) -> None:
    outside = write(tmp_path / "else where", **{"My ferry": FERRY}) / "My ferry.txt"
    report = add([outside], index_path)

    assert counts(report) == (1, 0, 0, 0, 0)
    assert report.paths == ["My-ferry.txt"]
    assert (corpus / "My-ferry.txt").read_bytes() == outside.read_bytes() == FERRY.encode()
    assert len(encoded) == 1
    assert counts(add([outside, str(outside)], index_path)) == (0, 0, 0, 1, 0)
    assert counts(build(corpus, index_path)) == (0, 0, 0, 3, 0)
    assert files_in(corpus) == ["My-ferry.txt", "bridge.txt", "harvest.txt"]


def test_a_file_named_twice_is_added_once(index_path: Path, corpus: Path, tmp_path: Path) -> None:
    outside = write(tmp_path / "out", ferry=FERRY) / "ferry.txt"
    assert counts(add([outside, outside, tmp_path / "out" / ".." / "out" / "ferry.txt"], index_path)) == (1, 0, 0, 0, 0)
    write(corpus, own="Mine\n\nMy own words.\n")
    assert counts(add([corpus / "own.txt", corpus / "own.txt"], index_path)) == (1, 0, 0, 0, 0)
    assert counts(remove("ferry.txt", index_path)) == (0, 0, 1, 0, 0)
    assert counts(add(str(outside), index_path)) == (1, 0, 0, 0, 0)  # one needs no list
    assert add("/no/such", index_path).skipped == [("/no/such", "such: there is no such file.")]


def test_a_file_of_the_folder_is_read_again(corpus: Path, index_path: Path) -> None:
    write(corpus, bridge=FERRY)
    assert counts(add([corpus / "bridge.txt"], index_path)) == (0, 1, 0, 0, 0)
    assert found("Which ferry sank?", index_path, k=1) == ["The ferry Skua sank off Port Ansel."]
    (corpus / "bridge.txt").unlink()
    report = add([corpus / "bridge.txt"], index_path)
    assert counts(report) == (0, 0, 1, 0, 1)
    assert report.skipped == [("bridge.txt", "bridge.txt: there is no such file.")]


def test_another_article_is_never_overwritten(corpus: Path, index_path: Path, tmp_path: Path) -> None:
    out = write(tmp_path / "out", bridge=FERRY)
    report = add([out / "bridge.txt"], index_path)

    assert report.skipped == [
        (
            str(out / "bridge.txt"),
            "bridge.txt: the corpus folder has another article with that name; rename one of the two.",
        )
    ]
    assert (corpus / "bridge.txt").read_text() == BRIDGE
    other = write(tmp_path / "other", ferry=FERRY)
    report = add([other / "ferry.txt", out / "bridge.txt"], index_path)  # a refusal costs no other file its place
    assert counts(report) == (1, 0, 0, 0, 1)
    assert (corpus / "ferry.txt").is_file()
    (corpus / "story.txt").mkdir()  # a folder with that name is not an article in the way
    assert add(write(tmp_path / "out", story=STORM) / "story.txt", index_path).paths == ["story-2.txt"]


def test_what_is_refused_is_not_left_in_the_folder(corpus: Path, index_path: Path, tmp_path: Path) -> None:
    out = write(tmp_path / "out", empty="", copy=BRIDGE, ferry=FERRY, ferry2=FERRY)
    (out / "binary.txt").write_bytes(b"\x00\x01")
    (out / "story.pdf").write_bytes(b"%PDF")
    (out / "folder.txt").mkdir()
    (out / ".hidden.txt").write_text(FERRY)
    (corpus / "README.md").write_text("About")
    names = ["empty.txt", "binary.txt", "story.pdf", "folder.txt", "none.txt", "copy.txt", "ferry.txt", "ferry2.txt"]
    report = add([*[out / name for name in names], corpus / "README.md"], index_path)

    assert counts(report) == (1, 0, 0, 0, 8)
    assert [why for _, why in report.skipped] == [
        "empty.txt: the file is empty; put the article's text in it.",
        "binary.txt: this is not text in a known encoding; save it as plain text in UTF-8.",
        "story.pdf: an article is a .txt or .md file; save it as one.",
        "folder.txt: there is no such file.",
        "none.txt: there is no such file.",
        "README.md: hidden files and READMEs are not articles; give it another name.",
        "copy.txt: the same text as bridge.txt, which is in the index; delete one of the two.",
        "ferry2.txt: the same text as ferry.txt, which is in the index; delete one of the two.",
    ]
    assert files_in(corpus) == ["README.md", "bridge.txt", "ferry.txt", "harvest.txt"]
    assert files_in(out) == sorted(
        [".hidden.txt", "binary.txt", "copy.txt", "empty.txt", "ferry.txt", "ferry2.txt", "story.pdf"]
    )


def test_adding_needs_an_index(tmp_path: Path) -> None:
    for act in (
        lambda: add([], tmp_path / "x"),
        lambda: remove([], tmp_path / "x"),
        lambda: add_text("T.", tmp_path / "x"),
    ):
        with pytest.raises(IndexStateError, match="There is no index at"):
            act()
    assert files_in(tmp_path) == []


def test_a_pasted_text_is_an_article_with_what_was_said_of_it(corpus: Path, index_path: Path) -> None:
    title = '"Never," he said: "no"'
    report = add_text(
        "The ferry Skua sank.\n\nNine were saved.", index_path, title=title, date="2022-06-07", source=" Test  Post "
    )

    assert counts(report) == (1, 0, 0, 0, 0)
    with closing(open_index(index_path)) as library:
        (info,) = [info for info in library.articles() if info.path == report.paths[0]]
        article = library.article(info.id)
    assert article
    assert (article.title, str(article.date), article.source) == (title, "2022-06-07", "Test Post")
    assert article.text[article.body_start :].strip() == "The ferry Skua sank.\n\nNine were saved."
    assert counts(build(corpus, index_path)) == (0, 0, 0, 3, 0)


@pytest.mark.parametrize(
    ("text", "date", "said"),
    [
        ("Text.", "yesterday", "front matter: 'yesterday' is not a date; write it as YYYY-MM-DD."),
        ("Text.", "2022-02-30", "front matter: '2022-02-30' is not a date; write it as YYYY-MM-DD."),
        (" \n", "", "There is no text to add; paste the article's text."),
        (
            "a\x00b",
            "",
            "The pasted text: this is not text in a known encoding; save it as plain text in UTF-8.",
        ),
    ],
)
def test_a_pasted_text_is_refused_whole(text: str, date: str, said: str, corpus: Path, index_path: Path) -> None:
    with pytest.raises(ArticleError) as caught:
        add_text(text, index_path, title="T", date=date)
    assert str(caught.value) == said
    assert files_in(corpus) == ["bridge.txt", "harvest.txt"]


def test_a_pasted_text_that_is_there_already_is_not_kept(corpus: Path, index_path: Path) -> None:
    report = add_text(BRIDGE, index_path)
    assert (report.added, [why.partition(": ")[2] for _, why in report.skipped]) == (
        0,
        ["the same text as bridge.txt, which is in the index; delete one of the two."],
    )
    with pytest.raises(ArticleError) as caught:
        add_text("Word. " * 700_000, index_path, title="Too long")
    assert str(caught.value) == (
        "The pasted text: 4.2 MB is more than the limit of 4 MB; split it into one file per article."
    )
    assert files_in(corpus) == ["bridge.txt", "harvest.txt"]


def test_what_is_removed_is_moved_to_the_trash_and_never_overwritten(corpus: Path, index_path: Path) -> None:
    for text in (BRIDGE, FERRY, HARVEST.replace("600", "700")):
        write(corpus, bridge=text)
        add([corpus / "bridge.txt"], index_path)
        assert counts(remove(["bridge.txt", "bridge.txt"], index_path)) == (0, 0, 1, 0, 0)

    trash = sorted((corpus / ".trash").iterdir())
    assert len(trash) == 3
    assert {path.read_text() for path in trash} == {BRIDGE, FERRY, HARVEST.replace("600", "700")}
    assert paths(index_path) == ["harvest.txt"]
    assert counts(build(corpus, index_path)) == (0, 0, 0, 1, 0)
    assert [
        text for text in found("bridge ferry sailors", index_path, k=50) if "erry" in text or "bridge" in text
    ] == []


def test_a_name_that_the_index_does_not_hold_is_reported(corpus: Path, index_path: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text(FERRY)
    report = remove(["../outside.txt", "nothing.txt", str(corpus / "bridge.txt")], index_path)
    assert report.removed == 0
    assert report.skipped[0] == ("../outside.txt", "../outside.txt: the index has no article with this name.")
    assert len(report.skipped) == 3
    assert (tmp_path / "outside.txt").is_file()
    (corpus / "bridge.txt").unlink()
    assert remove(["bridge.txt"], index_path).removed == 1


# What a library fails on

STORM = "The storm\n\nThe storm tore off nine roofs. Nobody was hurt.\n"
TROUBLE = "The trouble\n\nThe gargoyle fell. It hit nobody.\n"
SAID = "a library fails on this text ({}); try again, or remove what is unusual in it."


class PanicException(BaseException):
    """As a library in Rust panics: no Exception."""


@pytest.fixture(params=["splitting", "encoding", "reading"])
def failing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A library that fails on every text with a gargoyle in it; what an ArticleError says of that."""
    import sentencex

    boundaries, encode, header = (
        sentencex.get_sentence_boundaries,
        TokenEncoder.encode_passages,
        read_article_header,
    )

    def split(language: str, text: str) -> Any:
        if "gargoyle" in text:
            raise PanicException("byte index 16 is not\na char boundary")
        return boundaries(language, text)

    def encode_passages(self: TokenEncoder, passages: list[PassageText]) -> list[PassageVectors]:
        if any("gargoyle" in passage.text for passage in passages):
            raise RuntimeError
        return encode(self, passages)

    def read_header(text: str, name: str) -> Any:
        if "gargoyle" in text:
            raise RecursionError("maximum recursion depth exceeded")
        return header(text, name)

    if request.param == "splitting":
        monkeypatch.setattr(sentencex, "get_sentence_boundaries", split)
        return SAID.format("PanicException: byte index 16 is not")
    if request.param == "encoding":
        monkeypatch.setattr(TokenEncoder, "encode_passages", encode_passages)
        return SAID.format("RuntimeError")
    monkeypatch.setattr(articles, "read_header", read_header)
    return SAID.format("RecursionError: maximum recursion depth exceeded")


def test_an_article_that_a_library_fails_on_is_skipped_and_the_rest_is_built(
    failing: str, corpus: Path, tmp_path: Path
) -> None:
    write(corpus, gargoyle=TROUBLE, storm=STORM)
    told: list[tuple[int, int, str]] = []
    report = build(corpus, tmp_path / "index", progress=lambda *what: told.append(what))

    assert counts(report) == (3, 0, 0, 0, 1)
    assert report.skipped == [("gargoyle.txt", f"gargoyle.txt: {failing}")]
    assert paths(tmp_path / "index") == ["bridge.txt", "harvest.txt", "storm.txt"]
    assert sorted(name for _, _, name in told) == ["bridge.txt", "gargoyle.txt", "harvest.txt", "storm.txt"]
    assert [(done, total) for done, total, _ in told] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert found("What did the storm do?", tmp_path / "index", k=1) == ["The storm tore off nine roofs."]
    assert (corpus / "gargoyle.txt").read_text() == TROUBLE
    with closing(open_index(tmp_path / "index")) as library:
        generation = library.generation
        assert counts(build(corpus, tmp_path / "index")) == (0, 0, 0, 3, 1)
        assert library.generation == generation  # nothing has changed
    problems = verify(tmp_path / "index").problems
    assert [problem for problem in problems if not problem.startswith("gargoyle.txt is not in the index.")] == []


def test_an_article_that_becomes_one_that_a_library_fails_on_stays_as_it_was(
    failing: str, corpus: Path, index_path: Path
) -> None:
    write(corpus, bridge=TROUBLE)
    report = add(corpus / "bridge.txt", index_path)
    assert counts(report) == (0, 0, 0, 0, 1)
    assert report.skipped == [("bridge.txt", f"bridge.txt: {failing}")]
    assert report.failed == ["bridge.txt"]
    assert paths(index_path) == ["bridge.txt", "harvest.txt"]
    assert (corpus / "bridge.txt").read_text() == TROUBLE


def test_an_encoder_that_fails_on_every_article_ends_the_build_and_empties_nothing(
    corpus: Path, index_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("bad allocation")

    write(corpus, bridge=BRIDGE + "More.\n", harvest=HARVEST + "More.\n", ferry=FERRY)
    with monkeypatch.context() as patch:
        patch.setattr(TokenEncoder, "encode_passages", fail)
        with pytest.raises(ClippingsError, match=r"on each of 3 articles .*\(RuntimeError: bad allocation\)"):
            build(corpus, index_path)
    assert paths(index_path) == ["bridge.txt", "harvest.txt"]
    assert counts(build(corpus, index_path)) == (1, 2, 0, 0, 0)


def test_an_added_article_that_a_library_fails_on_is_not_kept_and_the_others_are(
    failing: str, corpus: Path, index_path: Path, tmp_path: Path
) -> None:
    out = write(tmp_path / "out", gargoyle=TROUBLE, storm=STORM)
    report = add([out / "gargoyle.txt", out / "storm.txt"], index_path)
    assert counts(report) == (1, 0, 0, 0, 1)
    assert [why for _, why in report.skipped] == [f"gargoyle.txt: {failing}"]
    assert paths(index_path) == ["bridge.txt", "harvest.txt", "storm.txt"]
    assert files_in(corpus) == ["bridge.txt", "harvest.txt", "storm.txt"]
    assert files_in(out) == ["gargoyle.txt", "storm.txt"]
    try:
        said = [why for _, why in add_text(TROUBLE, index_path, title="Gargoyle").skipped]
    except ArticleError as error:
        said = [str(error)]
    assert [why.partition(": ")[2] for why in said] == [failing]
    assert files_in(corpus) == ["bridge.txt", "harvest.txt", "storm.txt"]
    assert counts(build(corpus, index_path)) == (0, 0, 0, 3, 0)


def test_the_text_that_made_the_splitter_panic_is_indexed(corpus: Path, index_path: Path) -> None:
    text = "The plan\n\nThey chose plan B\u00a0. It worked by noon.\n"
    assert counts(add_text(text, index_path)) == (1, 0, 0, 0, 0)
    with closing(open_index(index_path)) as library:
        hit = retrieve("When did it work?", library, k=1)[0]
    assert (hit.text, hit.start) == ("It worked by noon.", hit.article.text.index("It worked"))
    assert verify(index_path).problems == []


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, MemoryError, ModelError("The model is gone.")])
def test_what_is_not_an_articles_fault_ends_the_build_and_leaves_no_file(
    trouble: Any, corpus: Path, index_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise trouble

    out = write(tmp_path / "out", ferry=FERRY, storm=STORM)
    monkeypatch.setattr(TokenEncoder, "encode_passages", fail)
    expected = trouble if isinstance(trouble, type) else type(trouble)
    for act in (
        lambda: add([out / "ferry.txt", out / "storm.txt"], index_path),
        lambda: add_text(FERRY, index_path, title="Ferry"),
    ):
        with pytest.raises(expected):
            act()
        assert files_in(corpus) == ["bridge.txt", "harvest.txt"]
    assert paths(index_path) == ["bridge.txt", "harvest.txt"]


def test_of_each_file_is_said_one_thing(corpus: Path, tmp_path: Path) -> None:
    remark = "first line: '2021-02-30' is not a date; write it as YYYY-MM-DD. Kept without a date."
    text = "date 2021-02-30 A day that is none\n\nThe calendar was wrong.\n"
    write(corpus, a=text, b=text, empty="")
    for unchanged in (False, True):
        report = build(corpus, tmp_path / "index")
        assert (report.unchanged > 0) is unchanged
        assert report.warnings == [("a.txt", remark)]
        assert [name for name, _ in report.skipped] == ["b.txt", "empty.txt"]


# Of one addition


def test_what_is_added_is_parsed_once(
    corpus: Path, index_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []
    real = articles._parse

    def parse(data: bytes, name: str) -> Any:
        parsed.append(name)
        return real(data, name)

    monkeypatch.setattr(articles, "_parse", parse)
    out = write(tmp_path / "out", ferry=FERRY)
    assert add(out / "ferry.txt", index_path).paths == ["ferry.txt"]
    assert add(out / "ferry.txt", index_path).unchanged == 1
    assert add_text(STORM, index_path, title="Storm").paths == ["Storm.txt"]
    write(corpus, own="Mine\n\nMy own words.\n")
    assert add(corpus / "own.txt", index_path).paths == ["own.txt"]
    assert parsed == ["ferry.txt", "ferry.txt", "The pasted text", "own.txt"]
    assert paths(index_path) == ["Storm.txt", "bridge.txt", "ferry.txt", "harvest.txt", "own.txt"]


DYING = """
import os, signal, sys
os.link = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
from index import add
add(sys.argv[1], sys.argv[2])
"""


@pytest.mark.parametrize("then", ["build", "add"])
def test_what_a_killed_addition_leaves_in_the_folder_is_swept(
    then: str, corpus: Path, index_path: Path, tmp_path: Path
) -> None:
    out = write(tmp_path / "out", ferry=FERRY)
    assert python("-c", DYING, out / "ferry.txt", index_path).returncode == -9
    (left,) = corpus.glob(".*.tmp")
    other = corpus / ".notes.tmp"
    other.write_text("mine")
    os.utime(other, (0, 0))

    def act() -> None:
        build(corpus, index_path) if then == "build" else add(out / "ferry.txt", index_path)

    act()
    assert left.read_text() == FERRY  # another index of the same folder might be writing it
    os.utime(left, (time.time() - files.STALE_SECONDS - 60,) * 2)
    act()
    assert sorted(corpus.glob(".*")) == [other]


def test_a_copy_that_cannot_be_written_leaves_nothing(
    corpus: Path, index_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    out = write(tmp_path / "out", ferry=FERRY)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        add(out / "ferry.txt", index_path)
    assert files_in(corpus) == ["bridge.txt", "harvest.txt"]


def test_articles_that_are_no_files_can_be_indexed(tmp_path: Path) -> None:
    given = [parse_article(text.encode(), name) for name, text in (("a", FERRY), ("b", STORM))]
    assert counts(index_articles(given, tmp_path, tmp_path / "index")) == (2, 0, 0, 0, 0)
    assert counts(index_articles(given, tmp_path, tmp_path / "index")) == (0, 0, 0, 2, 0)
    assert paths(tmp_path / "index") == ["a", "b"]
    assert found("What did the storm do?", tmp_path / "index", k=1) == ["The storm tore off nine roofs."]


# Several at once


HOLDER = """
import sys
from pathlib import Path
from index.storage.locking import BuildLock
with BuildLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(index_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that is writing to the index until it is told to end."""
    command = [sys.executable, "-c", HOLDER, str(index_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_build_names_the_process_it_would_have_to_wait_for(
    holder: subprocess.Popen[str], corpus: Path, index_path: Path
) -> None:
    pattern = (
        rf"^Process {holder.pid} \(building since \d\d:\d\d:\d\d\) is writing to the index at .*index\. Wait until"
    )
    for act in (
        lambda: build(corpus, index_path, wait=0.1),
        lambda: add([corpus / "bridge.txt"], index_path, wait=0),
        lambda: remove(["bridge.txt"], index_path, wait=0),
    ):
        with pytest.raises(IndexBusyError, match=pattern):
            act()
    assert found("Who is the mayor?", index_path, k=1)  # asking waits for nobody


def test_a_second_build_waits_for_the_first(holder: subprocess.Popen[str], corpus: Path, index_path: Path) -> None:
    assert holder.stdin
    threading.Timer(0.5, holder.stdin.close).start()
    start = time.perf_counter()
    assert counts(build(corpus, index_path, wait=30)) == (0, 0, 0, 2, 0)
    assert 0.3 < time.perf_counter() - start < 20
    assert not (index_path / "build.json").exists()


def test_a_holder_that_was_killed_holds_nothing(holder: subprocess.Popen[str], corpus: Path, index_path: Path) -> None:
    holder.kill()
    holder.wait()
    assert counts(build(corpus, index_path, wait=5)) == (0, 0, 0, 2, 0)


def test_builds_in_two_threads_take_turns(corpus: Path, tmp_path: Path) -> None:
    reports: list[BuildReport] = []
    together(*[lambda: reports.append(build(corpus, tmp_path / "index"))] * 2)
    assert sorted(map(counts, reports)) == [(0, 0, 0, 2, 0), (2, 0, 0, 0, 0)]


def test_a_lock_is_had_again_once_released(tmp_path: Path) -> None:
    lock = BuildLock(tmp_path / "index", wait=0)
    for _ in range(2):
        with lock, pytest.raises(IndexBusyError), BuildLock(tmp_path / "index", wait=0):
            pass
        assert lock.try_acquire("trying")
        assert not BuildLock(tmp_path / "index").try_acquire("trying too")
        lock.release()


# Killed


DRIVER = '''
"""For each moment fork a build that is killed, or kills itself, at that moment.

Each loads the encoder itself: the threads that run a network do not survive a fork.
"""
import os, signal, sys, time
from pathlib import Path
import faiss, onnxruntime, sentencex, tantivy, tiktoken, tokenizers
from index import builder
from index.storage import lexical, store

builder._BATCH_CHARS = 1  # every article is a transaction

def dying(module, name, nth, after):
    real, calls = getattr(module, name), []
    def wrapper(*values, **named):
        calls.append(1)
        if len(calls) == nth and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*values, **named)
        if len(calls) == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(module, name, wrapper)

home = Path(sys.argv[1])
for moment in sys.argv[2:]:
    child = os.fork()
    if not child:
        name, _, nth = moment.partition("@")
        if name == "create":
            dying(store.Settings, "__init__", 1, True)
        elif name == "insert":  # within a transaction
            dying(store, "_insert", int(nth), True)
        elif name == "committed":  # in the store, not in tantivy
            dying(builder, "catch_up", int(nth), False)
        elif name == "between":  # tantivy has the passages, not the sentences
            dying(lexical, "_update", 2 * int(nth) - 1, True)
        elif name == "unnoted":  # tantivy has both and does not know it
            dying(lexical, "_update", 2 * int(nth), True)
        elif name == "checkpoint":
            dying(store.Store, "checkpoint", 1, False)
        builder.build(home / "corpus", home / moment)
        os._exit(0)
    if moment.startswith("after"):
        time.sleep(float(moment.partition("@")[2]))
        os.kill(child, signal.SIGKILL)
    print(moment, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
'''
COMMITTED = {
    "create": None,
    "insert@1": 0,
    "insert@7": 6,
    "committed@1": 1,
    "committed@5": 5,
    "between@1": 1,
    "between@4": 4,
    "unnoted@9": 9,
    "checkpoint": 12,
}
AT_SOME_TIME = ["after@0.2", "after@0.5", "after@0.9"]
CITIES = "Ansel Brno Cairo Delhi Essen Faro Graz Haifa Izmir Jena Kyoto Lima".split()


def story(city: str) -> str:
    return f"News from {city}\n\nA red parcel arrived in {city} by train. Its sender is unknown to the police.\n"


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of twelve articles, and for each moment an index whose build was killed then."""
    home = tmp_path_factory.mktemp("killed")
    write(home / "corpus", **{city.lower(): story(city) for city in CITIES})
    moments = [*COMMITTED, *AT_SOME_TIME]
    done = python("-c", DRIVER, home, *moments)
    assert done.stderr == ""
    codes = dict(line.split() for line in done.stdout.splitlines())
    assert {codes[moment] for moment in COMMITTED} == {"-9"}
    assert list(codes) == moments
    return home


@pytest.mark.parametrize("moment", [*COMMITTED, *AT_SOME_TIME])
def test_a_build_that_was_killed_leaves_whole_articles_and_the_next_one_goes_on(
    moment: str, killed: Path, tmp_path: Path
) -> None:
    shutil.copytree(killed / "corpus", tmp_path / "corpus")
    index = tmp_path / "index"
    if (killed / moment).exists():
        shutil.copytree(killed / moment, index)
    before: list[str] = []
    if (index / "articles.db").exists():
        library = open_index(index)
        before = sorted(info.path for info in library.articles())
        for name in before:
            city = name.removesuffix(".txt").capitalize()
            hit = retrieve(f"What arrived in {city}?", library, k=1)[0]
            assert (hit.article.path, hit.text) == (name, f"A red parcel arrived in {city} by train.")
        library.close()
        missing = sorted({f"{city.lower()}.txt" for city in CITIES} - set(before))
        problems = verify(index, vectors=False).problems
        assert [problem.split(" is not in the index")[0] for problem in problems] == missing
    if moment in COMMITTED:
        assert (len(before) if (index / "articles.db").exists() else None) == COMMITTED[moment]
    else:
        assert before == sorted(f"{city.lower()}.txt" for city in CITIES)[: len(before)]

    assert counts(build(tmp_path / "corpus", index)) == (12 - len(before), 0, 0, len(before), 0)
    assert verify(index).problems == []


def test_a_library_that_is_open_while_its_builder_dies_goes_on(killed: Path, tmp_path: Path) -> None:
    shutil.copytree(killed / "corpus", tmp_path / "corpus")
    shutil.copytree(killed / "committed@5", tmp_path / "index")
    library: Library = open_index(tmp_path / "index")
    build(tmp_path / "corpus", tmp_path / "index")
    assert retrieve("What arrived in Lima?", library, k=1)[0].text == "A red parcel arrived in Lima by train."
    library.close()


def test_a_folder_that_cannot_be_read_loses_nothing(
    corpus: Path, index_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (corpus / "closed").mkdir()
    real = os.scandir

    def scandir(path: Any) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(ClippingsError, match=r"closed cannot be read \(Permission denied\)"):
        build(corpus, index_path)
    assert [info.path for info in open_index(index_path).articles()] == ["harvest.txt", "bridge.txt"]
