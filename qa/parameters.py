"""The learnt numbers: the weights of ranking and confidence, kept in ``parameters.json``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FILE = Path(__file__).with_name("parameters.json")


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of the raw scores (``qa.retriever.Signals``) in a fused score."""

    dense_sentence: float
    dense_passage: float
    bm25_sentence: float
    bm25_passage: float
    length: float


@dataclass(frozen=True, slots=True)
class Parameters:
    """All numbers that ``python -m qa fit`` learns."""

    ranking: Weights
    """Weights of the fused score without the reader."""
    reading: Weights
    """Weights of the fused score with the reader. It decides which passages are read; the reader's score is added."""
    confidence: dict[str, dict[str, float]]
    """For each factor, the weights of ``qa.confidence.Features`` by name, and ``bias``."""
    threshold: float
    """The lowest confidence at which an answer is shown."""


@lru_cache(maxsize=1)
def load_parameters() -> Parameters:
    """The parameters that ship with Clippings."""
    values = json.loads(FILE.read_text(encoding="utf-8"))
    return Parameters(
        Weights(**values["ranking"]), Weights(**values["reading"]), values["confidence"], values["threshold"]
    )
