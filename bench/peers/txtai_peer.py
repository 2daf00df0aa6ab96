"""txtai as ``run.py`` uses it, in its own environment (``txtai.txt``).

    python txtai_peer.py build INDEX UNITS MODEL dense|hybrid
    python txtai_peer.py search INDEX MODEL K < QUESTIONS

UNITS is a JSON list of [id, text]. QUESTIONS has one question per line. For each question it prints one line
of JSON: the milliseconds that the search took, and [id, score, text] of each hit. The sentences are stored
with their vectors (``content``), so that a search returns them. All else is txtai's default.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

txtai: Any = importlib.import_module("txtai")  # by name: it is not installed beside Clippings


def build(index: str, units: str, model: str, kind: str) -> None:
    """Embed the units, index them and save the index."""
    embeddings = txtai.Embeddings(path=model, gpu=False, content=True, hybrid=kind == "hybrid")
    embeddings.index((id_, text, None) for id_, text in json.loads(Path(units).read_text(encoding="utf-8")))
    embeddings.save(index)


def search(index: str, _model: str, k: str) -> None:
    """Answer the questions on standard input from a saved index, which names its model."""
    embeddings = txtai.Embeddings()
    embeddings.load(index)
    for line in sys.stdin:
        question = line.strip()
        start = time.perf_counter()
        rows = embeddings.search(question, int(k))
        milliseconds = 1000 * (time.perf_counter() - start)
        print(json.dumps([milliseconds, [[row["id"], row["score"], row["text"]] for row in rows]]), flush=True)


if __name__ == "__main__":
    command: Any = {"build": build, "search": search}[sys.argv[1]]
    command(*sys.argv[2:])
