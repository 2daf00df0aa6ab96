"""From a torch network to an int8 one in ONNX that gives the same numbers on every processor.

Weights are quantised per channel, activations as they come (dynamic quantisation,
https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html). The weights use half of
int8's range, -64 to 64: a processor without VNNI sums the products of two weights and two 8-bit inputs
in 16 bits, and 2 · 255 · 64 is less than 2¹⁵. So nothing overflows, and no processor cuts off what
another one adds up. ``index.encoding.steady`` makes what is left, the rounding of floats, the same too.

Half of the steps costs precision. More than that comes back by evening out what goes into each layer: a
few channels are many times as large as the others, and would leave these only a few of the 8-bit steps.
Those channels are divided, and their weights multiplied, which changes nothing else (Xiao et al. 2023,
SmoothQuant, arXiv:2211.10438, section 4).
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from index.encoding.encoder import open_int8
from index.encoding.recipe import NETWORK, TOKENIZER, Recipe, sha256, write_recipe
from index.encoding.sentence_transformer import Original
from index.encoding.steady import steady
from index.encoding.windows import PassageText
from index.errors import ModelError

if TYPE_CHECKING:
    import torch

LEAST_COSINE = 0.99
"""An int8 network whose vectors lie farther from the model's, on average, is not used."""
SENTENCES = Path(__file__).with_name("sentences.txt")
"""Real sentences, one on each line, that tell how large channels become and how near the int8 network comes."""
_TOGETHER = 8
"""Sentences of a passage that is made from them."""
_QUIET = 0.99
"""The share of a layer's input channels that keep their size."""
_OPSET = 17


def make_encoder(original: Original, folder: Path) -> Recipe:
    """Make the int8 encoder of a model in an empty folder; the recipe says what became of it.

    Raises:
        ModelError: it cannot be made for a reason that may pass, such as a full disk.
    """
    recipe = original.recipe(int8=True)
    try:
        if not recipe.pooling:
            raise ModelError("it does more than pool the vectors of tokens")
        original.tokenizer.save(str(folder / TOKENIZER))
        _write_token_vectors(original, folder / NETWORK)
        cosine = _cosine(original, recipe, folder)
        if not cosine >= LEAST_COSINE:  # NaN is refused too
            raise ModelError(f"its int8 network is too far from it, mean cosine {cosine:.4f} below {LEAST_COSINE}")
    except (OSError, ImportError, MemoryError) as error:  # passing, and no reason to be slow for ever
        raise ModelError(
            f"The encoder of {original.name!r} cannot be made ({error}). Mend that, and try again."
        ) from error
    except Exception as error:  # noqa: BLE001 - torch, onnx and onnxruntime each raise their own, for models of any kind
        for path in folder.iterdir():
            path.unlink()
        reason = str(error).strip().partition("\n")[0][:200] or type(error).__name__
        recipe = dataclasses.replace(original.recipe(int8=False), remark=reason)
    else:
        hashes = {path.name: sha256(path) for path in sorted(folder.iterdir())}
        recipe = dataclasses.replace(recipe, cosine=round(cosine, 5), hashes=hashes)
    write_recipe(recipe, folder)
    return recipe


