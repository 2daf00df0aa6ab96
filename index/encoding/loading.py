"""Who fetches, makes, keeps and shares encoders: the shipped one, and one folder per machine of any other model."""

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

from index.encoding.encoder import Encoder, open_int8
from index.encoding.recipe import DEFAULT_MODEL, DESCRIPTION, FOLDER, Recipe, damaged_files, read_recipe, write_recipe
from index.errors import ModelError

log = logging.getLogger(__name__)

SHIPPED = Path(__file__).with_name("minilm")
"""The encoder of the default model, which ships with Clippings; ``bench/training/make_encoder.py`` makes it."""
_ABANDONED_SECONDS = 3600.0
"""A half-made copy older than this was left by a process that was killed."""


class Encoders:
    """The encoders that are open in this process, one of each identity. Safe to share between threads."""

    def __init__(self) -> None:
        self.opened: dict[str, Encoder] = {}
        self._lock = threading.Lock()

    def load(self, folder: Path, identity: str | None = None) -> Encoder:
        """The encoder kept in a folder, opened if it is not open yet; see ``load_encoder``."""
        with self._lock:
            if identity in self.opened:
                return self.opened[identity]
            recipe = read_recipe(folder)
            if identity is not None and recipe.identity != identity:
                raise ModelError(
                    f"The encoder in {folder} ({recipe.model}) is not the one that the index was made with."
                )
            if recipe.identity not in self.opened:
                self.opened[recipe.identity] = open_encoder(folder, recipe)
            return self.opened[recipe.identity]


ENCODERS = Encoders()
"""Shared by whoever builds and asks."""


def load_encoder(folder: Path, identity: str | None = None) -> Encoder:
    """The encoder kept in a folder, shared by all of this process.

    Args:
        folder: as ``index.encoding.int8`` makes it.
        identity: the one that is wanted; ``None`` takes what is there.

    Raises:
        ModelError: it is missing, damaged, or another one.
    """
    return ENCODERS.load(folder, identity)


def open_encoder(folder: Path, recipe: Recipe) -> Encoder:
    """An encoder from its folder, not shared. Raises ModelError if a file is missing or damaged."""
    if recipe.int8:
        return open_int8(folder, recipe)
    from index.encoding.sentence_transformer import load_original  # late: it brings torch

    return load_original(recipe.model).encoder(recipe)


def encoder_folder(index: Path, identity: str) -> Path:
    """Where the encoder of an index is: in the index, or with Clippings if the index was made with the shipped one."""
    return SHIPPED if identity == read_recipe(SHIPPED).identity else index / FOLDER


def index_encoder(index: Path, model: str, identity: str) -> Encoder:
    """The encoder that an index was made with; made again where its folder is missing or damaged.

    Raises:
        ModelError: that cannot be done here, or the model is no longer the same; the message says what to do.
    """
    folder = encoder_folder(index, identity)
    try:
        return load_encoder(folder, identity)
    except ModelError as damaged:
        if folder == SHIPPED:
            raise ModelError(f"{damaged} Install Clippings again.") from damaged
        try:
            folder, _ = provide_encoder(model, index, identity)
        except ModelError as error:
            raise ModelError(f"{damaged} It cannot be made again: {error}") from error
        return load_encoder(folder, identity)


def preload(index: Path) -> None:
    """Begin to load an index's encoder in the background; whoever asks for it then waits for the rest only."""
    folder = index / FOLDER if (index / FOLDER).exists() else SHIPPED

    def load() -> None:
        # Whoever asks for it is told; or nobody does, and the process ends before a thread can be had for hashing.
        with contextlib.suppress(ModelError, RuntimeError):
            load_encoder(folder)

    # No daemon: a process must not end in the middle of onnxruntime.
    threading.Thread(target=load, name="encoder").start()


def provide_encoder(name: str, index: Path, identity: str | None = None, int8: bool = True) -> tuple[Path, Recipe]:
    """The encoder of a model for an index: the shipped one, or one put into the index directory.

    Args:
        name: ``all-MiniLM-L6-v2`` (the default), a folder, or a model hub name.
        index: the index directory; where it cannot be written, the encoder stays where it was made.
        identity: the one that the index was made with, if it holds anything.
        int8: whether to make an int8 network, once on a machine; otherwise sentence-transformers itself encodes.

    Returns:
        The folder that the encoder is in, and its recipe.

    Raises:
        ModelError: the model cannot be loaded, or is not the one that the index was made with.
    """
    if name == DEFAULT_MODEL and int8 and identity is None:
        return SHIPPED, read_recipe(SHIPPED)
    folder, recipe = _made(name) if int8 else _bare(name)
    if int8 and identity not in (None, recipe.identity):  # the index may have been made without an int8 network
        folder, recipe = _bare(name)
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


def _bare(name: str) -> tuple[Path, Recipe]:
    """A folder of this process that only names a model, for sentence-transformers to load."""
    from index.encoding.sentence_transformer import load_original

    recipe = dataclasses.replace(load_original(name).recipe(int8=False), remark="the exact one was asked for")
    folder = Path(tempfile.mkdtemp(dir=_of_this_process().name))
    write_recipe(recipe, folder)
    return folder, recipe


def _made(name: str) -> tuple[Path, Recipe]:
    """The folder on this machine that holds the int8 encoder of a model, and its recipe."""
    from index.encoding.int8 import make_encoder
    from index.encoding.sentence_transformer import load_original

    original = load_original(name)  # what has the name may have changed, so it has to be looked at
    label = f"{Path(name).name}-{original.recipe(int8=True).identity[:16]}"
    for kept in (_cache() / label, _writable_cache() / label):
        with contextlib.suppress(ModelError):
            recipe = read_recipe(kept)
            if recipe.int8 and not damaged_files(kept, recipe):
                return kept, dataclasses.replace(recipe, model=name)
    log.info("Making the encoder of %s, once on this machine …", name)
    new = Path(tempfile.mkdtemp(prefix=f".{kept.name}-", dir=kept.parent))
    try:
        recipe = make_encoder(original, new)
        _rename(new, kept)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return kept, recipe


def _cache() -> Path:
    """Where encoders are kept on this machine: ``CLIPPINGS_CACHE``, or a folder in the user's cache."""
    own = os.environ.get("CLIPPINGS_CACHE")
    users = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own) if own else Path(users) / "clippings"


def _writable_cache() -> Path:
    """The same, or a folder of this process where that one cannot be written."""
    folder = _cache()
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return folder if folder.is_dir() and os.access(folder, os.W_OK) else Path(_of_this_process().name)


@functools.cache
def _of_this_process() -> tempfile.TemporaryDirectory[str]:
    """For a user without a place to keep anything; removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="clippings-")


def _copy(folder: Path, recipe: Recipe, target: Path) -> None:
    """Copy an encoder so that whoever opens the target finds all of it or nothing."""
    for left in target.parent.glob(f".{target.name}-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
    new = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for name in recipe.hashes:
            shutil.copyfile(folder / name, new / name)
        write_recipe(recipe, new)
        _rename(new, target)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _rename(new: Path, folder: Path) -> None:
    """Let a whole folder take its name. Another process may be faster, which is as good."""
    new.chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        new.rename(folder)
    except OSError:
        if not (folder / DESCRIPTION).is_file():
            raise
