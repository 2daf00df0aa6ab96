"""Make the shipped encoder from the official weights of all-MiniLM-L6-v2.

    python -m bench.training.make_encoder [FOLDER]

Writes ``model.onnx``, ``tokenizer.json`` and ``encoder.json``. docs/encoder.md says what int8 costs.
"""

from __future__ import annotations

import sys
from pathlib import Path

from index.encoding.int8 import make_encoder
from index.encoding.loading import SHIPPED
from index.encoding.sentence_transformer import load_original


def main() -> int:
    """Make the encoder in the given folder, or in the folder that ships."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else SHIPPED
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    recipe = make_encoder(load_original(), folder)
    print(f"{folder}: {recipe}")
    return 0 if recipe.int8 else 1


if __name__ == "__main__":
    sys.exit(main())
