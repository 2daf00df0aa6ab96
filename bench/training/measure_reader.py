"""Measure a reader on the held-out questions about long articles.

    python -m bench.training.measure_reader ROWS [NETWORK.onnx ...]

Each question is read with its window, other windows of its article, and windows of other articles.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from bench.training.reader_rows import Row
from index.encoding.loading import SHIPPED
from index.encoding.recipe import TOKENIZER
from index.encoding.runtime import open_side_by_side, read_tokenizer
from index.encoding.windows import PassageText
from index.reading.passages import split_sentences
from qa import reader
from qa.reader import Reader, Reading


def measure(network: Path, groups: Sequence[Sequence[Row]]) -> dict[str, float]:
    """The figures of a network on groups of windows; the first window of a group answers, if any."""
    opened = Reader(read_tokenizer(SHIPPED / TOKENIZER), open_side_by_side(network))
    overlaps, ranks, known, unknown = [], [], [], []
    for group in groups:
        windows = [PassageText(row.text, _sentences(row.text)) for row in group]
        readings = opened.read(group[0].question, windows)
        scores = [reading.score for found in readings for reading in found]
        right = group[0]
        if right.start < 0:
            unknown.append(max(scores))
            continue
        known.append(max(scores))
        answering = [
            reading.score
            for reading, (start, end) in zip(readings[0], windows[0].sentences, strict=True)
            if start < right.end and right.start < end
        ]
        ranks.append(1 + sum(score > max(answering) for score in scores))
        if not right.inside:
            overlaps.append(_overlap(right, max(readings[0], key=lambda reading: reading.score)))
    return {
        "answerable": float(len(known)),
        "not": float(len(unknown)),
        "F1 in the window": sum(overlaps) / len(overlaps),
        "sentence R@1": sum(rank == 1 for rank in ranks) / len(ranks),
        "sentence R@3": sum(rank <= 3 for rank in ranks) / len(ranks),
        "sentence MRR": sum(1 / rank for rank in ranks) / len(ranks),
        "answerable or not, AUC": sum((a > b) + (a == b) / 2 for a, b in product(known, unknown))
        / (len(known) * len(unknown)),
    }


def _sentences(text: str) -> tuple[tuple[int, int], ...]:
    return tuple((sentence.start, sentence.end) for sentence in split_sentences(text))


def _overlap(row: Row, reading: Reading) -> float:
    """The F1 of the words of the best span against those of the answer."""
    right, found = (
        Counter(re.findall(r"\w+", row.text[start:end].lower()))
        for start, end in ((row.start, row.end), (reading.start, reading.end))
    )
    return 2 * (right & found).total() / max(1, right.total() + found.total())


def main() -> int:
    """Print the figures of each network, by default of the shipped one."""
    rows, *networks = sys.argv[1:]
    groups = [[Row(*row) for row in group] for group in json.loads(Path(rows).read_text(encoding="utf-8"))["held out"]]
    for network in networks or [str(Path(reader.__file__).with_name(reader.NETWORK))]:
        print(network)
        for name, figure in measure(Path(network), groups).items():
            print(f"  {name}: {figure:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
