"""The truth of an index: articles, passages, sentences, their vectors and the settings, in one SQLite file.

Everything else in an index directory is derived from this file. One process writes at a time (the
builder holds the lock); any number of threads and processes read meanwhile (WAL). Ids are never
reused, so whoever follows the store needs only what came after the last id it knows, and the list of
removals.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.articles import Article
from index.errors import ClippingsError, IndexStateError
from index.passages import Passage

FORMAT = 2
FILE = "articles.db"
_ID_CHUNK = 500

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE articles (
  id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE, hash TEXT NOT NULL, text_hash TEXT NOT NULL,
  text TEXT NOT NULL, title_start INTEGER NOT NULL, title_end INTEGER NOT NULL, body_start INTEGER NOT NULL,
  date TEXT, source TEXT, source_key TEXT, url TEXT, author TEXT, warning TEXT);
CREATE INDEX articles_by_text ON articles (text_hash);
CREATE INDEX articles_by_date ON articles (date);
CREATE TABLE passages (
  id INTEGER PRIMARY KEY AUTOINCREMENT, article INTEGER NOT NULL REFERENCES articles ON DELETE CASCADE,
  start INTEGER NOT NULL, "end" INTEGER NOT NULL, vector BLOB NOT NULL);
CREATE INDEX passages_by_article ON passages (article);
CREATE TABLE sentences (
  id INTEGER PRIMARY KEY AUTOINCREMENT, passage INTEGER NOT NULL REFERENCES passages ON DELETE CASCADE,
  start INTEGER NOT NULL, "end" INTEGER NOT NULL, vector BLOB NOT NULL);
CREATE INDEX sentences_by_passage ON sentences (passage);
CREATE TABLE removals (
  generation INTEGER NOT NULL, first_passage INTEGER NOT NULL, last_passage INTEGER NOT NULL,
  first_sentence INTEGER NOT NULL, last_sentence INTEGER NOT NULL);
CREATE INDEX removals_by_generation ON removals (generation);
"""

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Settings:
    """What an index was made with; kept in it, and the same for all of its life."""

    model: str
    model_hash: str
    dimension: int
    encoding: str
    """Name of the passage vocabulary."""
    encoding_hash: str
    passage_tokens: int
    corpus: str
    """The corpus folder, relative to the index directory where that is possible; empty in an exported copy."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """What a search is confined to. ``since`` and ``until`` are both included; ``None`` restricts nothing."""

    since: datetime.date | None = None
    until: datetime.date | None = None
    source: str | None = None

    def __bool__(self) -> bool:
        return self.by_date or self.source is not None

    @property
    def by_date(self) -> bool:
        """Whether articles of unknown date are kept out."""
        return self.since is not None or self.until is not None


@dataclass(frozen=True, slots=True)
class ArticleInfo:
    """An article without its text, for listings."""

    id: int
    path: str
    title: str
    date: datetime.date | None
    source: str | None


@dataclass(frozen=True, slots=True)
class EncodedArticle:
    """An article ready to be stored: its passages with their vectors, normalised float32."""

    article: Article
    passages: Sequence[Passage]
    passage_vectors: Vectors
    """Shape (passages, dimension)."""
    sentence_vectors: Vectors
    """Shape (sentences of all passages in order, dimension)."""


@dataclass(frozen=True, slots=True)
class TextRow:
    """A passage or a sentence with its text, as the lexical index takes it in."""

    id: int
    text: str
    date: datetime.date | None
    source: str | None


@dataclass(frozen=True, slots=True)
class PassageRow:
    """A stored passage; offsets into its article's text, and its vector of shape (dimension,)."""

    id: int
    article: int
    start: int
    end: int
    vector: Vectors


@dataclass(frozen=True, slots=True)
class SentenceRow:
    """A stored sentence; offsets into its article's text."""

    id: int
    passage: int
    article: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Removal:
    """The ids that one removed article's passages and sentences had, both ends included."""

    passages: tuple[int, int]
    sentences: tuple[int, int]


def source_key(source: str) -> str:
    """The form in which sources are compared: without case, white space folded."""
    return " ".join(source.casefold().split())


