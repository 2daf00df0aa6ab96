"""The encoder: makes passage and sentence vectors in one pass, and the vector of a question.

A sentence's vector is the mean of its tokens' vectors inside its passage ("late chunking", Günther et
al. 2024, arXiv:2409.04701). So it includes the context and needs no second pass. This needs a model that
pools by the mean. For other models, sentences are encoded separately.

An encoder is a folder: an int8 ONNX network, its tokenizer, and ``encoder.json``, which says how to use
them. Running it needs onnxruntime and tokenizers. The encoder of the default model ships with Clippings.
``index.encoding.int8`` makes such a folder from any other model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from index.encoding.recipe import NETWORK, TOKENIZER, Recipe, damaged_files
from index.encoding.runtime import open_side_by_side, read_tokenizer
from index.encoding.windows import (
    PassageText,
    PassageVectors,
    Vectors,
    apart,
    count,
    cut,
    in_pieces,
    normalised,
    pieces,
    sentence_tokens,
)
from index.errors import DamagedEncoderError

Forward = Callable[[Sequence[Sequence[int]]], Iterable[tuple[int, Vectors]]]
"""From rows of token ids to (position of the row, token vectors of shape (tokens, dimension)), in any order."""


@dataclass(frozen=True, slots=True)
class _Window:
    """A range of one passage's tokens that fits the model, without special tokens."""

    passage: int
    first: int
    ids: list[int]


class Encoder(ABC):
    """Encodes questions and passages. Safe to share between threads."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.identity = recipe.identity
        self.dimension = recipe.dimension

    def encode_question(self, question: str) -> Vectors:
        """The normalised vector of a question, shape (dimension,)."""
        vector: Vectors = self.encode_questions([question])[0]
        return vector

    @abstractmethod
    def encode_questions(self, questions: Sequence[str]) -> Vectors:
        """Normalised vectors of questions, shape (n, dimension)."""

    @abstractmethod
    def encode_passages(self, passages: Sequence[PassageText]) -> list[PassageVectors]:
        """Passage and sentence vectors, in the order given.

        A passage longer than the model's window is cut between sentences, or between words if one sentence
        is too long. Its vector is then the mean of its windows' vectors, weighted by length.
        """


class TokenEncoder(Encoder):
    """An encoder that pools the token vectors of a network itself.

    Args:
        recipe: how to use the network.
        tokenizer: of the ``tokenizers`` library, without padding and truncation.
        forward: runs the network.
    """

    def __init__(self, recipe: Recipe, tokenizer: Any, forward: Forward) -> None:
        super().__init__(recipe)
        self._tokenizer = tokenizer
        self._forward = forward
        self._together = recipe.pooling == "mean" and not (recipe.query_prompt or recipe.document_prompt)

    def encode_questions(self, questions: Sequence[str]) -> Vectors:
        """Normalised vectors of questions, shape (n, dimension)."""
        return self._encode_texts(questions, self.recipe.query_prompt)

    def encode_passages(self, passages: Sequence[PassageText]) -> list[PassageVectors]:
        """Passage and sentence vectors, in the order given; see ``Encoder``."""
        if self._together:
            return self._encode_together(passages)
        return apart(passages, lambda texts: self._encode_texts(texts, self.recipe.document_prompt))

    def _encode_texts(self, texts: Sequence[str], prompt: str) -> Vectors:
        if not prompt:
            encoded = self._encode_together([PassageText(text, ()) for text in texts])
            return _rows([vectors.passage for vectors in encoded], self.dimension)

        room = self.recipe.window - count(prompt, self._tokenizer)

        def encode(parts: list[str]) -> Vectors:
            return self._encode_texts([prompt + part for part in parts], "")

        return in_pieces(texts, lambda text: pieces(text, self._tokenizer, room), encode, self.dimension)

    def _encode_together(self, passages: Sequence[PassageText]) -> list[PassageVectors]:
        before, after = list(self.recipe.prefix), list(self.recipe.suffix)
        encodings = self._tokenizer.encode_batch([p.text for p in passages], add_special_tokens=False)
        bounds = [sentence_tokens(p, e.offsets) for p, e in zip(passages, encodings, strict=True)]
        passage_sums = np.zeros((len(passages), self.dimension), np.float32)
        sentence_sums = [np.zeros((len(spans), self.dimension), np.float32) for spans in bounds]
        windows = [
            _Window(i, first, encoding.ids[first:last])
            for i, encoding in enumerate(encodings)
            for first, last in cut(encoding.word_ids, bounds[i], self.recipe.window)
        ]
        rows = [before + window.ids + after for window in windows]
        for at, hidden in self._forward(rows):
            window = windows[at]
            pooled = hidden.mean(axis=0) if self.recipe.pooling == "mean" else hidden[0]
            passage_sums[window.passage] += pooled * max(1, len(window.ids))
            tokens = hidden[len(before) : len(before) + len(window.ids)]
            sums = sentence_sums[window.passage]
            for i, (first, last) in enumerate(bounds[window.passage]):
                sums[i] += tokens[max(0, first - window.first) : max(0, last - window.first)].sum(axis=0)
        for i, spans in enumerate(bounds):  # a sentence without tokens takes its passage's vector
            sentence_sums[i][[first == last for first, last in spans]] = passage_sums[i]
        return [PassageVectors(normalised(p), normalised(s)) for p, s in zip(passage_sums, sentence_sums, strict=True)]


def open_int8(folder: Path, recipe: Recipe) -> TokenEncoder:
    """Open the int8 encoder in a folder. Raises DamagedEncoderError if a file is missing or damaged."""
    with ThreadPoolExecutor(1) as worker:  # hashing takes as long as loading, so both run at once
        damaged = worker.submit(damaged_files, folder, recipe)
        try:
            tokenizer, forward = read_tokenizer(folder / TOKENIZER), _open_forward(folder / NETWORK)
        except Exception as error:  # onnxruntime and tokenizers each raise their own
            reason = str(error).strip().partition("\n")[0][:200]
            raise DamagedEncoderError(f"The encoder in {folder} is damaged ({reason}).") from error
        if damaged.result():
            raise DamagedEncoderError(f"The encoder in {folder} is damaged ({', '.join(damaged.result())}).")
    return TokenEncoder(recipe, tokenizer, forward)


def _open_forward(path: Path) -> Forward:
    """Open a network that runs each row separately. It scales its 8-bit numbers over the whole input, so in a batch
    the vectors of a row would depend on the other rows."""
    networks = open_side_by_side(path)

    def forward(rows: Sequence[Sequence[int]]) -> Iterator[tuple[int, Vectors]]:
        ids = [np.array([row], np.int64) for row in rows]
        outputs = networks([{"input_ids": row, "attention_mask": np.ones_like(row)} for row in ids])
        for at, (hidden,) in enumerate(outputs):
            yield at, hidden[0]

    return forward


def _rows(vectors: Any, dimension: int) -> Vectors:
    return np.asarray(vectors, dtype=np.float32).reshape(-1, dimension)
