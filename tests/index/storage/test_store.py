"""SQLite, the truth: round trips, ids that are never reused, restrictions, and files that are not as they should be."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from index.errors import IndexStateError
from index.reading.articles import Article
from index.reading.passages import Passage, Sentence
from index.storage.database import FILE
from index.storage.rows import EncodedArticle, PassageRow, Removal, Restriction, SentenceRow, TextRow
from index.storage.store import Store
from tests.running import python, together
from tests.stored import DIMENSION, SETTINGS, encoded, execute, new_store, with_vectors

RIVER = "date 2022-03-04 The river\nsource: Test Wire\n\nThe river rose. Nobody was hurt. The ferry sank.\n"
FROST = "date 2022-05-11 Frost in May\nsource: test  WIRE\n\nThe blossom froze. Farmers had no cover.\n"
GRAIN = "Grain leaves port\n\nThe first ship sailed.\n"
DAY = datetime.date.fromisoformat


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """River (passages 1 and 2, sentences 1 to 3), frost (3; 4 and 5) and grain (4; 6)."""
    made = new_store(tmp_path)
    made.apply([encoded("river.txt", RIVER, 0), encoded("frost.txt", FROST, 1), encoded("sub/grain.txt", GRAIN, 2)])
    return made


def texts(store: Store) -> list[str]:
    return [row.text for row in store.sentences_after(0)]


def test_a_new_store_is_empty_and_knows_its_settings(tmp_path: Path) -> None:
    store = new_store(tmp_path)

    assert (store.generation, store.counts(), store.known(), store.articles()) == (0, (0, 0, 0), {}, [])
    assert store.settings == Store.open(tmp_path / "index").settings == SETTINGS
    assert store.corpus == tmp_path / "corpus"
    assert store.passage_ids(Restriction()).tolist() == []
    assert list(store.vectors_after(0)) == []
    assert {path.name.removesuffix("-wal").removesuffix("-shm") for path in store.directory.iterdir()} == {FILE}


def test_every_field_of_an_article_comes_back(tmp_path: Path) -> None:
    text = "---\ntitle: Ćevapi 🥟 and “peace”\n---\n𝔘nicode: Vučić’s  line\u2028goes on.\tTab. \n"
    article = Article(
        path="a b/Ćevapi\n'quoted\".txt",
        text=text,
        title_start=11,
        title_end=31,
        body_start=36,
        date=DAY("0987-06-05"),
        source="Straße  Wire",
        url="https://example.org/?a=1&b=2",
        author="J. Doe",
        hash="ab" * 32,
        warning="front matter: 'x' is not a date.",
    )
    store = new_store(tmp_path)
    store.apply([with_vectors(article, np.ones(DIMENSION) / 2)])

    assert store.article(1) == dataclasses.replace(article, id=1)
    assert store.article(2) is None
    (info,) = store.articles()
    assert (info.id, info.path, info.date, info.source) == (1, article.path, article.date, article.source)
    assert info.title == article.title == "Ćevapi 🥟 and “peace”"
    assert store.known() == {article.path: (1, article.hash)}
    for row in (*store.sentences_after(0), *store.passages_after(0)):
        assert row.text in text
        assert (row.date, row.source) == (article.date, article.source)
    spans, _ = store.sentences_of([1])
    assert [text[s.start : s.end] for s in spans] == texts(store) == ["𝔘nicode: Vučić’s  line\u2028goes on.", "Tab."]


def test_rows_are_numbered_from_one_in_order(store: Store) -> None:
    assert store.generation == 1
    assert store.counts() == (3, 4, 6)
    assert store.article(3) == dataclasses.replace(encoded("sub/grain.txt", GRAIN).article, id=3)  # nothing stated
    assert [store.passages_of(article) for article in (1, 2, 3, 4)] == [[1, 2], [3], [4], []]
    rows, vectors = store.sentences_of([3, 1, 999])
    assert [(row.id, row.passage, row.article) for row in rows] == [(1, 1, 1), (2, 1, 1), (4, 3, 2), (5, 3, 2)]
    start = RIVER.index("The river rose.")
    assert rows[0] == SentenceRow(1, 1, 1, start, start + len("The river rose."))
    assert vectors.tolist() == np.eye(4)[[0, 0, 1, 1]].tolist()
    assert store.passages_holding([6, 2, 3, 77]) == {1, 2, 4}
    assert list(store.sentences_after(5)) == [TextRow(6, "The first ship sailed.", None, None)]
    assert [row.text for row in store.passages_after(1)] == [
        "The ferry sank.",
        "The blossom froze. Farmers had no cover.",
        "The first ship sailed.",
    ]


def test_empty_questions_have_empty_answers(store: Store) -> None:
    rows, vectors = store.sentences_of([])
    assert (rows, vectors.shape) == ([], (0, DIMENSION))
    assert (store.passage_rows([]), store.passages_holding([])) == ({}, set())


def test_thousands_of_ids_may_be_asked_for_at_once(store: Store) -> None:
    many = list(range(1, 5000))
    assert len(store.sentences_of(many)[0]) == 6
    assert sorted(store.passage_rows(many)) == [1, 2, 3, 4]
    assert store.passages_holding(many) == {1, 2, 3, 4}


def test_vectors_are_kept_to_half_precision(tmp_path: Path) -> None:
    vector = np.random.default_rng(1).normal(size=DIMENSION).astype(np.float32)
    vector /= np.linalg.norm(vector)
    store = new_store(tmp_path)
    store.apply([with_vectors(encoded("a.txt", RIVER).article, vector)])
    half = vector.astype(np.float16).astype(np.float32)

    row = store.passage_rows([1])[1]
    assert row.vector.dtype == np.float32
    assert row.vector.tolist() == store.sentences_of([1])[1][0].tolist() == half.tolist()
    assert float(row.vector @ vector) > 0.999
    assert PassageRow(row.id, row.article, row.start, row.end, half).start == RIVER.index("The river rose.")


def test_vectors_come_in_blocks(store: Store) -> None:
    blocks = [(ids.tolist(), vectors.argmax(axis=1).tolist()) for ids, vectors in store.vectors_after(1, rows=2)]
    assert blocks == [([2, 3], [0, 1]), ([4], [2])]


def test_an_article_stored_again_under_its_path_leaves_nothing_of_the_old(store: Store, tmp_path: Path) -> None:
    assert store.apply([encoded("river.txt", "The river fell.\n", 3)]) == 2

    assert store.counts() == (3, 3, 4)
    assert texts(store) == ["The blossom froze.", "Farmers had no cover.", "The first ship sailed.", "The river fell."]
    assert store.article(1) is None
    assert store.known()["river.txt"][0] == 4
    assert store.removals_since(1) == [Removal((1, 2), (1, 3))]
    assert store.removals_since(2) == []
    store.checkpoint()
    with closing(sqlite3.connect(tmp_path / "index" / FILE)) as connection:
        orphans = "SELECT count(*) FROM sentences WHERE passage NOT IN (SELECT id FROM passages)"
        assert connection.execute(orphans).fetchone() == (0,)


def test_ids_are_never_used_again(store: Store) -> None:
    store.apply([], [3])  # the last article, passage 4 and sentence 6
    store.apply([encoded("new.txt", "Something new.")])

    assert store.known()["new.txt"][0] == 4
    assert store.passages_of(4) == [5]
    assert [row.id for row in store.sentences_after(5)] == [7]
    assert store.removals_since(0) == [Removal((4, 4), (6, 6))]


def test_removing_what_is_not_there_changes_nothing_but_the_generation(store: Store) -> None:
    assert store.apply([], [77]) == 2
    assert store.counts() == (3, 4, 6)
    assert store.removals_since(0) == []


def test_what_fails_half_way_is_undone(store: Store) -> None:
    wrong = encoded("wrong.txt", RIVER)
    short = EncodedArticle(wrong.article, wrong.passages, wrong.passage_vectors[:1], wrong.sentence_vectors)
    with pytest.raises(ValueError, match="shorter"):
        store.apply([encoded("good.txt", GRAIN), short], [1])

    assert (store.generation, store.counts()) == (1, (3, 4, 6))
    assert store.apply([], [1]) == 2


def test_articles_are_listed_latest_first_and_the_undated_last(store: Store) -> None:
    assert [(info.path, info.title) for info in store.articles()] == [
        ("frost.txt", "Frost in May"),
        ("river.txt", "The river"),
        ("sub/grain.txt", "Grain leaves port"),
    ]
    assert store.undated() == 1
    assert store.sources() == ["Test Wire"]  # one source, in whatever case it is written


def test_a_text_that_is_there_already_is_known(store: Store) -> None:
    assert store.same_text(encoded("copy.txt", RIVER).article) == ["river.txt"]
    assert store.same_text(encoded("copy.txt", RIVER + " ").article) == []


@pytest.mark.parametrize(
    ("restriction", "ids"),
    [
        (Restriction(), [1, 2, 3, 4]),
        (Restriction(since=DAY("2022-03-04")), [1, 2, 3]),
        (Restriction(since=DAY("2022-03-05")), [3]),
        (Restriction(until=DAY("2022-05-11")), [1, 2, 3]),
        (Restriction(until=DAY("2022-05-10")), [1, 2]),
        (Restriction(since=DAY("2022-05-11"), until=DAY("2022-05-11")), [3]),
        (Restriction(since=DAY("1000-01-01"), until=DAY("1000-01-02")), []),
        (Restriction(source=" TEST wire "), [1, 2, 3]),
        (Restriction(until=DAY("2022-04-01"), source="Test Wire"), [1, 2]),
        (Restriction(source="Test' OR 1=1 --"), []),
    ],
)
def test_restrictions(restriction: Restriction, ids: list[int], store: Store) -> None:
    assert store.passage_ids(restriction).tolist() == ids
    assert bool(restriction) == (restriction != Restriction())


def test_another_process_and_another_thread_see_what_was_committed(store: Store, tmp_path: Path) -> None:
    other = Store.open(tmp_path / "index")
    assert other.generation == 1
    store.apply([encoded("new.txt", "Something new.")])
    seen: list[tuple[int, int]] = []
    together(lambda: seen.append((other.generation, other.counts()[0])))

    assert (other.generation, other.counts()[0]) == (2, 4)
    assert seen == [(2, 4)]
    other.close()
    store.close()
    assert not list((tmp_path / "index").glob("*-wal"))


def test_the_corpus_folder_may_move(store: Store, tmp_path: Path) -> None:
    store.move_corpus("../elsewhere")
    assert store.corpus == Store.open(tmp_path / "index").corpus == tmp_path / "elsewhere"


# Opening what is not an index


def test_a_missing_index_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(IndexStateError) as caught:
        Store.open(tmp_path / "none")

    index = tmp_path / "none"
    assert str(caught.value) == f"There is no index at {index}. Build it: python -m index build FOLDER --index {index}"
    assert not index.exists()


def test_another_format_is_named_with_what_to_do(store: Store, tmp_path: Path) -> None:
    store.close()
    index = tmp_path / "index"
    execute(index / FILE, "UPDATE meta SET value = '99' WHERE key = 'format'")
    execute(index / FILE, "INSERT INTO meta VALUES ('unheard of', '1')")

    with pytest.raises(IndexStateError) as caught:
        Store.open(index)
    assert str(caught.value) == (
        f"The index at {index} has format 99; this version of Clippings reads format 4. "
        "Update Clippings, or build a second index: --index NEW_FOLDER"
    )


def no_database(path: Path) -> None:
    path.write_bytes(b"This is no database at all. " * 1000)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:6000])


def without_settings(path: Path) -> None:
    execute(path, "DELETE FROM meta WHERE key = 'dimension'")


def without_sense(path: Path) -> None:
    execute(path, "UPDATE meta SET value = '{' WHERE key = 'model'")


@pytest.mark.parametrize("damage", [no_database, empty, half, without_settings, without_sense])
def test_a_damaged_file_is_named_with_what_to_do(damage: Callable[[Path], None], store: Store, tmp_path: Path) -> None:
    store.checkpoint()
    store.close()
    index = tmp_path / "index"
    damage(index / FILE)

    with pytest.raises(IndexStateError) as caught:
        Store.open(index).articles()
    said = str(caught.value)
    assert said.startswith(f"The index at {index} cannot be read (")
    assert said.endswith(f"). Delete {index} and build it again: python -m index build FOLDER --index {index}")


def test_damage_inside_the_file_is_told_when_it_is_met(store: Store, tmp_path: Path) -> None:
    store.apply([encoded(f"{n}.txt", GRAIN + f"Line {n}. " * 50) for n in range(20)])
    store.checkpoint()
    store.close()
    path = tmp_path / "index" / FILE
    data = bytearray(path.read_bytes())
    data[4096 * 14 :] = b"\xff" * (len(data) - 4096 * 14)
    path.write_bytes(data)
    opened = Store.open(tmp_path / "index")

    for read in (lambda: list(opened.sentences_after(0)), opened.articles):
        with pytest.raises(IndexStateError, match=r"cannot be read \(database disk image is malformed\)"):
            read()


def test_a_vector_of_another_length_is_told(store: Store, tmp_path: Path) -> None:
    execute(tmp_path / "index" / FILE, "UPDATE sentences SET vector = x'0000' WHERE id = 2")

    with pytest.raises(IndexStateError, match=r"cannot be read \(a vector has the wrong length\)"):
        store.sentences_of([1])


READ = """
import os, sys
from pathlib import Path
import numpy as np
import index.storage.locking
from index.library import open_index
from index.storage.analysis import analyse
from index.storage.rows import Restriction
open_index(sys.argv[2]).close()  # whom the copy refuses may not be let to the modules either, so load them first
os.seteuid(65534)
library = open_index(sys.argv[1])
try:
    Path(sys.argv[1], "x").touch()
    sys.exit("this folder can be written")