class Store:
    """The SQLite file of one index directory, and of no other that is put in its place.

    Use ``Store.open`` or ``Store.create``.
    """

    def __init__(
        self, directory: Path, settings: Settings, identity: tuple[int, int] | None, anchor: sqlite3.Connection
    ) -> None:
        self.directory = directory
        self.settings = settings
        self._identity = identity
        self._anchor = anchor
        """For threads that come when the file is no longer there. While it is open, no other file has its identity."""
        self._local = threading.local()
        self._connections: list[tuple[weakref.ref[threading.Thread], sqlite3.Connection]] = []
        self._lock = threading.Lock()

    @classmethod
    def create(cls, directory: Path, settings: Settings) -> Store:
        """Make an empty index in a directory. Another index must not be there already."""
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / FILE
        temporary = directory / f".{FILE}.new"
        temporary.unlink(missing_ok=True)
        with closing(sqlite3.connect(temporary)) as connection:
            connection.executescript(_SCHEMA)
            values = {"format": FORMAT, "generation": 0, **dataclasses.asdict(settings)}
            connection.executemany(
                "INSERT INTO meta VALUES (?, ?)", [(key, json.dumps(value)) for key, value in values.items()]
            )
            connection.commit()
            connection.execute("PRAGMA journal_mode = WAL")
        for left_behind in (f"{FILE}-wal", f"{FILE}-shm"):  # by another index: its last changes would be read as ours
            (directory / left_behind).unlink(missing_ok=True)
        temporary.replace(path)
        return cls.open(directory)

    @classmethod
    def open(cls, directory: Path) -> Store:
        """Open an index directory.

        Raises:
            IndexStateError: there is no index, it is damaged, or it is of another format; the message
                says what to run.
        """
        path = directory / FILE
        if not path.is_file():
            raise IndexStateError(
                f"There is no index at {directory}. Build it: python -m index build FOLDER --index {directory}"
            )
        identity = _file_identity(path)
        try:
            connection = _connect(path)
        except sqlite3.DatabaseError as error:
            raise _unreadable(directory, error) from error
        try:
            return cls(directory, _read_settings(connection, directory), identity, connection)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Close every thread's connection."""
        self._anchor.close()
        with self._lock:
            for _, connection in self._connections:
                connection.close()
            self._connections.clear()
            self._local = threading.local()

    @property
    def corpus(self) -> Path:
        """The corpus folder, absolute.

        Raises:
            IndexStateError: there is none, because this is an exported copy.
        """
        if self.exported:
            raise IndexStateError(
                f"The index at {self.directory} is an exported copy: it can be asked, but not changed. "
                "Change the index that it was exported from, and export that again."
            )
        return (self.directory.absolute() / self.settings.corpus).resolve()

    @property
    def exported(self) -> bool:
        """Whether this is a copy that has left its articles' files behind."""
        return not self.settings.corpus

    @property
    def replaced(self) -> bool:
        """Whether another index has been built in the place of this one."""
        return _file_identity(self.directory / FILE) not in (self._identity, None)

    @property
    def generation(self) -> int:
        """Grows with every committed change."""
        return int(self._one("SELECT value FROM meta WHERE key = 'generation'"))

    def counts(self) -> tuple[int, int, int]:
        """How many articles, passages and sentences are stored."""
        names = ("articles", "passages", "sentences")
        return tuple(self._one(f"SELECT count(*) FROM {name}") for name in names)  # type: ignore[return-value]

    # Writing (under the builder's lock)

    def apply(self, added: Sequence[EncodedArticle], removed: Iterable[int] = ()) -> int:
        """Add articles and remove others by id, in one transaction; returns the new generation.

        An added article replaces the one stored under the same path.
        """
        with self._writing() as connection:
            generation = self.generation + 1
            connection.execute("UPDATE meta SET value = ? WHERE key = 'generation'", (json.dumps(generation),))
            paths = [(encoded.article.path,) for encoded in added]
            replaced = [
                row[0] for path in paths for row in connection.execute("SELECT id FROM articles WHERE path = ?", path)
            ]
            for article in {*removed, *replaced}:
                _remove(connection, article, generation)
            for encoded in added:
                _insert(connection, encoded)
        return generation

    def move_corpus(self, corpus: str) -> None:
        """Record where the corpus folder is now, relative to the index directory."""
        with self._writing() as connection:
            connection.execute("UPDATE meta SET value = ? WHERE key = 'corpus'", (json.dumps(corpus),))
        self.settings = dataclasses.replace(self.settings, corpus=corpus)

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the file, so that a copy of the directory is whole."""
        self._connection().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    # Reading

    def known(self, paths: Iterable[str] | None = None) -> dict[str, tuple[int, str]]:
        """Id and content hash of the stored articles, by path: of all, or of those among the paths given."""
        query = "SELECT path, id, hash FROM articles"
        if paths is None:
            rows = self._all(query)
        else:
            rows = [row for path in paths for row in self._all(f"{query} WHERE path = ?", (path,))]
        return {path: (id_, hash_) for path, id_, hash_ in rows}

    def same_text(self, article: Article) -> list[str]:
        """Paths of stored articles whose text is this article's to the letter."""
        rows = self._all("SELECT path FROM articles WHERE text_hash = ? ORDER BY id", (_text_hash(article.text),))
        return [path for (path,) in rows]

    def article(self, id_: int) -> Article | None:
        """A stored article, or None if it is no longer there."""
        rows = self._all(
            "SELECT path, text, title_start, title_end, body_start, date, source, url, author, hash, warning, id "
            "FROM articles WHERE id = ?",
            (id_,),
        )
        if not rows:
            return None
        fields = [field.name for field in dataclasses.fields(Article)]
        values = dict(zip(fields, rows[0], strict=True))
        values["date"] = _date(values["date"])
        return Article(**values)

    def articles(self) -> list[ArticleInfo]:
        """All articles without their texts, the latest first, those of unknown date last."""
        rows = self._all(
            "SELECT id, path, substr(text, title_start + 1, title_end - title_start), date, source "
            "FROM articles ORDER BY date IS NULL, date DESC, path"
        )
        return [
            ArticleInfo(id_, path, " ".join(title.split()) or Path(path).stem, _date(date), source)
            for id_, path, title, date, source in rows
        ]

    def sources(self) -> list[str]:
        """The stated sources, each once, in alphabetical order."""
        rows = self._all("SELECT min(source) FROM articles WHERE source IS NOT NULL GROUP BY source_key ORDER BY 1")
        return [source for (source,) in rows]

    def undated(self, source: str | None = None) -> int:
        """How many articles, of a source if one is given, state no date."""
        query = "SELECT count(*) FROM articles WHERE date IS NULL AND (? IS NULL OR source_key = ?)"
        key = source_key(source) if source is not None else None
        return int(self._all(query, (key, key))[0][0])

    def passages_of(self, article: int) -> list[int]:
        """The ids of an article's passages, in order."""
        return [id_ for (id_,) in self._all("SELECT id FROM passages WHERE article = ? ORDER BY id", (article,))]

    def passage_ids(self, restriction: Restriction) -> NDArray[np.int64]:
        """The ids of the passages that a restriction admits, ascending, shape (n,)."""
        conditions, values = ["1"], []
        if restriction.since is not None:
            conditions.append("a.date >= ?")
            values.append(restriction.since.isoformat())
        if restriction.until is not None:
            conditions.append("a.date <= ?")
            values.append(restriction.until.isoformat())
        if restriction.source is not None:
            conditions.append("a.source_key = ?")
            values.append(source_key(restriction.source))
        rows = self._all(
            "SELECT p.id FROM passages p JOIN articles a ON a.id = p.article "
            f"WHERE {' AND '.join(conditions)} ORDER BY p.id",
            values,
        )
        return np.array([id_ for (id_,) in rows], np.int64)

    def sentences_of(self, passages: Sequence[int]) -> tuple[list[SentenceRow], Vectors]:
        """The sentences of given passages, and their vectors of shape (n, dimension).

        Passages that are no longer stored are left out.
        """
        rows: list[SentenceRow] = []
        blobs: list[bytes] = []
        for marks, chunk in _chunks(passages):
            for *row, blob in self._all(
                'SELECT s.id, s.passage, p.article, s.start, s."end", s.vector FROM sentences s '
                f"JOIN passages p ON p.id = s.passage WHERE s.passage IN ({marks}) ORDER BY s.id",
                chunk,
            ):
                rows.append(SentenceRow(*row))
                blobs.append(blob)
        return rows, self._vectors(blobs)

    def sentence_before(self, article: int, start: int) -> tuple[int, int] | None:
        """Where the sentence stands that ends before an offset of an article's text; None if there is none."""
        rows = self._all(
            'SELECT s.start, s."end" FROM sentences s JOIN passages p ON p.id = s.passage '
            'WHERE p.article = ? AND s."end" <= ? ORDER BY s.id DESC LIMIT 1',
            (article, start),
        )
        return (rows[0][0], rows[0][1]) if rows else None

    def passage_rows(self, passages: Sequence[int]) -> dict[int, PassageRow]:
        """Given passages by id; those no longer stored are left out."""
        found: dict[int, PassageRow] = {}
        for marks, chunk in _chunks(passages):
            query = f'SELECT id, article, start, "end", vector FROM passages WHERE id IN ({marks})'
            rows = self._all(query, chunk)
            vectors = self._vectors([blob for *_, blob in rows])
            for (id_, article, start, end, _), vector in zip(rows, vectors, strict=True):
                found[id_] = PassageRow(id_, article, start, end, vector)
        return found

    def passages_holding(self, sentences: Sequence[int]) -> set[int]:
        """The passages that given sentences stand in."""
        found: set[int] = set()
        for marks, chunk in _chunks(sentences):
            found.update(p for (p,) in self._all(f"SELECT passage FROM sentences WHERE id IN ({marks})", chunk))
        return found

    # Following: what came after the last id, and what went since a generation

    def vectors_after(self, passage: int, rows: int = 20_000) -> Iterator[tuple[NDArray[np.int64], Vectors]]:
        """Ids and vectors of all passages with a higher id, in blocks of at most ``rows``."""
        while True:
            block = self._all("SELECT id, vector FROM passages WHERE id > ? ORDER BY id LIMIT ?", (passage, rows))
            if not block:
                return
            yield np.array([id_ for id_, _ in block], np.int64), self._vectors([blob for _, blob in block])
            passage = block[-1][0]

    def passages_after(self, passage: int) -> Iterator[TextRow]:
        """All passages with a higher id, with their texts."""
        return self._texts_after("passages p", "p", "p.id > ? ORDER BY p.id", passage)

    def sentences_after(self, sentence: int) -> Iterator[TextRow]:
        """All sentences with a higher id, with their texts."""
        tables = "sentences s JOIN passages p ON p.id = s.passage"
        return self._texts_after(tables, "s", "s.id > ? ORDER BY s.id", sentence)

    def removals_since(self, generation: int) -> list[Removal]:
        """What has been removed by the changes after a generation."""
        rows = self._all(
            "SELECT first_passage, last_passage, first_sentence, last_sentence FROM removals WHERE generation > ?",
            (generation,),
        )
        return [Removal((a, b), (c, d)) for a, b, c, d in rows]

    def _texts_after(self, tables: str, row: str, condition: str, last: int) -> Iterator[TextRow]:
        query = (
            f'SELECT {row}.id, substr(a.text, {row}.start + 1, {row}."end" - {row}.start), a.date, a.source '
            f"FROM {tables} JOIN articles a ON a.id = p.article WHERE {condition}"
        )
        with self._reading() as connection:
            for id_, text, date, source in connection.execute(query, (last,)):
                yield TextRow(id_, text, _date(date), source)

    def _vectors(self, blobs: Sequence[bytes]) -> Vectors:
        if any(len(blob) != 2 * self.settings.dimension for blob in blobs):
            raise _unreadable(self.directory, "a vector of another length")
        flat = np.frombuffer(b"".join(blobs), np.float16).astype(np.float32)
        return flat.reshape(-1, self.settings.dimension)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._connection()
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:  # a lock that was not had in time, say: nothing is damaged
                raise
            raise _unreadable(self.directory, error) from error

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect_again()
            self._local.connection = connection
            if connection is self._anchor:
                return connection
            with self._lock:
                gone = [known for known in self._connections if (thread := known[0]()) is None or not thread.is_alive()]
                for known in gone:
                    self._connections.remove(known)
                    known[1].close()
                self._connections.append((weakref.ref(threading.current_thread()), connection))
        return connection

    def _connect_again(self) -> sqlite3.Connection:
        """A further connection to the file that was opened, never to another that lies in its place."""
        path = self.directory / FILE
        try:
            connection = _connect(path)
        except sqlite3.OperationalError:  # it is gone
            return self._anchor
        if _file_identity(path) == self._identity:
            return connection
        connection.close()
        return self._anchor

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection()
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.commit()
        except sqlite3.OperationalError as error:  # a full disk, say
            connection.rollback()
            raise ClippingsError(f"The index at {self.directory} cannot be written ({error}).") from error
        except BaseException:
            connection.rollback()
            raise

    def _all(self, query: str, values: Sequence[object] = ()) -> list[tuple]:  # type: ignore[type-arg]
        with self._reading() as connection:
            return connection.execute(query, values).fetchall()

    def _one(self, query: str) -> int:
        return int(self._all(query)[0][0])


