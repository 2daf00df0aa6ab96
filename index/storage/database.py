"""The SQLite file of an index: its schema, its connections, and the error when it cannot be read."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from index.errors import ClippingsError, IndexStateError

FORMAT = 4
FILE = "articles.db"
SCHEMA = """
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


class Database:
    """The SQLite file of an index directory, with a connection for each thread.

    If another file takes its place, the connections stay with the first one.

    Raises:
        sqlite3.DatabaseError: on opening, when the file is not a database with this schema.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._identity = _file_identity(directory / FILE)
        self.anchor = connect(directory / FILE)
        """For threads that start when the file is gone. While it is open, no other file gets the same identity."""
        self._local = threading.local()
        self._connections: list[tuple[weakref.ref[threading.Thread], sqlite3.Connection]] = []
        self._lock = threading.Lock()
        self._closed = False

    @property
    def replaced(self) -> bool:
        """Whether another file has taken the place of the open one."""
        return not self._closed and _file_identity(self._directory / FILE) not in (self._identity, None)

    def close(self) -> None:
        """Close every thread's connection. None is opened again."""
        self.anchor.close()
        with self._lock:
            self._closed = True
            for _, connection in self._connections:
                connection.close()
            self._connections.clear()
            self._local = threading.local()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self.connection()
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:  # a timeout of a lock, for example: nothing is damaged
                raise
            raise unreadable(self._directory, error) from error

    def connection(self) -> sqlite3.Connection:
        if self._closed:
            raise IndexStateError(f"The index at {self._directory} has been closed. Open it again.")
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect_again()
            self._local.connection = connection
            if connection is self.anchor:
                return connection
            with self._lock:
                ended = [pair for pair in self._connections if (thread := pair[0]()) is None or not thread.is_alive()]
                for pair in ended:
                    self._connections.remove(pair)
                    pair[1].close()
                self._connections.append((weakref.ref(threading.current_thread()), connection))
        return connection

    def _connect_again(self) -> sqlite3.Connection:
        """Another connection to the file that was opened, never to a file that has taken its place."""
        path = self._directory / FILE
        try:
            connection = connect(path)
        except sqlite3.OperationalError:  # the file is gone
            return self.anchor
        if _file_identity(path) == self._identity:
            return connection
        connection.close()
        return self.anchor

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        connection = self.connection()
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.commit()
        except sqlite3.OperationalError as error:  # a full disk, for example
            connection.rollback()
            raise ClippingsError(f"The index at {self._directory} cannot be written ({error}).") from error
        except BaseException:
            connection.rollback()
            raise


def _file_identity(path: Path) -> tuple[int, int] | None:
    """Device and inode, which differ when another file has taken its place; None if the file is missing."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def connect(path: Path) -> sqlite3.Connection:
    """A connection to an existing file; read-only if its directory cannot be written."""
    uri = path.absolute().as_uri()  # with a URI, SQLite does not create a missing file
    try:
        connection = sqlite3.connect(
            f"{uri}?mode=rw", uri=True, timeout=30, isolation_level=None, check_same_thread=False
        )
    except sqlite3.OperationalError:
        return _connect_to_read(uri)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("SELECT 1 FROM meta").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        return _connect_to_read(uri)
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _connect_to_read(uri: str) -> sqlite3.Connection:
    """A read-only connection. A read-only directory cannot hold WAL's side files, so the file must be complete."""
    return sqlite3.connect(f"{uri}?mode=ro&immutable=1", uri=True, isolation_level=None, check_same_thread=False)


def unreadable(directory: Path, why: object) -> IndexStateError:
    """The error for an index whose file cannot be read."""
    return IndexStateError(f"The index at {directory} cannot be read ({why}). {rebuild_advice(directory)}")


def rebuild_advice(directory: Path) -> str:
    """What to run when the index cannot be used."""
    return f"Delete {directory} and build it again: python -m index build FOLDER --index {directory}"