except PermissionError:
    pass
found = library.lexical.search_sentences(analyse("ferry"), 5, Restriction())
rows, _ = library.store.sentences_of(library.store.passages_of(1))
article = library.article(1)
print([article.text[row.start:row.end] for row in rows if row.id in found])
print(library.follow().search_dense(np.eye(4, dtype=np.float32)[1], 1, Restriction()))
print(library.lexical.counts)
"""


@pytest.mark.parametrize("missing", ["nothing", "lexical"])
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user, whom the folder refuses")
def test_a_copy_that_cannot_be_written_opens_and_answers(missing: str, store: Store, tmp_path: Path) -> None:
    from index.storage.lexical import Lexical, catch_up

    catch_up(Lexical(tmp_path / "index" / "lexical"), store)
    store.checkpoint()
    store.close()
    with tempfile.TemporaryDirectory() as folder:  # not pytest's, which let nobody in
        Path(folder).chmod(0o755)
        copy = Path(folder) / "copy"
        shutil.copytree(tmp_path / "index", copy)
        if missing == "lexical":
            shutil.rmtree(copy / "lexical")
        for path in (copy, *copy.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        done = python("-c", READ, copy, tmp_path / "index")
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["['The ferry sank.']", "{3: 1.0}", "(4, 6)"]


def test_passages_and_sentences_are_what_was_given(tmp_path: Path) -> None:
    article = Article(path="a.txt", text="One. Two. Three.")
    passage = Passage(0, 9, (Sentence(0, 4), Sentence(5, 9)))
    store = new_store(tmp_path)
    vectors = np.eye(DIMENSION, dtype=np.float32)
    store.apply([EncodedArticle(article, [passage], vectors[:1], vectors[1:3])])

    rows, found = store.sentences_of([1])
    assert [(row.start, row.end) for row in rows] == [(0, 4), (5, 9)]
    assert found.tolist() == vectors[1:3].tolist()
    assert json.loads(json.dumps(store.counts())) == [1, 1, 2]
