"""The commands ``python -m qa evaluate`` and ``python -m qa fit``."""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from index.errors import ClippingsError

if TYPE_CHECKING:
    pass


def evaluate_command(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m qa evaluate",
        description="Measure on questions in SQuAD form, or on a .jsonl of questions about the articles of --library. "
        'Each paragraph becomes an article, unless --library is given. A list of {"question": …} without contexts is '
        "asked as unanswerable of the other files' articles.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--library", metavar="INDEX", help="an index of the articles that the questions are about")
    parser.add_argument("--limit", type=int, metavar="N", help="ask at most N questions of a file, evenly spread")
    parser.add_argument("--exact", action="store_true", help="encode with sentence-transformers itself")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON, one line a file")
    parser.add_argument("--rows", type=Path, metavar="FILE", help="write what became of each question, as JSON lines")
    options = parser.parse_args(words)
    import scipy.stats  # noqa: F401, now, so that a missing one is not found after all questions are asked
    import sklearn.metrics  # noqa: F401

    from index.library import open_index
    from qa.measuring.evaluation import evaluate
    from qa.measuring.report import rows, summary, table

    library = open_index(options.library) if options.library else None
    with _written(options.rows) as kept:
        for figures in evaluate(options.files, library, options.limit, options.exact):
            print(json.dumps(_without_nan(summary(figures))) if options.json else table(figures), flush=True)
            for row in rows(figures):
                kept.write(json.dumps(_without_nan(row), ensure_ascii=False) + "\n")
            kept.flush()
    return 0


def _written(path: Path | None) -> TextIO:
    """A file to write, or nowhere."""
    try:
        return Path(path or os.devnull).open("w", encoding="utf-8")
    except OSError as error:
        raise ClippingsError(f"{path} cannot be written: {error.strerror}.") from error


def _without_nan(value: Any) -> Any:
    """What was not measured, or not found, as null: JSON knows neither NaN nor infinity."""
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def fit_command(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m qa fit",
        description="Learn the weights of the ranking from training questions, and those beside the reader's score and "
        "the confidence from two thirds of the development questions; report on the other third; write "
        "qa/parameters.json.",
    )
    parser.add_argument(
        "--train", nargs="+", type=Path, default=[], metavar="FILE", help="for the ranking (default: keep it)"
    )
    parser.add_argument("--dev", nargs="+", type=Path, required=True, metavar="FILE", help="for the rest")
    parser.add_argument("--library", metavar="INDEX", help="index for the files whose contexts are its articles")
    parser.add_argument("--limit", type=int, default=1500, metavar="N", help="questions of each file, at most")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write (default: the file in use)")
    options = parser.parse_args(words)
    import scipy.optimize  # noqa: F401, now, as for evaluate
    import sklearn.metrics  # noqa: F401

    from index.library import open_index
    from qa.measuring.fitting import fit

    library = open_index(options.library) if options.library else None
    print(fit(options.train, options.dev, library, options.limit, options.out))
    return 0
