"""Load encoders: the shipped one, or one made from another model once on this machine and kept in a cache."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from index.encoding.encoder import Encoder, open_int8
from index.encoding.recipe import DEFAULT_MODEL, DESCRIPTION, FOLDER, Recipe, damaged_files, read_recipe, write_recipe
from index.errors import DamagedEncoderError, ModelError

if TYPE_CHECKING:
    from index.encoding.sentence_transformer import Original

log = logging.getLogger(__name__)

SHIPPED = Path(__file__).with_name("minilm")
"""The encoder of the default model, which ships with Clippings. ``bench/training/make_encoder.py`` makes it."""
_ABANDONED_SECONDS = 3600.0
"""An unfinished copy older than this was left by a process that was killed."""


class Encoders:
    """The encoders that are open in this process, one for each identity. Safe to share between threads."""

    def __init__(self) -> None:
        self.opened: dict[str, Encoder] = {}
        self._lock = threading.Lock()

    def load(self, folder: Path, identity: str | None = None) -> Encoder:
        """The encoder in a folder, opened if it is not open yet; see ``load_encoder``."""
        with self._lock:
            if identity in self.opened:
                return self.opened[identity]
            recipe = read_recipe(folder)
            if identity is not None and recipe.identity != identity:
                raise DamagedEncoderError(
                    f"The encoder in {folder} ({recipe.model}) is not the one that the index was made with."
                )
            if recipe.identity not in self.opened:
                self.opened[recipe.identity] = open_encoder(folder, recipe)
            return self.opened[recipe.identity]


ENCODERS = Encoders()
"""Shared by all code in this process."""


@functools.cache
def shipped_recipe() -> Recipe:
    """The recipe of the shipped encoder, read once."""
    try:
        return read_recipe(SHIPPED)
    except ModelError as error:
        raise ModelError(f"{error} Install Clippings again.") from error


def load_encoder(folder: Path, identity: str | None = None) -> Encoder:
    """The encoder in a folder, shared by the whole process.

    Args:
        folder: as ``index.encoding.int8`` makes it.
        identity: the identity that it must have; ``None`` accepts any.

    Raises:
        ModelError: it is missing or damaged, or has another identity.
    """
    return ENCODERS.load(folder, identity)


def open_encoder(folder: Path, recipe: Recipe) -> Encoder:
    """A new encoder from its folder, not shared. Raises ModelError if a file is missing or damaged."""
    if recipe.int8:
        return open_int8(folder, recipe)
    from index.encoding.sentence_transformer import load_original  # late: it imports torch

    return load_original(recipe.model).encoder(recipe)


def encoder_folder(index: Path, identity: str) -> Path:
    """Where the encoder of an index is: in the index, or in Clippings if the index was made with the shipped one."""
    own = index / FOLDER
    try:
        return SHIPPED if identity == shipped_recipe().identity else own
    except ModelError:
        if own.exists():
            return own
        raise


def index_encoder(index: Path, model: str, identity: str) -> Encoder:
    """The encoder that an index was made with. If its folder is missing or damaged, it is made again.

    Raises:
        ModelError: it cannot be made again, or the model has changed. The message says what to do.
    """
    folder = encoder_folder(index, identity)
    try:
        return load_encoder(folder, identity)
    except DamagedEncoderError as damaged:
        if folder == SHIPPED:
            raise ModelError(f"{damaged} Install Clippings again.") from damaged
        try:
            folder, _ = provide_encoder(model, index, identity)
        except ModelError as error:
            raise ModelError(f"{damaged} It cannot be made again: {error}") from error
        return load_encoder(folder, identity)


def preload(index: Path) -> None:
    """Start loading an index's encoder in the background. Later calls wait only for the rest."""
    folder = index / FOLDER if (index / FOLDER).exists() else SHIPPED

    def load() -> None:
        # ModelError: the call that needs the encoder raises it again. RuntimeError: the process ended meanwhile, so
        # no thread for hashing could be started.
        with contextlib.suppress(ModelError, RuntimeError):
            load_encoder(folder)

    # Not a daemon thread: a process must not end in the middle of onnxruntime.
    threading.Thread(target=load, name="encoder").start()