def _read_settings(connection: sqlite3.Connection, directory: Path) -> Settings:
    """What the index was made with. Raises IndexStateError if that cannot be read, or is of another format."""
    try:
        rows = connection.execute("SELECT key, value FROM meta").fetchall()
        meta = {key: json.loads(value) for key, value in rows}
        found = meta.pop("format")
        meta.pop("generation")
        settings = Settings(**meta) if found == FORMAT else None
    except (sqlite3.DatabaseError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(directory, error) from error
    if settings is None:
        raise IndexStateError(
            f"The index at {directory} is of format {found}; this version of Clippings reads format "
            f"{FORMAT}. {_rebuild_advice(directory)}"
        )
    return settings


def _file_identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another that has been put in its place; None if there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def _connect(path: Path) -> sqlite3.Connection:
    where = path.absolute().as_uri()  # in this form, so that a missing file is not made
    try:
        connection = sqlite3.connect(
            f"{where}?mode=rw", uri=True, timeout=30, isolation_level=None, check_same_thread=False
        )
    except sqlite3.OperationalError:
        return _connect_to_read(where)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("SELECT 1 FROM meta").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        return _connect_to_read(where)
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _connect_to_read(where: str) -> sqlite3.Connection:
    """A directory that cannot be written has no place for WAL's side files; the file alone is whole then."""
    return sqlite3.connect(f"{where}?mode=ro&immutable=1", uri=True, isolation_level=None, check_same_thread=False)


def _insert(connection: sqlite3.Connection, encoded: EncodedArticle) -> None:
    article = encoded.article
    id_ = connection.execute(
        "INSERT INTO articles (path, hash, text_hash, text, title_start, title_end, body_start, date, source, "
        "source_key, url, author, warning) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            article.path,
            article.hash,
            _text_hash(article.text),
            article.text,
            article.title_start,
            article.title_end,
            article.body_start,
            article.date.isoformat() if article.date else None,
            article.source,
            source_key(article.source) if article.source else None,
            article.url,
            article.author,
            article.warning,
        ),
    ).lastrowid
    sentence = 0
    for passage, vector in zip(encoded.passages, encoded.passage_vectors, strict=True):
        passage_id = connection.execute(
            'INSERT INTO passages (article, start, "end", vector) VALUES (?, ?, ?, ?)',
            (id_, passage.start, passage.end, vector.astype(np.float16).tobytes()),
        ).lastrowid
        vectors = encoded.sentence_vectors[sentence : sentence + len(passage.sentences)].astype(np.float16)
        sentence += len(passage.sentences)
        connection.executemany(
            'INSERT INTO sentences (passage, start, "end", vector) VALUES (?, ?, ?, ?)',
            [(passage_id, s.start, s.end, v.tobytes()) for s, v in zip(passage.sentences, vectors, strict=True)],
        )


def _remove(connection: sqlite3.Connection, article: int, generation: int) -> None:
    connection.execute(
        "INSERT INTO removals SELECT ?, min(p.id), max(p.id), min(s.id), max(s.id) FROM passages p "
        "JOIN sentences s ON s.passage = p.id WHERE p.article = ? HAVING count(*)",
        (generation, article),
    )
    connection.execute("DELETE FROM articles WHERE id = ?", (article,))


def _chunks(ids: Sequence[int]) -> Iterator[tuple[str, list[int]]]:
    """Ids in portions that one statement takes, with the question marks for them."""
    for at in range(0, len(ids), _ID_CHUNK):
        chunk = [int(id_) for id_ in ids[at : at + _ID_CHUNK]]
        yield ",".join("?" * len(chunk)), chunk


def _date(value: str | None) -> datetime.date | None:
    return datetime.date.fromisoformat(value) if value else None


def _text_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _unreadable(directory: Path, why: object) -> IndexStateError:
    return IndexStateError(f"The index at {directory} cannot be read ({why}). {_rebuild_advice(directory)}")


def _rebuild_advice(directory: Path) -> str:
    return f"Delete {directory} and build it again: python -m index build FOLDER --index {directory}"
