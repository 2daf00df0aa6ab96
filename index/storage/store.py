"""The store of an index: articles, passages, sentences, their vectors and the settings, in one SQLite file.

Everything else in an index directory is made from this file. One process writes at a time: the builder
holds the lock. Any number of threads and processes can read meanwhile (WAL). Ids are never reused. So a
reader can catch up with the rows after the last id that it has, and the list of removals.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.errors import IndexStateError, OldIndexError
from index.reading.articles import Article
from index.reading.markup import is_markdown, read_through
from index.storage.database import FILE, FORMAT, SCHEMA, Database, unreadable
from index.storage.rows import (
    ArticleInfo,
    EncodedArticle,
    PassageRow,
    Removal,
    Restriction,
    SentenceRow,
    Settings,
    TextRow,
    Vectors,
    source_key,
)

_ID_CHUNK = 500


class Store:
    """The open SQLite file of one index directory. If another file takes its place, this one stays open.

    Use ``Store.open`` or ``Store.create``.
    """

    def __init__(self, directory: Path, settings: Settings, database: Database) -> None:
        self.directory = directory
        self.settings = settings
        self._database = database

    @classmethod
    def create(cls, directory: Path, settings: Settings) -> Store:
        """Make an empty index in a directory that does not hold one."""
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / FILE
        temporary = directory / f".{FILE}.new"
        temporary.unlink(missing_ok=True)
        with closing(sqlite3.connect(temporary)) as connection:
            connection.executescript(SCHEMA)
            values = {"format": FORMAT, "generation": 0, **dataclasses.asdict(settings)}
            connection.executemany(
                "INSERT INTO meta VALUES (?, ?)", [(key, json.dumps(value)) for key, value in values.items()]
            )
            connection.commit()
            connection.execute("PRAGMA journal_mode = WAL")
        for leftover in (f"{FILE}-wal", f"{FILE}-shm"):  # from an earlier index: SQLite would apply its last changes
            (directory / leftover).unlink(missing_ok=True)
        temporary.replace(path)
        return cls.open(directory)

    @classmethod
    def open(cls, directory: Path) -> Store:
        """Open an index directory.

        Raises:
            IndexStateError: the index is missing, damaged, or has another format. The message says what
                to run.
        """
        if not (directory / FILE).is_file():
            raise IndexStateError(
                f"There is no index at {directory}. Build it: python -m index build FOLDER --index {directory}"
            )
        try:
            database = Database(directory)
        except sqlite3.DatabaseError as error:
            raise unreadable(directory, error) from error
        try:
            return cls(directory, _read_settings(database.anchor, directory), database)
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        """Close every thread's connection."""
        self._database.close()

    @property
    def corpus(self) -> Path:
        """The corpus folder, absolute.

        Raises:
            IndexStateError: this is an exported copy, which has no corpus folder.
        """
        if self.exported:
            raise IndexStateError(
                f"The index at {self.directory} is an exported copy: it can be searched but not changed. "
                "Change the index that it was exported from, and export that again."
            )
        return (self.directory.absolute() / self.settings.corpus).resolve()

    @property
    def exported(self) -> bool:
        """Whether this is an exported copy, which has no article files."""
        return not self.settings.corpus

    @property
    def replaced(self) -> bool:
        """Whether another index has been built in this directory since."""
        return self._database.replaced

    @property
    def generation(self) -> int:
        """A number that grows with every committed change."""
        return int(self._one("SELECT value FROM meta WHERE key = 'generation'"))

    def counts(self) -> tuple[int, int, int]:
        """How many articles, passages and sentences are stored."""
        names = ("articles", "passages", "sentences")
        return tuple(self._one(f"SELECT count(*) FROM {name}") for name in names)  # type: ignore[return-value]

    # Writing (under the builder's lock)

    def apply(self, added: Sequence[EncodedArticle], removed: Iterable[int] = ()) -> int:
        """Add articles and remove others by id, in one transaction. Returns the new generation.

        An added article replaces the stored one with the same path.
        """
        with self._database.writing() as connection:
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
        with self._database.writing() as connection:
            connection.execute("UPDATE meta SET value = ? WHERE key = 'corpus'", (json.dumps(corpus),))
        self.settings = dataclasses.replace(self.settings, corpus=corpus)

    def checkpoint(self) -> None:
        """Write the write-ahead log into the file, so that a copy of the directory is complete."""
        self._database.connection().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    # Reading

    def known(self, paths: Iterable[str] | None = None) -> dict[str, tuple[int, str]]:
        """Id and content hash of stored articles by path: of all of them, or only of the given paths."""
        query = "SELECT path, id, hash FROM articles"
        if paths is None:
            rows = self._all(query)
        else:
            rows = [row for path in paths for row in self._all(f"{query} WHERE path = ?", (path,))]
        return {path: (id_, hash_) for path, id_, hash_ in rows}

    def same_text(self, article: Article) -> list[str]:
        """Paths of stored articles with exactly the same text as this article."""
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
        """All articles without their texts: the latest first, those without a date last."""
        rows = self._all(
            "SELECT id, path, substr(text, title_start + 1, title_end - title_start), date, source, author "
            "FROM articles ORDER BY date IS NULL, date DESC, path"
        )
        return [
            ArticleInfo(id_, path, _title(title, path), _date(date), source, author)
            for id_, path, title, date, source, author in rows
        ]

    def sources(self) -> list[str]:
        """The stated sources, each once, in alphabetical order."""
        rows = self._all("SELECT min(source) FROM articles WHERE source IS NOT NULL GROUP BY source_key ORDER BY 1")
        return [source for (source,) in rows]

    def undated(self, source: str | None = None) -> int:
        """How many articles have no date; if a source is given, only its articles count."""
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
        """The sentences of some passages, and their vectors, shape (n, dimension).

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
        """Start and end of the last sentence that ends at or before an offset of an article; None if there is none."""
        rows = self._all(
            'SELECT s.start, s."end" FROM sentences s JOIN passages p ON p.id = s.passage '
            'WHERE p.article = ? AND s."end" <= ? ORDER BY s.id DESC LIMIT 1',
            (article, start),
        )
        return (rows[0][0], rows[0][1]) if rows else None

    def passage_rows(self, passages: Sequence[int]) -> dict[int, PassageRow]:
        """Some passages by id. Those no longer stored are left out."""
        passage_rows: dict[int, PassageRow] = {}
        for marks, chunk in _chunks(passages):
            query = f'SELECT id, article, start, "end", vector FROM passages WHERE id IN ({marks})'
            rows = self._all(query, chunk)
            vectors = self._vectors([blob for *_, blob in rows])
            for (id_, article, start, end, _), vector in zip(rows, vectors, strict=True):
                passage_rows[id_] = PassageRow(id_, article, start, end, vector)
        return passage_rows

    def passages_holding(self, sentences: Sequence[int]) -> set[int]:
        """The ids of the passages that contain some sentences."""
        passages: set[int] = set()
        for marks, chunk in _chunks(sentences):
            passages.update(p for (p,) in self._all(f"SELECT passage FROM sentences WHERE id IN ({marks})", chunk))
        return passages

    # Catching up: rows added after an id, and rows removed since a generation

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
        """What was removed after a generation."""
        rows = self._all(
            "SELECT first_passage, last_passage, first_sentence, last_sentence FROM removals WHERE generation > ?",
            (generation,),
        )
        return [Removal((a, b), (c, d)) for a, b, c, d in rows]

    def _texts_after(self, tables: str, row: str, condition: str, last: int) -> Iterator[TextRow]:
        query = (
            f'SELECT {row}.id, substr(a.text, {row}.start + 1, {row}."end" - {row}.start), a.path, a.date, a.source '
            f"FROM {tables} JOIN articles a ON a.id = p.article WHERE {condition}"
        )
        with self._database.reading() as connection:
            for id_, text, path, date, source in connection.execute(query, (last,)):
                said = read_through(text, 0, len(text), is_markdown(path)).text
                yield TextRow(id_, said, _date(date), source)

    def _vectors(self, blobs: Sequence[bytes]) -> Vectors:
        if any(len(blob) != 2 * self.settings.dimension for blob in blobs):
            raise unreadable(self.directory, "a vector has the wrong length")
        flat = np.frombuffer(b"".join(blobs), np.float16).astype(np.float32)
        return flat.reshape(-1, self.settings.dimension)

    def _all(self, query: str, values: Sequence[object] = ()) -> list[tuple]:  # type: ignore[type-arg]
        with self._database.reading() as connection:
            return connection.execute(query, values).fetchall()

    def _one(self, query: str) -> int:
        return int(self._all(query)[0][0])


def _read_settings(connection: sqlite3.Connection, directory: Path) -> Settings:
    """The settings of the index. Raises IndexStateError if they cannot be read, or have another format."""
    try:
        rows = connection.execute("SELECT key, value FROM meta").fetchall()
        meta = {key: json.loads(value) for key, value in rows}
        index_format = int(meta.pop("format"))
        meta.pop("generation")
        if index_format == FORMAT:
            return Settings(**meta)
    except (sqlite3.DatabaseError, ValueError, KeyError, TypeError) as error:
        raise unreadable(directory, error) from error
    which = f"The index at {directory} has format {index_format}; this version of Clippings reads format {FORMAT}."
    if index_format > FORMAT:
        raise IndexStateError(f"{which} Update Clippings, or build a second index: --index NEW_FOLDER")
    raise OldIndexError(f"{which} Build it again: python -m index build FOLDER --index {directory}", meta)


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
    """Ids in chunks small enough for one statement, each with its question marks."""
    for at in range(0, len(ids), _ID_CHUNK):
        chunk = [int(id_) for id_ in ids[at : at + _ID_CHUNK]]
        yield ",".join("?" * len(chunk)), chunk


def _title(text: str, path: str) -> str:
    return " ".join(read_through(text, 0, len(text), is_markdown(path)).text.split()) or Path(path).stem


def _date(value: str | None) -> datetime.date | None:
    return datetime.date.fromisoformat(value) if value else None


def _text_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
