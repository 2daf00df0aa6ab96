"""An encoder as a folder: what is in it, what it says of itself, and whether it is whole."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from index.errors import ModelError

DEFAULT_MODEL = "all-MiniLM-L6-v2"
FOLDER = "encoder"
"""Where an index keeps its encoder."""
DESCRIPTION, NETWORK, TOKENIZER = "encoder.json", "model.onnx", "tokenizer.json"


@dataclass(frozen=True)
class Recipe:
    """How an encoder is used: what ``encoder.json`` says."""

    model: str
    """The sentence-transformers model that it was made from, by hub name or folder."""
    identity: str
    """A hash of the weights and of everything below; vectors of two identities must not mix."""
    dimension: int
    window: int
    """Tokens that the network sees at once, a prompt's counted and special ones not."""
    int8: bool = False
    """Whether the folder holds an int8 network; otherwise sentence-transformers has to load the model."""
    pooling: str = ""
    """``mean`` or ``cls`` over token vectors; empty where only sentence-transformers knows how."""
    prefix: Sequence[int] = ()
    suffix: Sequence[int] = ()
    """Special tokens around every text."""
    query_prompt: str = ""
    document_prompt: str = ""
    cosine: float | None = None
    """Mean cosine between vectors of the int8 network and of the model, as measured when it was made."""
    remark: str = ""
    """Why there is no int8 network."""
    hashes: dict[str, str] = field(default_factory=dict)
    """SHA-256 of each other file in the folder."""

    def __str__(self) -> str:
        if not self.int8:
            return f"sentence-transformers, because {self.remark}"
        return f"int8 ONNX, mean cosine to the original {self.cosine:.4f}"


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
