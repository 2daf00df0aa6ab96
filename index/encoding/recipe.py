"""The folder of an encoder: its files, its description ``encoder.json``, and a check that it is complete."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from index.errors import DamagedEncoderError

DEFAULT_MODEL = "all-MiniLM-L6-v2"
FOLDER = "encoder"
"""Where an index keeps its encoder."""
DESCRIPTION, NETWORK, TOKENIZER = "encoder.json", "model.onnx", "tokenizer.json"


@dataclass(frozen=True)
class Recipe:
    """How to use an encoder: the content of ``encoder.json``."""

    model: str
    """The sentence-transformers model that it was made from, by hub name or folder."""
    identity: str
    """A hash of the weights and of how they are used. Vectors of different identities must not be mixed."""
    dimension: int
    window: int
    """The most tokens that the network sees at once, with a prompt but without special tokens."""
    int8: bool = False
    """Whether the folder holds an int8 network. Otherwise sentence-transformers has to load the model."""
    pooling: str = ""
    """``mean`` or ``cls`` over token vectors; empty if only sentence-transformers can do it."""
    prefix: Sequence[int] = ()
    suffix: Sequence[int] = ()
    """Ids of the special tokens before and after every text."""
    query_prompt: str = ""
    document_prompt: str = ""
    cosine: float | None = None
    """Mean cosine between vectors of the int8 network and of the model, measured when the network was made."""
    remark: str = ""
    """Why there is no int8 network."""
    hashes: dict[str, str] = field(default_factory=dict)
    """SHA-256 of each other file in the folder."""

    def __str__(self) -> str:
        if not self.int8:
            return f"sentence-transformers, because {self.remark}"
        return f"int8 ONNX, mean cosine to the original {self.cosine:.4f}"


def read_recipe(folder: Path) -> Recipe:
    """Read the description in an encoder's folder. Raises DamagedEncoderError if it is missing or damaged."""
    try:
        return Recipe(**json.loads((folder / DESCRIPTION).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise DamagedEncoderError(f"The encoder in {folder} is missing or damaged ({error}).") from error


def write_recipe(recipe: Recipe, folder: Path) -> None:
    """Write the description into an encoder's folder, as its last file."""
    text = json.dumps(dataclasses.asdict(recipe), indent=1, ensure_ascii=False)
    (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")


def damaged_files(folder: Path, recipe: Recipe) -> list[str]:
    """Names of the files that are missing or have changed since the encoder was made."""
    return [name for name, expected in recipe.hashes.items() if sha256(folder / name) != expected]


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal; empty if the file is missing."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""
