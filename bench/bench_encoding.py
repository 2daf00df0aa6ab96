"""Passages per second: our encoder, which also yields sentence vectors, beside SentenceTransformer.encode.

Usage: python bench/bench_encoding.py [FOLDER] [--passages N] [--rounds N]

Both encode the same passages in turn, A B A B …, in one process; the medians and their ratio count.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from index.articles import read_article
from index.encoder import PassageText, load_encoder, packaged_model
from index.files import scan
from index.passages import split
from index.tokens import load_encoding

ROOT = Path(__file__).parents[1]


def read_passages(folder: Path, count: int) -> list[PassageText]:
    """The first passages of a folder's articles."""
    counter = load_encoding()
    passages: list[PassageText] = []
    for name in scan(folder):
        article = read_article(folder / name, name)
        for p in split(article, counter):
            spans = tuple((s.start - p.start, s.end - p.start) for s in p.sentences)
            passages.append(PassageText(article.text[p.start : p.end], spans))
        if len(passages) >= count:
            break
    return passages[:count]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "corpus")
    parser.add_argument("--passages", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    from sentence_transformers import SentenceTransformer

    passages = read_passages(options.folder, options.passages)
    texts = [passage.text for passage in passages]
    ours = load_encoder()
    bare = SentenceTransformer(str(packaged_model()), device="cpu")
    ours.encode_passages(passages[:32])
    bare.encode(texts[:32])
    seconds: dict[str, list[float]] = {"ours": [], "bare": []}
    for _ in range(options.rounds):
        start = time.perf_counter()
        ours.encode_passages(passages)
        middle = time.perf_counter()
        bare.encode(texts, show_progress_bar=False)
        seconds["ours"].append(middle - start)
        seconds["bare"].append(time.perf_counter() - middle)
    sentences = sum(len(passage.sentences) for passage in passages)
    print(f"{len(passages)} passages with {sentences} sentences of {options.folder.name}, {options.rounds} rounds")
    rates = {name: len(passages) / statistics.median(values) for name, values in seconds.items()}
    print(f"ours, with sentence vectors:  {rates['ours']:7.1f} passages/s")
    print(f"SentenceTransformer.encode:   {rates['bare']:7.1f} passages/s")
    print(f"ratio: {rates['ours'] / rates['bare']:.2f}")


if __name__ == "__main__":
    main()
