"""The encoder: passages to passage and sentence vectors in one pass, a question to a vector.

A sentence's vector is the mean of its tokens' vectors inside its passage ("late chunking", Günther et
al. 2024, arXiv:2409.04701), so that it knows its neighbours and costs no second pass. That needs a
model that pools by the mean; for any other model sentences are encoded apart.

The encoder is a folder that travels with the index: an int8 ONNX network, its tokenizer, and
``encoder.json``, which says how the two are used. Running it takes onnxruntime and tokenizers;
``index.exporting`` makes the folder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.errors import ModelError
from index.runtime import batches, open_network, padded, read_tokenizer

DEFAULT_MODEL = "all-MiniLM-L6-v2"
FOLDER = "encoder"
"""Where an index keeps its encoder."""
DESCRIPTION, NETWORK, TOKENIZER = "encoder.json", "model.onnx", "tokenizer.json"
_BATCH_TOKENS = 1536
"""Tokens of one forward pass, padding included: more is no faster, and takes memory."""

Vectors = NDArray[np.float32]
Span = tuple[int, int]
Forward = Callable[[NDArray[np.int64], NDArray[np.int64]], Vectors]
"""Token ids and mask, both of shape (rows, tokens), to token vectors of shape (rows, tokens, dimension)."""


@dataclass(frozen=True, slots=True)
class PassageText:
    """A passage as the encoder sees it: its text, and its sentences as spans into that text."""

    text: str
    sentences: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class PassageVectors:
    """What the encoder yields for one passage; all rows are L2-normalised float32."""

    passage: Vectors
    """Shape (dimension,)."""
    sentences: Vectors
    """Shape (number of sentences, dimension)."""


@dataclass(frozen=True)
class Recipe:
    """How an encoder is used: what ``encoder.json`` says."""

    model: str
    """The sentence-transformers model that it was made of, by hub name or folder."""
    identity: str
    """A hash of the weights and of everything below; vectors of two identities must not mix."""
    dimension: int
    window: int
    """Tokens that the network sees at once, a prompt's counted and special ones not."""
    exported: bool = False
    """Whether the network is in the folder; otherwise sentence-transformers has to load the model."""
    pooling: str = ""
    """``mean`` or ``cls`` over token vectors; empty where only sentence-transformers knows how."""
    prefix: Sequence[int] = ()
    suffix: Sequence[int] = ()
    """Special tokens around every text."""
    query_prompt: str = ""
    document_prompt: str = ""
    cosine: float | None = None
    """Mean cosine between vectors of the exported network and of the original, as measured at export."""
    remark: str = ""
    """Why the model could not be exported."""
    hashes: dict[str, str] = field(default_factory=dict)
    """SHA-256 of each other file in the folder."""

    def __str__(self) -> str:
        if not self.exported:
            return f"sentence-transformers, because {self.remark}"
        return f"int8 ONNX, mean cosine to the original {self.cosine:.4f}"


@dataclass(frozen=True, slots=True)
class _Window:
    """A stretch of one passage's tokens that fits the model, special tokens not counted."""

    passage: int
    first: int
    ids: list[int]


class Encoder(ABC):
    """A model with the verbs that the index needs. Safe to share between threads."""

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

        A passage longer than the model's window is cut between sentences, or inside an endless one
        between words; its vector is then the mean of its windows' vectors, weighted by length.
        """


class TokenEncoder(Encoder):
    """An encoder that pools the token vectors of a network itself.

    Args:
        recipe: how.
        tokenizer: of the ``tokenizers`` library, neither padding nor cutting.
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
            found = self._encode_together([PassageText(text, ()) for text in texts])
            return _rows([vectors.passage for vectors in found], self.dimension)

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
        for batch in batches([len(row) for row in rows], _BATCH_TOKENS):
            hidden = self._forward(*padded([rows[at] for at in batch]))
            for row, at in zip(hidden, batch, strict=True):
                window, length = windows[at], len(rows[at])
                pooled = row[:length].mean(axis=0) if self.recipe.pooling == "mean" else row[0]
                passage_sums[window.passage] += pooled * max(1, len(window.ids))
                tokens = row[len(before) : len(before) + len(window.ids)]
                sums = sentence_sums[window.passage]
                for i, (first, last) in enumerate(bounds[window.passage]):
                    sums[i] += tokens[max(0, first - window.first) : max(0, last - window.first)].sum(axis=0)
        for i, spans in enumerate(bounds):  # a sentence without tokens of its own takes its passage's vector
            sentence_sums[i][[first == last for first, last in spans]] = passage_sums[i]
        return [PassageVectors(normalised(p), normalised(s)) for p, s in zip(passage_sums, sentence_sums, strict=True)]


_loaded: dict[str, Encoder] = {}
_loading = threading.Lock()


def load_encoder(folder: Path, identity: str | None = None) -> Encoder:
    """The encoder kept in a folder; one of each identity per process, shared by whoever builds and asks.

    Args:
        folder: as ``index.exporting`` makes it.
        identity: the one that is wanted; ``None`` takes what is there.

    Raises:
        ModelError: it is missing, damaged, or another one.
    """
    with _loading:
        if identity in _loaded:
            return _loaded[identity]
        recipe = read_recipe(folder)
        if identity is not None and recipe.identity != identity:
            raise ModelError(f"The encoder in {folder} ({recipe.model}) is not the one that the index was made with.")
        if recipe.identity not in _loaded:
            _loaded[recipe.identity] = open_encoder(folder, recipe)
        return _loaded[recipe.identity]


