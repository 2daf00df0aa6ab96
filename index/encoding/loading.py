"""Who fetches, makes, keeps and shares encoders: one of each identity per process, one folder of each per machine."""

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

from index.encoding.encoder import Encoder, open_network_encoder
from index.encoding.recipe import (
    DEFAULT_MODEL,
    DESCRIPTION,
    FOLDER,
    Recipe,
    damaged_files,
    read_recipe,
    write_recipe,
)
from index.errors import ModelError

if TYPE_CHECKING:
    pass


log = logging.getLogger(__name__)

_loaded: dict[str, Encoder] = {}
_loading = threading.Lock()


def load_encoder(folder: Path, identity: str | None = None) -> Encoder:
    """The encoder kept in a folder; one of each identity per process, shared by whoever builds and asks.

    Args:
        folder: as ``index.encoding.int8`` makes it.
        identity: the one that is wanted; ``None`` takes what is there.

    Raises:
        ModelError: it is missing, damaged, or another one.
    """
    with _loading:
        if identity in _loaded:
            return _loaded[identity]
        recipe = read_recipe(folder)
        if identity is not None and recipe.identity != identity:
            raise ModelError(f"The encoder in {folder} ({recipe.model}) is not the one that the index was made with.")
        if recipe.identity not in _loaded:
            _loaded[recipe.identity] = open_encoder(folder, recipe)
        return _loaded[recipe.identity]


def index_encoder(index: Path, model: str, identity: str) -> Encoder:
    """The encoder that an index was made with; made again where its folder is missing or damaged.

    Raises:
        ModelError: that cannot be done here, or the model is no longer the same; the message says what to do.
    """
    try:
        return load_encoder(index / FOLDER, identity)
    except ModelError as damaged:
        try:
            folder, _ = provide_encoder(model, index, identity)
        except ModelError as error:
            raise ModelError(f"{damaged} It cannot be made again: {error}") from error
        return load_encoder(folder, identity)


def preload(index: Path) -> None:
    """Begin to load an index's encoder in the background; whoever asks for it then waits for the rest only."""

    def load() -> None:
        # Whoever asks for it is told; or nobody does, and the process ends before a thread can be had for hashing.
        with contextlib.suppress(ModelError, RuntimeError):
            load_encoder(index / FOLDER)

    # No daemon: a process must not end in the middle of onnxruntime.
    threading.Thread(target=load, name="encoder").start()


def open_encoder(folder: Path, recipe: Recipe) -> Encoder:
    """An encoder from its folder, not shared. Raises ModelError if a file is missing or damaged."""
    if not recipe.exported:
        from index.encoding.sentence_transformer import load_original

        return load_original(recipe.model).encoder(recipe)
    return open_network_encoder(folder, recipe)


_ABANDONED_SECONDS = 3600.0
"""A half-made copy older than this was left by a process that was killed."""


def provide_encoder(name: str, index: Path, identity: str | None = None, exported: bool = True) -> tuple[Path, Recipe]:
    """Put the encoder of a model into an index directory, making it if this machine has not made it before.

    Args:
        name: ``all-MiniLM-L6-v2`` (the packaged default), a folder, or a model hub name.
        index: the index directory; where it cannot be written, the encoder stays where it was made.
        identity: the one that the index was made with, if it holds anything.
        exported: whether to export the model; otherwise sentence-transformers itself is the encoder.

    Returns:
        The folder that the encoder is in, and its recipe.

    Raises:
        ModelError: the model cannot be loaded, or is not the one that the index was made with.
    """
    folder, recipe = _made(name) if exported else _bare(name)
    if identity not in (None, recipe.identity) and exported:  # it may have been made of the model as it is
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

    recipe = dataclasses.replace(load_original(name).recipe(exported=False), remark="the exact one was asked for")
    folder = Path(tempfile.mkdtemp(dir=_of_this_process().name))
    write_recipe(recipe, folder)
    return folder, recipe


def _made(name: str) -> tuple[Path, Recipe]:
    """The folder on this machine that holds the encoder of a model, and its recipe."""
    from index.encoding.int8 import export
    from index.encoding.sentence_transformer import DEFAULT_SHA256, RECIPE_VERSION, load_original

    original = None
    key = f"{RECIPE_VERSION}-{DEFAULT_SHA256}"
    if name != DEFAULT_MODEL:  # what bears the name may have changed, so that it has to be looked at
        original = load_original(name)
        key = original.recipe(exported=True).identity
    label = f"{Path(name).name}-{key[:16]}"
    for kept in (_cache() / label, _writable_cache() / label):
        with contextlib.suppress(ModelError):
            recipe = read_recipe(kept)
            if recipe.exported and not damaged_files(kept, recipe):
                return kept, dataclasses.replace(recipe, model=name)
    log.info("Making the encoder of %s, once on this machine …", name)
    original = original or load_original(name)
    new = Path(tempfile.mkdtemp(prefix=f".{kept.name}-", dir=kept.parent))
    try:
        recipe = export(original, new)
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
