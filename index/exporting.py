"""From a sentence-transformers model to the encoder that travels with an index, once per machine.

The network is traced to ONNX and its weights are quantised to int8, per channel (dynamic
quantisation, https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html). What
comes out is compared with the original on real sentences; where it says too much else, or where the
model does more than pool token vectors, sentence-transformers itself stays the encoder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from index.encoder import (
    DEFAULT_MODEL,
    DESCRIPTION,
    FOLDER,
    NETWORK,
    TOKENIZER,
    PassageText,
    Recipe,
    damaged_files,
    open_encoder,
    read_recipe,
    sha256,
    write_recipe,
)
from index.errors import ModelError
from index.original import DEFAULT_SHA256, RECIPE_VERSION, Original, load_original
from index.runtime import quantise

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

LEAST_COSINE = 0.99
"""An exported network whose vectors lie farther from the original's, on average, is not used."""
SENTENCES = Path(__file__).with_name("sentences.txt")
"""Real sentences, one on each line, that the exported network is compared on."""
_OPSET = 17
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
    recipe = dataclasses.replace(load_original(name).recipe(exported=False), remark="the exact one was asked for")
    folder = Path(tempfile.mkdtemp(dir=_of_this_process().name))
    write_recipe(recipe, folder)
    return folder, recipe


def _made(name: str) -> tuple[Path, Recipe]:
    """The folder on this machine that holds the encoder of a model, and its recipe."""
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


def export(original: Original, folder: Path) -> Recipe:
    """Make an encoder of a model in an empty folder; the recipe says what became of it."""
    recipe = original.recipe(exported=True)
    try:
        if not recipe.pooling:
            raise ModelError("it does more than pool the vectors of tokens")
        original.tokenizer.save(str(folder / TOKENIZER))
        _quantise(original, folder / NETWORK)
        cosine = _cosine(original, recipe, folder)
        if not cosine >= LEAST_COSINE:  # so that what is no number is refused too
            raise ModelError(f"its int8 network is too far from it, mean cosine {cosine:.4f} below {LEAST_COSINE}")
    except (OSError, ImportError, MemoryError) as error:  # passing, and no reason to be slow for ever
        raise ModelError(
            f"The encoder of {original.name!r} cannot be made ({error}). Mend that, and try again."
        ) from error
    except Exception as error:  # noqa: BLE001 - torch, onnx and onnxruntime each raise their own, for models of any kind
        for path in folder.iterdir():
            path.unlink()
        reason = str(error).strip().partition("\n")[0][:200] or type(error).__name__
        recipe = dataclasses.replace(original.recipe(exported=False), remark=reason)
    else:
        hashes = {path.name: sha256(path) for path in sorted(folder.iterdir())}
        recipe = dataclasses.replace(recipe, cosine=round(cosine, 5), hashes=hashes)
    write_recipe(recipe, folder)
    return recipe


def _quantise(original: Original, path: Path) -> None:
    """Write the int8 network of a model: token ids and mask in, token vectors out."""
    import torch

    network = original.model[0].auto_model

    class TokenVectors(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return self.network(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

    ids = torch.tensor([[*original.tokenizer.encode("An example of two rows.").ids]] * 2)
    mask = torch.ones_like(ids)
    mask[1, -2:] = 0
    implementation = network.config._attn_implementation
    network.set_attn_implementation("eager")  # the fused one traces to a larger and slower graph
    try:
        write_int8(TokenVectors().eval(), {"input_ids": ids, "attention_mask": mask}, ("token_vectors",), path)
    finally:
        network.set_attn_implementation(implementation)


def write_int8(
    network: torch.nn.Module,
    inputs: dict[str, torch.Tensor],
    outputs: Sequence[str],
    path: Path,
    seven_bits: bool = False,
) -> None:
    """Trace a network and write it with int8 weights.

    Args:
        network: takes the inputs by position.
        inputs: an example of each, of shape (rows, tokens).
        outputs: names of what it returns, whose first two dimensions are rows and tokens.
        path: of the ONNX file.
        seven_bits: as for ``index.runtime.quantise``.
    """
    import torch

    axes = {name: {0: "rows", 1: "tokens"} for name in (*inputs, *outputs)}
    with _quiet(), tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        whole = Path(scratch, "fp32.onnx")
        torch.onnx.export(
            network,
            tuple(inputs.values()),
            str(whole),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=_OPSET,
            dynamo=False,
        )
        quantise(whole, path, seven_bits)


def _cosine(original: Original, recipe: Recipe, folder: Path) -> float:
    """Mean cosine between the vectors of both, of sentences and of passages made of eight of them."""
    sentences = SENTENCES.read_text(encoding="utf-8").splitlines()
    texts = sentences + [" ".join(sentences[at : at + 8]) for at in range(0, len(sentences), 8)]
    encoder = open_encoder(folder, recipe)
    found = np.stack([v.passage for v in encoder.encode_passages([PassageText(text, ()) for text in texts])])
    cosines = [(found * original.encode(texts)).sum(axis=1)]
    cosines.append((encoder.encode_questions(sentences) * original.encode(sentences, question=True)).sum(axis=1))
    return float(np.concatenate(cosines).mean())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the remarks that tracing and quantising make for their developers."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


# Folders


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
