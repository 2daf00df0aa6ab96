"""The trained reader as an int8 network: what qa/reader.py opens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


from bench.training.reader_rows import OWN_PARAGRAPHS

QUIET = 0.99
"""The share of a layer's input channels that keep their size in int8."""
CALIBRATED = 60
"""Of our own paragraphs, how many tell how large the channels become."""


def export(folder: Path, target: Path) -> None:
    """Write the int8 network and its tokenizer, and print the hashes that qa/reader.py wants.

    What comes into the feed-forward layers has a few channels many times as large as the others, which would leave
    these only a few of int8's steps. So those channels are divided before, and their weights multiplied, which
    changes nothing else (Xiao et al. 2023, SmoothQuant, section 4).
    """
    import torch
    from tokenizers import Tokenizer
    from transformers import BertForQuestionAnswering

    from index.encoding.int8 import write_int8
    from index.encoding.recipe import sha256
    from index.encoding.sentence_transformer import packaged_model
    from qa.reader import NETWORK, TOKENIZER

    class Evened(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, linear: torch.nn.Linear, highest: torch.Tensor) -> None:
            super().__init__()
            factors = (highest / highest.quantile(QUIET)).clamp(min=1.0)
            self.register_buffer("divided", 1 / factors)
            linear.weight.data *= factors
            self.linear = linear

        def forward(self, given: torch.Tensor) -> torch.Tensor:
            said: torch.Tensor = self.linear(given * self.divided)
            return said

    class Spans(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, network: torch.nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            ids, mask, types = inputs
            said = self.network(input_ids=ids, attention_mask=mask, token_type_ids=types)
            return said.start_logits, said.end_logits

    tokenizer = Tokenizer.from_file(str(packaged_model() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(target / TOKENIZER))
    entries = [json.loads(line) for line in OWN_PARAGRAPHS.read_text(encoding="utf-8").splitlines()[:CALIBRATED]]
    pairs = [tokenizer.encode(entry["questions"][0]["question"], entry["text"]) for entry in entries]
    inputs = [[torch.tensor([row]) for row in (pair.ids, pair.attention_mask, pair.type_ids)] for pair in pairs]
    network = BertForQuestionAnswering.from_pretrained(str(folder), attn_implementation="eager").eval()
    highest: dict[torch.nn.Module, torch.Tensor] = {}

    def look(layer: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        here = given[0].detach().abs().flatten(0, 1).amax(0)
        highest[layer] = torch.maximum(highest.get(layer, here), here)

    layers = [(of, of.dense) for block in network.bert.encoder.layer for of in (block.intermediate, block.output)]
    looking = [dense.register_forward_pre_hook(look) for _, dense in layers]
    with torch.no_grad():
        for given in inputs:
            Spans(network)(*given)
    for hook in looking:
        hook.remove()
    for of, dense in layers:
        of.dense = Evened(dense, highest[dense])
    names = ("input_ids", "attention_mask", "token_type_ids")
    example = [torch.cat([one[:, :20], other[:, :20]]) for one, other in zip(*inputs[:2], strict=True)]
    by_name = dict(zip(names, example, strict=True))
    write_int8(Spans(network).eval(), by_name, ("starts", "ends"), target / NETWORK, seven_bits=True)
    for name in (NETWORK, TOKENIZER):
        print(f'    {name}: "{sha256(target / name)}",  # {(target / name).stat().st_size / 1e6:.1f} MB')
