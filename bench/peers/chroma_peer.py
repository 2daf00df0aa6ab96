"""Chroma as ``run.py`` uses it, in its own environment (``chroma.txt``).

Arguments and output are those of ``txtai_peer.py``. A score is 1 - the cosine distance. Chroma's default
embedding, the same model in ONNX, is downloaded at first use. To need no network, its embedding function
for sentence-transformers is used instead, with the weights that Clippings uses. All else is the default.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

chromadb: Any = importlib.import_module("chromadb")  # by name: it is not installed beside Clippings


def build(index: str, units: str, model: str) -> None:
    """Embed the units into a new collection."""
    rows = json.loads(Path(units).read_text(encoding="utf-8"))
    client, collection = _collection(index, model)
    batch_size = client.get_max_batch_size()
    for at in range(0, len(rows), batch_size):
        batch = rows[at : at + batch_size]
        collection.add(ids=[id_ for id_, _ in batch], documents=[text for _, text in batch])


def search(index: str, model: str, k: str) -> None:
    """Answer the questions on standard input from a saved index."""
    _, collection = _collection(index, model)
    for line in sys.stdin:
        question = line.strip()
        start = time.perf_counter()
        results = collection.query(query_texts=[question], n_results=int(k), include=["documents", "distances"])
        milliseconds = 1000 * (time.perf_counter() - start)
        rows = zip(results["ids"][0], results["distances"][0], results["documents"][0], strict=True)
        print(json.dumps([milliseconds, [[id_, 1 - distance, text] for id_, distance, text in rows]]), flush=True)


def _collection(index: str, model: str) -> tuple[Any, Any]:
    client = chromadb.PersistentClient(index, settings=chromadb.Settings(anonymized_telemetry=False))
    function = chromadb.utils.embedding_functions.SentenceTransformerEmbeddingFunction(model_name=model, device="cpu")
    cosine = {"hnsw": {"space": "cosine"}}
    return client, client.get_or_create_collection("sentences", embedding_function=function, configuration=cosine)


if __name__ == "__main__":
    command: Any = {"build": build, "search": search}[sys.argv[1]]
    command(*sys.argv[2:])
