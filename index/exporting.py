"""export_index(): copy an index so that it opens anywhere, read-only, without what only building needs."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from index.encoding.loading import SHIPPED, encoder_folder, index_encoder
from index.encoding.recipe import FOLDER, Recipe, damaged_files
from index.errors import ClippingsError
from index.storage.database import FILE
from index.storage.lexical import Lexical, catch_up
from index.storage.store import Store


def export_index(index: str | os.PathLike[str], target: str | os.PathLike[str]) -> Recipe:
    """Copy an index into a new folder, with its encoder if that does not ship with Clippings.

    The copy holds the articles' texts but not their files. It shows the index at one moment, even during
    a build. It appears complete or not at all. Searching it needs sentence-transformers only if its
    recipe has no int8 network.

    Returns:
        The recipe of its encoder.

    Raises:
        IndexStateError: the index is missing.
        ClippingsError: the target exists or cannot be written.
    """
    target = Path(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ClippingsError(f"{target} exists already; name a new folder for the copy.")
    with closing(Store.open(Path(index))) as source:
        settings = source.settings
        recipe = index_encoder(source.directory, settings.model, settings.model_hash).recipe  # made again if missing
        try:
            _copy(source, target, recipe)
        except (OSError, sqlite3.Error) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise ClippingsError(f"The copy cannot be written to {target} ({why}).") from error
    return recipe


def _copy(source: Store, target: Path, recipe: Recipe) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        new = Path(scratch, target.name)
        new.mkdir()
        _copy_store(source, new / FILE)
        if encoder_folder(source.directory, recipe.identity) != SHIPPED:
            _copy_encoder(source.directory / FOLDER, new / FOLDER, recipe)
        with closing(Store.open(new)) as copy:
            catch_up(Lexical(new / "lexical"), copy)  # made anew, so that it agrees with the copied store
        new.replace(target)


def _copy_encoder(source: Path, target: Path, recipe: Recipe) -> None:
    shutil.copytree(source, target)
    if damaged := damaged_files(target, recipe):
        raise ClippingsError(
            f"The encoder in {source} is damaged ({', '.join(damaged)}). Delete that folder; "
            "it is made again when a question is asked."
        )


def _copy_store(source: Store, path: Path) -> None:
    """Copy the database as it is now, compacted, without WAL, which does not work in a read-only folder."""
    with closing(sqlite3.connect(source.directory / FILE)) as connection:
        connection.execute("VACUUM INTO ?", (str(path),))
    with closing(sqlite3.connect(path)) as connection:
        # The article files are not copied. Without a corpus path, the copy cannot mistake other files for them.
        connection.execute("UPDATE meta SET value = ? WHERE key = 'corpus'", (json.dumps(""),))
        connection.commit()
