"""The reader as a torch network: MiniLM with logits of an answer's start and end, and of "yes" and "no"."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from transformers import BertForQuestionAnswering


class Logits(NamedTuple):
    """The network's output for some rows."""

    starts: torch.Tensor
    """Shape (rows, tokens)."""
    ends: torch.Tensor
    """Shape (rows, tokens)."""
    polarity: torch.Tensor
    """Shape (rows, tokens, 2). The first token's say whether the window says no or yes to the question."""


class ReaderNetwork(BertForQuestionAnswering):  # type: ignore[misc]
    """BERT with three heads. Files without the polarity head open too; the head then starts at random."""

    def __init__(self, config: object) -> None:
        super().__init__(config)
        self.polarity = torch.nn.Linear(config.hidden_size, 2)  # type: ignore[attr-defined]
        self.post_init()

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> Logits:
        """Logits of rows of token ids, their attention mask and token types, each of shape (rows, tokens)."""
        hidden = self.bert(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state
        spans = self.qa_outputs(hidden)
        return Logits(spans[..., 0], spans[..., 1], self.polarity(hidden))


def open_network(source: str | Path, dropout: float = 0.0) -> ReaderNetwork:
    """The network of a folder in transformers' format."""
    network: ReaderNetwork = ReaderNetwork.from_pretrained(
        str(source),
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=0.0,
        attn_implementation="eager",
    )
    return network
