"""The learnt numbers: weights of the ranking and of the confidence, kept in one readable file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FILE = Path(__file__).with_name("parameters.json")


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of the raw scores (``qa.retriever.Signals``) in a fused one."""

    dense_sentence: float
    dense_passage: float
    bm25_sentence: float
    bm25_passage: float
    length: float


@dataclass(frozen=True, slots=True)
class Parameters:
    """All that ``python -m qa fit`` learns."""

    ranking: Weights
    """Of the fused score, where nothing is read."""
    reading: Weights
    """Of the score that says what is read, and to which the reader's is then added as it is."""
    confidence: dict[str, dict[str, float]]
    """By factor the weights of ``qa.confidence.Features`` by name, and ``bias``."""
    threshold: float
    """The least confidence at which an answer is shown as one."""


@lru_cache(maxsize=1)
def load_parameters() -> Parameters:
    """The parameters that ship with Clippings."""
    values = json.loads(FILE.read_text(encoding="utf-8"))
    return Parameters(
        Weights(**values["ranking"]), Weights(**values["reading"]), values["confidence"], values["threshold"]
    )
