"""Make an int8 ONNX network from a torch network, with the same results on every processor.

Weights are quantised per channel, activations at run time (dynamic quantisation,
https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html). The weights use half of
int8's range, -64 to 64. A processor without VNNI sums the products of two weights and two 8-bit inputs in
16 bits, and 2 · 255 · 64 is less than 2¹⁵. So no sum overflows, and all processors give the same sums.
``index.encoding.steady`` makes the rounding of floats the same too.

Half of the range costs precision. Evening out the inputs of each layer regains more than that. A few
channels are many times larger than the others, and would leave them only a few of the 8-bit steps. These
channels are divided and their weights multiplied, which does not change the output (Xiao et al. 2023,
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
"""The lowest mean cosine between the vectors of the int8 network and of the model for the network to be used."""
SENTENCES = Path(__file__).with_name("sentences.txt")
"""Real sentences, one on each line, to measure the size of channels and the mean cosine."""
_SENTENCES_PER_PASSAGE = 8
"""How many of these sentences are joined into a passage."""
_UNCHANGED_SHARE = 0.99
"""The share of a layer's input channels that keep their size."""
_OPSET = 17


def make_encoder(original: Original, folder: Path) -> Recipe:
    """Make the int8 encoder of a model in an empty folder. If that fails, the recipe says why.

    Raises:
        ModelError: it cannot be made for a temporary reason, such as a full disk.
    """
    recipe = original.recipe(int8=True)
    try:
        if not recipe.pooling:
            raise ModelError("the model does more than pool token vectors")
        original.tokenizer.save(str(folder / TOKENIZER))
        _write_token_vectors(original, folder / NETWORK)
        cosine = _cosine(original, recipe, folder)
        if not cosine >= LEAST_COSINE:  # NaN counts as too low
            raise ModelError(f"the int8 network is not close enough: mean cosine {cosine:.4f} below {LEAST_COSINE}")
    except (OSError, ImportError, MemoryError) as error:  # temporary, so a slow recipe should not be kept
        raise ModelError(
            f"The encoder of {original.name!r} cannot be made ({error}). Fix that and try again."
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
    network.set_attn_implementation("eager")  # fused attention traces to a larger and slower graph
    longest = original.recipe(int8=True).window
    tokens = [original.tokenizer.encode(text).ids[:longest] for text in _texts()]
    even_out(network, [{"input_ids": torch.tensor([row])} for row in tokens])
    ids = torch.tensor([original.tokenizer.encode("An example of two rows.").ids] * 2)
    mask = torch.ones_like(ids)
    mask[1, -2:] = 0
    inputs = {"input_ids": ids, "attention_mask": mask}
    write_int8(TokenVectors(network).eval(), inputs, ("token_vectors",), path)


def even_out(network: Any, inputs: Sequence[dict[str, torch.Tensor]]) -> None:
    """Divide the large input channels of the linear layers of a transformer, in place. Its output does not change.

    The input of an attention's last layer is a mean of its values, so the weights of the values are divided.
    The input of the other layers is divided before the layer. Parts of a network that are not built as in BERT are
    left as they are.

    Args:
        network: of transformers, in eager mode, not training.
        inputs: examples to run it on, to measure the size of the channels.
    """
    import torch

    blocks = getattr(getattr(network, "encoder", None), "layer", [])
    attention_parts = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense")
    attentions = [block.attention for block in blocks if all(_has(block, part) for part in attention_parts)]
    dense = [
        getattr(block, part) for block in blocks for part in ("intermediate", "output") if _has(block, f"{part}.dense")
    ]
    modules = [*dense, *(module for attention in attentions for module in (attention.self, attention.output.dense))]
    highest = _highest_inputs(network, modules, inputs)
    with torch.no_grad():
        for attention in attentions:
            factors = _factors(highest[attention.output.dense])
            attention.self.value.weight /= factors[:, None]
            attention.self.value.bias /= factors
            attention.output.dense.weight *= factors
            layers = (attention.self.query, attention.self.key, attention.self.value)
            _divide_input(attention.self, layers, highest[attention.self])
        for module in dense:
            _divide_input(module, (module.dense,), highest[module])


def _has(block: torch.nn.Module, part: str) -> bool:
    """Whether a block of a network has a part, as a dotted name."""
    try:
        block.get_submodule(part)
    except AttributeError:
        return False
    return True


def _highest_inputs(
    network: torch.nn.Module, modules: Sequence[torch.nn.Module], inputs: Sequence[dict[str, torch.Tensor]]
) -> dict[torch.nn.Module, torch.Tensor]:
    """For each module, the largest absolute value in each channel of its input, over all inputs; shape (channels,)."""
    import torch

    highest: dict[torch.nn.Module, torch.Tensor] = {}

    def record(module: torch.nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
        sizes = arguments[0].abs().flatten(0, 1).amax(0)
        highest[module] = torch.maximum(highest.get(module, sizes), sizes)

    hooks = [module.register_forward_pre_hook(record) for module in modules]
    with torch.no_grad():
        for example in inputs:
            network(**example)
    for hook in hooks:
        hook.remove()
    return highest


def _factors(highest: torch.Tensor) -> torch.Tensor:
    """The divisor of each channel. It brings the large channels down to the largest of the unchanged ones."""
    return (highest / highest.quantile(_UNCHANGED_SHARE)).clamp(min=1.0)


def _divide_input(module: torch.nn.Module, layers: Sequence[torch.nn.Linear], highest: torch.Tensor) -> None:
    """Divide the large channels of a module's input, and multiply the weights of the layers that use it."""
    factors = _factors(highest)
    share = 1 / factors
    for layer in layers:
        layer.weight *= factors
    module.register_forward_pre_hook(lambda _, arguments: (arguments[0] * share, *arguments[1:]))


def write_int8(network: torch.nn.Module, inputs: dict[str, torch.Tensor], outputs: Sequence[str], path: Path) -> None:
    """Trace a network and write it with int8 weights per channel, in half of the range.

    Args:
        network: takes the inputs by position.
        inputs: an example of each input, shape (rows, tokens).
        outputs: names of the outputs. Their first two dimensions are rows and tokens.
        path: the ONNX file to write.
    """
    import onnx
    import onnxruntime.quantization as quantization
    import torch

    axes = {name: {0: "rows", 1: "tokens"} for name in (*inputs, *outputs)}
    with _without_warnings(), tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        fp32 = Path(scratch, "fp32.onnx")
        torch.onnx.export(
            network,
            tuple(inputs.values()),
            str(fp32),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=_OPSET,
            dynamo=False,
        )
        quantization.quantize_dynamic(
            fp32, path, weight_type=quantization.QuantType.QInt8, per_channel=True, reduce_range=True
        )
    onnx.save(steady(onnx.load(path)), path)


def _texts() -> list[str]:
    """The sentences, and passages made from them."""
    sentences = SENTENCES.read_text(encoding="utf-8").splitlines()
    size = _SENTENCES_PER_PASSAGE
    return sentences + [" ".join(sentences[at : at + size]) for at in range(0, len(sentences), size)]


def _cosine(original: Original, recipe: Recipe, folder: Path) -> float:
    """Mean cosine between the vectors of the int8 encoder and of the model, encoding as passages and as questions."""
    texts = _texts()
    encoder = open_int8(folder, recipe)
    vectors = np.stack([v.passage for v in encoder.encode_passages([PassageText(text, ()) for text in texts])])
    cosines = [(vectors * original.encode(texts)).sum(axis=1)]
    cosines.append((encoder.encode_questions(texts) * original.encode(texts, question=True)).sum(axis=1))
    return float(np.concatenate(cosines).mean())


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Suppress the developer warnings of tracing and quantising."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