def provide_encoder(name: str, index: Path, identity: str | None = None, int8: bool = True) -> tuple[Path, Recipe]:
    """The encoder of a model for an index: the shipped one, or one that is copied into the index directory.

    Args:
        name: ``all-MiniLM-L6-v2`` (the default), a folder, or a model hub name.
        index: the index directory. If it cannot be written, the encoder stays where it was made.
        identity: the identity of the encoder that the index was made with, if the index exists.
        int8: whether to make an int8 network, once on each machine. Otherwise sentence-transformers encodes. For an
            index that exists, its identity decides.

    Returns:
        The encoder's folder and its recipe.

    Raises:
        ModelError: the model cannot be loaded, or is not the one that the index was made with.
    """
    if name == DEFAULT_MODEL and int8 and identity is None:
        return SHIPPED, shipped_recipe()
    from index.encoding.sentence_transformer import load_original  # late: it imports torch

    original = load_original(name)  # needed even for a cached encoder: the model with this name may have changed
    if identity is not None:
        int8 = original.recipe(int8=True).identity == identity
    folder, recipe = _int8_folder(original) if int8 else _exact_folder(original)
    if identity not in (None, recipe.identity):
        raise ModelError(
            f"The model {name!r} is no longer the one that the index at {index} was made with. "
            "Build a new index in another directory."
        )
    try:
        _copy(folder, recipe, index / FOLDER)
    except OSError:
        return folder, recipe
    return index / FOLDER, recipe


def _exact_folder(original: Original) -> tuple[Path, Recipe]:
    """A temporary folder that only names a model, for sentence-transformers to load, and its recipe."""
    recipe = dataclasses.replace(original.recipe(int8=False), remark="exact encoding was requested")
    folder = Path(tempfile.mkdtemp(dir=_process_folder().name))
    write_recipe(recipe, folder)
    return folder, recipe


def _int8_folder(original: Original) -> tuple[Path, Recipe]:
    """The cache folder with the int8 encoder of a model, and its recipe. The encoder is made if it is missing."""
    from index.encoding.int8 import make_encoder

    label = f"{Path(original.name).name}-{original.recipe(int8=True).identity[:16]}"
    for folder in (_cache() / label, _writable_cache() / label):
        with contextlib.suppress(ModelError):
            recipe = read_recipe(folder)
            if recipe.int8 and not damaged_files(folder, recipe):
                return folder, dataclasses.replace(recipe, model=original.name)
    log.info("Making the encoder of %s, once on this machine …", original.name)
    new = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        recipe = make_encoder(original, new)
        _rename(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return folder, recipe


def _cache() -> Path:
    """The cache of encoders on this machine: ``CLIPPINGS_CACHE``, or a folder in the user's cache."""
    cache = os.environ.get("CLIPPINGS_CACHE")
    user_cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) if cache else Path(user_cache) / "clippings"


def _writable_cache() -> Path:
    """The cache, or a temporary folder if the cache cannot be written."""
    folder = _cache()
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return folder if folder.is_dir() and os.access(folder, os.W_OK) else Path(_process_folder().name)


@functools.cache
def _process_folder() -> tempfile.TemporaryDirectory[str]:
    """A temporary folder of this process, removed when it ends."""
    return tempfile.TemporaryDirectory(prefix="clippings-")


def _copy(folder: Path, recipe: Recipe, target: Path) -> None:
    """Copy an encoder. The target appears complete or not at all."""
    for unfinished in target.parent.glob(f".{target.name}-*"):
        with contextlib.suppress(OSError):
            if time.time() - unfinished.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(unfinished, ignore_errors=True)
    new = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for name in recipe.hashes:
            shutil.copyfile(folder / name, new / name)
        write_recipe(recipe, new)
        _rename(new, target)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _rename(new: Path, folder: Path) -> None:
    """Rename a complete folder to its final name. If another process was faster, its folder stays."""
    new.chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        new.rename(folder)
    except OSError:
        if not (folder / DESCRIPTION).is_file():
            raise