def _write_token_vectors(original: Original, path: Path) -> None:
    """Write the int8 network of a model: token ids and mask in, token vectors out."""
    import torch

    class TokenVectors(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, network: torch.nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return self.network(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

    network = copy.deepcopy(original.model[0].auto_model).eval()
    network.set_attn_implementation("eager")  # the fused one traces to a larger and slower graph
    longest = original.recipe(int8=True).window
    tokens = [original.tokenizer.encode(text).ids[:longest] for text in _texts()]
    even_out(network, [{"input_ids": torch.tensor([row])} for row in tokens])
    ids = torch.tensor([original.tokenizer.encode("An example of two rows.").ids] * 2)
    mask = torch.ones_like(ids)
    mask[1, -2:] = 0
    inputs = {"input_ids": ids, "attention_mask": mask}
    write_int8(TokenVectors(network).eval(), inputs, ("token_vectors",), path)


def even_out(network: Any, inputs: Sequence[dict[str, torch.Tensor]]) -> None:
    """Divide the large input channels of the linear layers of a transformer, in place; it says the same as before.

    What goes into an attention's last layer is a mean of its values, so these are made smaller where they come from.
    What goes into the other layers is divided on the way in. Networks of another build than BERT's are left as they
    are where they differ.

    Args:
        network: of transformers, in eager mode, not training.
        inputs: what to run it on to see how large channels become.
    """
    import torch

    blocks = getattr(getattr(network, "encoder", None), "layer", [])
    attentions = [block.attention for block in blocks if hasattr(block.attention, "self")]
    dense = [part for block in blocks for part in (block.intermediate, block.output)]
    entered = [*dense, *(part for each in attentions for part in (each.self, each.output.dense))]
    highest = _highest_inputs(network, entered, inputs)
    with torch.no_grad():
        for each in attentions:
            factors = _factors(highest[each.output.dense])
            each.self.value.weight /= factors[:, None]
            each.self.value.bias /= factors
            each.output.dense.weight *= factors
            _divide_input(each.self, (each.self.query, each.self.key, each.self.value), highest[each.self])
        for part in dense:
            _divide_input(part, (part.dense,), highest[part])


def _highest_inputs(
    network: torch.nn.Module, entered: Sequence[torch.nn.Module], inputs: Sequence[dict[str, torch.Tensor]]
) -> dict[torch.nn.Module, torch.Tensor]:
    """The largest size of each channel of what goes into modules, over all inputs, each of shape (channels,)."""
    import torch

    highest: dict[torch.nn.Module, torch.Tensor] = {}

    def look(module: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        here = given[0].abs().flatten(0, 1).amax(0)
        highest[module] = torch.maximum(highest.get(module, here), here)

    looking = [module.register_forward_pre_hook(look) for module in entered]
    with torch.no_grad():
        for each in inputs:
            network(**each)
    for hook in looking:
        hook.remove()
    return highest


def _factors(highest: torch.Tensor) -> torch.Tensor:
    """By how much each channel is divided: the large ones down to the size of the largest quiet one."""
    return (highest / highest.quantile(_QUIET)).clamp(min=1.0)


def _divide_input(module: torch.nn.Module, layers: Sequence[torch.nn.Linear], highest: torch.Tensor) -> None:
    """Divide the large channels of what goes into a module, and multiply the weights of the layers that take it."""
    factors = _factors(highest)
    share = 1 / factors
    for layer in layers:
        layer.weight *= factors
    module.register_forward_pre_hook(lambda _, given: (given[0] * share, *given[1:]))


def write_int8(network: torch.nn.Module, inputs: dict[str, torch.Tensor], outputs: Sequence[str], path: Path) -> None:
    """Trace a network and write it with int8 weights of half range, per channel.

    Args:
        network: takes the inputs by position.
        inputs: an example of each, of shape (rows, tokens).
        outputs: names of what it returns, whose first two dimensions are rows and tokens.
        path: of the ONNX file.
    """
    import onnx
    import onnxruntime.quantization as quantization
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
        quantization.quantize_dynamic(
            whole, path, weight_type=quantization.QuantType.QInt8, per_channel=True, reduce_range=True
        )
    onnx.save(steady(onnx.load(path)), path)


def _texts() -> list[str]:
    """The sentences, and passages that are made from them."""
    sentences = SENTENCES.read_text(encoding="utf-8").splitlines()
    return sentences + [" ".join(sentences[at : at + _TOGETHER]) for at in range(0, len(sentences), _TOGETHER)]


def _cosine(original: Original, recipe: Recipe, folder: Path) -> float:
    """Mean cosine between the vectors of both, of texts and of questions."""
    texts = _texts()
    encoder = open_int8(folder, recipe)
    found = np.stack([v.passage for v in encoder.encode_passages([PassageText(text, ()) for text in texts])])
    cosines = [(found * original.encode(texts)).sum(axis=1)]
    cosines.append((encoder.encode_questions(texts) * original.encode(texts, question=True)).sum(axis=1))
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
