"""Cut texts into token windows for a network, and pool token vectors into passage and sentence vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class PassageText:
    """A passage for the encoder: its text, and its sentences as spans in that text."""

    text: str
    sentences: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class PassageVectors:
    """The encoder's output for one passage: L2-normalised float32 vectors."""

    passage: Vectors
    """Shape (dimension,)."""
    sentences: Vectors
    """Shape (number of sentences, dimension)."""


def apart(passages: Sequence[PassageText], encode: Callable[[list[str]], Vectors]) -> list[PassageVectors]:
    """Encode passages and sentences as separate texts, for models that do not average their tokens."""
    texts = [p.text for p in passages]
    texts += [p.text[start:end] for p in passages for start, end in p.sentences]
    vectors = encode(texts)
    results, at = [], len(passages)
    for i, passage in enumerate(passages):
        results.append(PassageVectors(vectors[i], vectors[at : at + len(passage.sentences)]))
        at += len(passage.sentences)
    return results


def in_pieces(
    texts: Sequence[str],
    divide: Callable[[str], list[str]],
    encode: Callable[[list[str]], Vectors],
    dimension: int,
) -> Vectors:
    """Vectors of texts that may be longer than the window, shape (texts, dimension).

    The vector of a text is the mean over its pieces, weighted by length and normalised.
    """
    numbered = [(i, piece) for i, text in enumerate(texts) for piece in divide(text)]
    vectors = np.zeros((len(texts), dimension), np.float32)
    for (i, piece), row in zip(numbered, encode([piece for _, piece in numbered]), strict=True):
        vectors[i] += row * max(1, len(piece))
    return normalised(vectors)


def pieces(text: str, tokenizer: Any, window: int) -> list[str]:
    """A text cut between words so that the model sees all of it. Most texts are one piece."""
    if len(text) < window:  # a token is at least one character
        return [text]
    encoding = tokenizer.encode(text, add_special_tokens=False)
    if len(encoding.ids) <= window:
        return [text]
    ranges = cut(encoding.word_ids, (), window)
    return [text[encoding.offsets[first][0] : encoding.offsets[last - 1][1]] for first, last in ranges]


def count(text: str, tokenizer: Any) -> int:
    """The number of tokens of a text, without special tokens."""
    return len(tokenizer.encode(text, add_special_tokens=False).ids)


def cut(words: Sequence[int | None], sentences: Sequence[Span], size: int) -> list[Span]:
    """Cut a passage's tokens into ranges of at most ``size`` tokens: after a sentence, or else after a word."""
    count = len(words)
    ends = {last for _, last in sentences}
    ranges, first = [], 0
    while count - first > size:
        limit = first + size
        end = next((at for at in range(limit, first, -1) if at in ends), 0)
        if not end:
            end = next((at for at in range(limit, first, -1) if words[at] != words[at - 1]), limit)
        ranges.append((first, end))
        first = end
    ranges.append((first, count))
    return ranges


def normalised(rows: Vectors) -> Vectors:
    """Rows scaled to length one. A row of zeros does not change."""
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, 1e-12), dtype=np.float32)


def sentence_tokens(passage: PassageText, offsets: Sequence[Span]) -> list[Span]:
    """The range of tokens of each sentence. Offsets ascend, so one pass is enough."""
    ranges, token = [], 0
    for start, end in passage.sentences:
        while token < len(offsets) and offsets[token][1] <= start:
            token += 1
        first = token
        while token < len(offsets) and offsets[token][0] < end:
            token += 1
        ranges.append((first, token))
    return ranges


def batches(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Positions of rows to run together, longest first. A batch has at most ``tokens`` tokens, padding included.

    Every row is at least half as long as the longest one in its batch, because padding costs time.
    """
    grouped: list[list[int]] = []
    for at in sorted(range(len(lengths)), key=lambda at: -lengths[at]):
        longest = lengths[grouped[-1][0]] if grouped else 0
        if 2 * lengths[at] >= longest > 0 and (len(grouped[-1]) + 1) * longest <= tokens:
            grouped[-1].append(at)
        else:
            grouped.append([at])
    return grouped


def padded(rows: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids of rows padded with zeros, and the mask of real tokens; both have shape (rows, longest)."""
    ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
    mask = np.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return ids, mask
