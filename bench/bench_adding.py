"""Milliseconds from adding one article until a library that is being asked returns it, in a warm process.

Usage: python bench/bench_adding.py [FOLDER] [--rounds N]

An index of FOLDER is made in a temporary place; the articles added are copies of its first one, each
with a word of its own that the question asks for.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path

from index import add, build, open_index
from index.files import scan
from qa import retrieve

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "corpus")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        corpus, index = Path(folder, "corpus"), Path(folder, "index")
        shutil.copytree(options.folder, corpus)
        start = time.perf_counter()
        report = build(corpus, index)
        print(f"{options.folder.name}: {report} in {time.perf_counter() - start:.1f} s")
        library = open_index(index)
        retrieve("Who spoke?", library)
        text = (corpus / scan(corpus)[0]).read_text(encoding="utf-8")
        milliseconds, embedded = [], []
        for number in range(options.rounds):
            word = f"Zyxwoland{number}"
            (corpus / f"added-{number}.txt").write_text(f"{text}\n\nIt began in {word}.\n", encoding="utf-8")
            asked = threading.Event()
            found_at: list[float] = []

            def ask(
                question: str = f"Where is {word}?",
                wanted: str = word,
                asked: threading.Event = asked,
                found_at: list[float] = found_at,
            ) -> None:
                while not found_at:
                    hits = retrieve(question, library, k=1)
                    asked.set()
                    if hits and wanted in hits[0].text:
                        found_at.append(time.perf_counter())

            reader = threading.Thread(target=ask)
            reader.start()
            asked.wait()
            start = time.perf_counter()
            done = add([corpus / f"added-{number}.txt"], index)
            reader.join()
            milliseconds.append(1000 * (found_at[0] - start))
            embedded.append(done.sentences)
        middle, low, high = statistics.median(milliseconds), min(milliseconds), max(milliseconds)
        print(f"askable after {middle:.0f} ms (median of {options.rounds}; {low:.0f} to {high:.0f})")
        print(f"sentences embedded for each: {sorted(set(embedded))}")
        library.close()


if __name__ == "__main__":
    main()
