"""Chroma as ``run.py`` uses it, in an environment of its own (``chroma.txt``).

It is called as ``txtai_peer.py`` is, and prints the same; a score is 1 - the cosine distance. Its default
embedding, the same model in ONNX, is downloaded at first use; so that no network is needed, its embedding
function over sentence-transformers stands in, with the weights that Clippings uses. All else is the default.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

chromadb: Any = importlib.import_module("chromadb")  # by name: the environment of Clippings does not have it


def build(index: str, units: str, model: str) -> None:
    """Embed the units into a new collection."""
    rows = json.loads(Path(units).read_text(encoding="utf-8"))
    client, collection = _collection(index, model)
    most = client.get_max_batch_size()
    for at in range(0, len(rows), most):
        batch = rows[at : at + most]
        collection.add(ids=[id_ for id_, _ in batch], documents=[text for _, text in batch])


def search(index: str, model: str, k: str) -> None:
    """Answer the questions on standard input from a saved index."""
    _, collection = _collection(index, model)
    for line in sys.stdin:
        question = line.strip()
        start = time.perf_counter()
        found = collection.query(query_texts=[question], n_results=int(k), include=["documents", "distances"])
        milliseconds = 1000 * (time.perf_counter() - start)
        rows = zip(found["ids"][0], found["distances"][0], found["documents"][0], strict=True)
        print(json.dumps([milliseconds, [[id_, 1 - distance, text] for id_, distance, text in rows]]), flush=True)


def _collection(index: str, model: str) -> tuple[Any, Any]:
    client = chromadb.PersistentClient(index, settings=chromadb.Settings(anonymized_telemetry=False))
    function = chromadb.utils.embedding_functions.SentenceTransformerEmbeddingFunction(model_name=model, device="cpu")
    cosine = {"hnsw": {"space": "cosine"}}
    return client, client.get_or_create_collection("sentences", embedding_function=function, configuration=cosine)


if __name__ == "__main__":
    command: Any = {"build": build, "search": search}[sys.argv[1]]
    command(*sys.argv[2:])
