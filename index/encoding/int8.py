"""From a sentence-transformers model to the encoder that travels with an index, once per machine.

The network is traced to ONNX and its weights are quantised to int8, per channel (dynamic
quantisation, https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html). What
comes out is compared with the original on real sentences; where it says too much else, or where the
model does more than pool token vectors, sentence-transformers itself stays the encoder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from index.encoding.encoder import open_network_encoder
from index.encoding.recipe import (
    NETWORK,
    TOKENIZER,
    Recipe,
    sha256,
    write_recipe,
)
from index.encoding.sentence_transformer import Original
from index.encoding.windows import PassageText
from index.errors import ModelError

if TYPE_CHECKING:
    import torch

LEAST_COSINE = 0.99
"""An exported network whose vectors lie farther from the original's, on average, is not used."""
SENTENCES = Path(__file__).with_name("sentences.txt")
"""Real sentences, one on each line, that the exported network is compared on."""
_OPSET = 17


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
        seven_bits: as for ``quantise``.
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
    encoder = open_network_encoder(folder, recipe)
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


def quantise(source: Path, target: Path, seven_bits: bool = False) -> None:
    """Write the network of one file into another with int8 weights, per channel.

    Args:
        source, target: ONNX files.
        seven_bits: use half the range of int8: without VNNI, sums of products may overflow 16 bits otherwise, and
            are then cut off.
    """
    import onnxruntime.quantization as quantization

    quantization.quantize_dynamic(
        source, target, weight_type=quantization.QuantType.QInt8, per_channel=True, reduce_range=seven_bits
    )
