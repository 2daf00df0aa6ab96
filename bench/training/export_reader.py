"""Export the trained reader as an int8 network, which qa/reader.py opens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from bench.training.reader_rows import CLIPPING_QUESTIONS
from index.reading.articles import read_article
from index.reading.passages import split
from index.reading.tokens import load_encoding
from qa.clipping import clip

if TYPE_CHECKING:
    import torch

CALIBRATED = 120
"""How many clippings are used to measure the size of the channels."""


def export(folder: Path, target: Path) -> None:
    """Write the int8 network, and print the hash for qa/reader.py."""
    import torch
    from tokenizers import Tokenizer
    from transformers import BertForQuestionAnswering

    from index.encoding.int8 import even_out, write_int8
    from index.encoding.recipe import sha256
    from index.encoding.sentence_transformer import packaged_model
    from qa.reader import NETWORK

    class Spans(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, network: torch.nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            ids, mask, types = inputs
            output = self.network(input_ids=ids, attention_mask=mask, token_type_ids=types)
            return output.start_logits, output.end_logits

    tokenizer = Tokenizer.from_file(str(packaged_model() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    pairs = [tokenizer.encode(*pair) for pair in _clippings()]
    network = BertForQuestionAnswering.from_pretrained(str(folder), attn_implementation="eager").eval()
    names = ("input_ids", "attention_mask", "token_type_ids")
    rows = [
        {name: torch.tensor([row]) for name, row in zip(names, (p.ids, p.attention_mask, p.type_ids), strict=True)}
        for p in pairs
    ]
    even_out(network.bert, rows)
    example = {name: torch.cat([row[name][:, :20] for row in rows[:2]]) for name in names}
    write_int8(Spans(network).eval(), example, ("starts", "ends"), target / NETWORK)
    print(f'SHA256 = "{sha256(target / NETWORK)}"  # {(target / NETWORK).stat().st_size / 1e6:.1f} MB')


def _clippings() -> list[tuple[str, str]]:
    """Questions, each with some clipping of its article."""
    rows = [json.loads(line) for line in CLIPPING_QUESTIONS.read_text(encoding="utf-8").splitlines()]
    here = [row for row in rows if (CLIPPING_QUESTIONS.with_name(row["collection"]) / row["file"]).is_file()]
    pairs = []
    for at, row in enumerate(here[:: len(here) // CALIBRATED][:CALIBRATED]):
        article = read_article(CLIPPING_QUESTIONS.with_name(row["collection"]) / row["file"])
        passages = split(article, load_encoding())
        passage = passages[at % len(passages)]
        pairs.append((row["question"], clip(article, (passage.start, passage.end)).window.text))
    return pairs
