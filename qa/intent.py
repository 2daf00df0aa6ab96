"""What a question asks for, as probabilities: a linear classifier learnt from written examples.

Multinomial logistic regression over the shipped encoder's vector of the question, and over which common words it has
and begins with. ``bench/training/train_intents.py`` makes ``intents.json`` from ``bench/training/intents.jsonl``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from pathlib import Path

import numpy as np

from index.encoding.windows import Vectors
from index.storage.analysis import analyse

FILE = Path(__file__).with_name("intents.json")
_WORD_WEIGHT = 0.5
"""How much a word counts beside the vector, whose length is 1."""


class Intent(StrEnum):
    """What a question asks for."""

    FACT = "fact"
    YES_NO = "yes-no"
    QUOTE = "quote"
    """What somebody said."""
    LIST = "list"
    OVERVIEW = "overview"
    """A summary, a timeline, what is known about something."""
    ARTICLES = "articles"
    """Which articles, or how many."""
    LATEST = "latest"
    """The present state of something."""
    METADATA = "metadata"
    """Who wrote an article, in which paper, or when it was published."""
    TALK = "talk"
    """Greetings, thanks, and questions about Clippings itself."""


def intents_of(question: str, vector: Vectors) -> dict[Intent, float]:
    """The probability of each intent of a question, whose vector has the shape (dimension,).

    The vectors of another encoder than the shipped one mean something else. Every question then asks for a fact.
    """
    labels, words, weights, bias = _classifier()
    features = features_of(question, vector, words)
    if features.shape != (weights.shape[1],):
        return {intent: float(intent is Intent.FACT) for intent in Intent}
    scores = weights @ features + bias
    odds = np.exp(scores - scores.max())
    return dict(zip(labels, (odds / odds.sum()).tolist(), strict=True))


def features_of(question: str, vector: Vectors, words: Sequence[str]) -> Vectors:
    """What the classifier sees: the vector, which of the words the question has, and which of them comes first."""
    own = analyse(question)
    has = [_WORD_WEIGHT * (word in own) for word in words]
    first = [_WORD_WEIGHT * (word in own[:1]) for word in words]
    return np.concatenate([vector, np.array(has + first, np.float32)])


@cache
def _classifier() -> tuple[list[Intent], list[str], Vectors, Vectors]:
    values = json.loads(FILE.read_text(encoding="utf-8"))
    weights, bias = np.array(values["weights"], np.float32), np.array(values["bias"], np.float32)
    return [Intent(label) for label in values["labels"]], values["words"], weights, bias