def index_encoder(index: Path, model: str, identity: str) -> Encoder:
    """The encoder that an index was made with; made again where its folder is missing or damaged.

    Raises:
        ModelError: that cannot be done here, or the model is no longer the same; the message says what to do.
    """
    try:
        return load_encoder(index / FOLDER, identity)
    except ModelError as damaged:
        try:
            from index.exporting import provide_encoder

            folder, _ = provide_encoder(model, index, identity)
        except ModelError as error:
            raise ModelError(f"{damaged} It cannot be made again: {error}") from error
        return load_encoder(folder, identity)


def preload(index: Path) -> None:
    """Begin to load an index's encoder in the background; whoever asks for it then waits for the rest only."""

    def load() -> None:
        # Whoever asks for it is told; or nobody does, and the process ends before a thread can be had for hashing.
        with contextlib.suppress(ModelError, RuntimeError):
            load_encoder(index / FOLDER)

    # No daemon: a process must not end in the middle of onnxruntime.
    threading.Thread(target=load, name="encoder").start()


def read_recipe(folder: Path) -> Recipe:
    """What an encoder's folder says of itself. Raises ModelError if it is missing or damaged."""
    try:
        return Recipe(**json.loads((folder / DESCRIPTION).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"The encoder in {folder} is missing or damaged ({error}).") from error


def write_recipe(recipe: Recipe, folder: Path) -> None:
    """Describe the encoder in a folder, whose other files are in place."""
    text = json.dumps(dataclasses.asdict(recipe), indent=1, ensure_ascii=False)
    (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")


def open_encoder(folder: Path, recipe: Recipe) -> Encoder:
    """An encoder from its folder, not shared. Raises ModelError if a file is missing or damaged."""
    if not recipe.exported:
        from index.original import load_original

        return load_original(recipe.model).encoder(recipe)
    with ThreadPoolExecutor(1) as worker:  # hashing takes as long as loading, and another core
        damaged = worker.submit(damaged_files, folder, recipe)
        try:
            tokenizer, forward = read_tokenizer(folder / TOKENIZER), _open_forward(folder / NETWORK)
        except Exception as error:  # onnxruntime and tokenizers each raise their own
            reason = str(error).strip().partition("\n")[0][:200]
            raise ModelError(f"The encoder in {folder} is damaged ({reason}).") from error
        if damaged.result():
            raise ModelError(f"The encoder in {folder} is damaged ({', '.join(damaged.result())}).")
    return TokenEncoder(recipe, tokenizer, forward)


def damaged_files(folder: Path, recipe: Recipe) -> list[str]:
    """Names of the files that are missing or not what they were when the encoder was made."""
    return [name for name, expected in recipe.hashes.items() if sha256(folder / name) != expected]


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal; empty if there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""


def _open_forward(path: Path) -> Forward:
    network = open_network(path)

    def forward(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> Vectors:
        return network({"input_ids": ids, "attention_mask": mask})[0]

    return forward


# Texts to rows of tokens, and back


def apart(passages: Sequence[PassageText], encode: Callable[[list[str]], Vectors]) -> list[PassageVectors]:
    """Passages and sentences as texts of their own, for models that do not average their tokens."""
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
    """Vectors of texts that may be longer than the window: the mean over their pieces, weighted by length."""
    numbered = [(i, piece) for i, text in enumerate(texts) for piece in divide(text)]
    vectors = np.zeros((len(texts), dimension), np.float32)
    for (i, piece), row in zip(numbered, encode([piece for _, piece in numbered]), strict=True):
        vectors[i] += row * max(1, len(piece))
    return normalised(vectors)


def pieces(text: str, tokenizer: Any, window: int) -> list[str]:
    """A text cut between words so that the model sees all of it; most texts are one piece."""
    if len(text) < window:  # a token is at least a character
        return [text]
    encoding = tokenizer.encode(text, add_special_tokens=False)
    if len(encoding.ids) <= window:
        return [text]
    ranges = cut(encoding.word_ids, (), window)
    return [text[encoding.offsets[first][0] : encoding.offsets[last - 1][1]] for first, last in ranges]


def count(text: str, tokenizer: Any) -> int:
    """How many tokens a text has, special ones not counted."""
    return len(tokenizer.encode(text, add_special_tokens=False).ids)


def cut(words: Sequence[int | None], sentences: Sequence[Span], size: int) -> list[Span]:
    """Cut a passage's tokens into ranges of at most ``size``: at a sentence's end, else at a word's."""
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
    """Rows of length one; a row of zeros stays what it is."""
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, 1e-12), dtype=np.float32)


def sentence_tokens(passage: PassageText, offsets: Sequence[Span]) -> list[Span]:
    """For each sentence the range of its tokens; offsets are ascending, so one walk suffices."""
    ranges, token = [], 0
    for start, end in passage.sentences:
        while token < len(offsets) and offsets[token][1] <= start:
            token += 1
        first = token
        while token < len(offsets) and offsets[token][0] < end:
            token += 1
        ranges.append((first, token))
    return ranges


def _rows(vectors: Any, dimension: int) -> Vectors:
    return np.asarray(vectors, dtype=np.float32).reshape(-1, dimension)
