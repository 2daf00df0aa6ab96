"""The commands ``python -m qa evaluate`` and ``python -m qa fit``."""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from index.errors import ClippingsError


def evaluate_command(words: Sequence[str]) -> int:
    """Run ``python -m qa evaluate``."""
    parser = argparse.ArgumentParser(
        prog="python -m qa evaluate",
        description="Measure on questions in SQuAD form, or on a .jsonl of questions about the articles of --library. "
        'Each paragraph becomes an article, unless --library is given. A list of {"question": …} without contexts is '
        "asked of the other files' articles, as unanswerable. A folder with articles/ and questions.jsonl is asked as "
        "users ask, and the replies are judged.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="or a folder")
    parser.add_argument("--library", metavar="INDEX", help="an index of the articles that the questions are about")
    parser.add_argument("--limit", type=int, metavar="N", help="ask at most N questions of a file, evenly spread")
    parser.add_argument("--exact", action="store_true", help="encode with sentence-transformers itself")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON, one line per file")
    parser.add_argument("--rows", type=Path, metavar="FILE", help="write the result of each question, as JSON lines")
    options = parser.parse_args(words)
    import scipy.stats  # noqa: F401, now, so that a missing package fails before the questions are asked
    import sklearn.metrics  # noqa: F401

    from index.library import open_index
    from qa.measuring import conversations
    from qa.measuring.evaluation import evaluate
    from qa.measuring.report import rows, summary, table

    library = open_index(options.library) if options.library else None
    folders = [path for path in options.files if conversations.is_folder_of_questions(path)]
    files = [path for path in options.files if path not in folders]
    with _open_to_write(options.rows) as rows_file:
        for folder in folders:
            with tempfile.TemporaryDirectory() as index:
                asked, questions = conversations.open_folder(folder, Path(index))
                judged = conversations.judge_all(asked, questions[: options.limit])
                asked.close()
            name, totals = folder.name, conversations.summary(judged)
            print(
                json.dumps(_without_nan({"file": name, **totals}))
                if options.json
                else conversations.table(name, judged)
            )
            for one in judged:
                rows_file.write(json.dumps(one.row(), ensure_ascii=False) + "\n")
        for figures in evaluate(files, library, options.limit, options.exact) if files else ():
            print(json.dumps(_without_nan(summary(figures))) if options.json else table(figures), flush=True)
            for row in rows(figures):
                rows_file.write(json.dumps(_without_nan(row), ensure_ascii=False) + "\n")
            rows_file.flush()
    return 0


def _open_to_write(path: Path | None, mode: str = "w") -> TextIO:
    """Open a file to write; without a path, the null device."""
    try:
        return Path(path or os.devnull).open(mode, encoding="utf-8")  # type: ignore[return-value]
    except OSError as error:
        raise ClippingsError(f"{path} cannot be written: {error.strerror}.") from error


def _without_nan(value: Any) -> Any:
    """The value with NaN and infinity replaced by None, because JSON has neither."""
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def fit_command(words: Sequence[str]) -> int:
    """Run ``python -m qa fit``."""
    parser = argparse.ArgumentParser(
        prog="python -m qa fit",
        description="Learn the weights of the ranking from training questions. Learn the weights beside the reader's "
        "score, and the confidence, from two thirds of the development questions. Report on the other third, and "
        "write qa/parameters.json.",
    )
    parser.add_argument(
        "--train",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="questions for the ranking (default: keep the ranking)",
    )
    parser.add_argument("--dev", nargs="+", type=Path, required=True, metavar="FILE", help="questions for the rest")
    parser.add_argument("--library", metavar="INDEX", help="index for the files whose contexts are its articles")
    parser.add_argument("--limit", type=int, default=1500, metavar="N", help="use at most N questions of each file")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write (default: the file in use)")
    options = parser.parse_args(words)
    import scipy.optimize  # noqa: F401, now, as in evaluate_command
    import sklearn.metrics  # noqa: F401

    from index.library import open_index
    from qa import parameters
    from qa.measuring.fitting import fit

    library = open_index(options.library) if options.library else None
    with _open_to_write(options.out or parameters.FILE, "a") as file:  # now, as above; it keeps its content meanwhile
        learnt, report = fit(options.train, options.dev, library, options.limit)
        file.truncate(0)
        file.write(json.dumps(learnt, indent=2) + "\n")
    print(report)
    return 0
