"""python -m qa: ask a question from the terminal, evaluate the answers, or fit the learnt numbers."""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.errors import ClippingsError
from index.terminal import one_line

if TYPE_CHECKING:
    from index.library import Library
    from qa.answering import Answer
    from qa.retriever import Hit

_WIDTH = 96


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 something is wrong, 2 usage, 130 stopped."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = {"evaluate": _evaluate, "fit": _fit}.get(words[0] if words else "", _ask)
    try:
        return command(words if command is _ask else words[1:])
    except ModuleNotFoundError as error:
        print(f"error: this takes {error.name}. Run: pip install 'clippings[build]'", file=sys.stderr)
        return 1
    except ClippingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _day(value: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{value!r} is no date; write it as YYYY-MM-DD") from error


def _ask(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m qa",
        description="Ask your articles a question. Without one, questions are read from standard input, one a line.",
        epilog="The answering sentence is printed in its passage, between [[ and ]] or in reverse video. "
        "Also: python -m qa evaluate --help, python -m qa fit --help",
    )
    parser.add_argument("question", nargs="*", help='what you want to know; a "quoted phrase" must occur')
    parser.add_argument("--index", metavar="FOLDER", help="the index (default: $CLIPPINGS_INDEX, or .index)")
    parser.add_argument("-k", type=int, default=5, metavar="N", help="show at most N sentences (default: %(default)s)")
    parser.add_argument("--since", type=_day, metavar="DATE", help="only articles of this day or later")
    parser.add_argument("--until", type=_day, metavar="DATE", help="only articles of this day or earlier")
    parser.add_argument("--source", help="only articles of this source")
    parser.add_argument("--json", action="store_true", help="print JSON, one line a question")
    options = parser.parse_args(words)
    if options.k < 1:
        parser.error("-k takes a number from 1")
    from index.encoder import preload
    from index.library import default_path, open_index

    path = Path(options.index) if options.index else default_path()
    preload(path)  # while FAISS and tantivy come up
    library = open_index(path)
    if options.question:
        _reply(" ".join(options.question), library, options)
        return 0
    return _reply_each(sys.stdin, library, options)


def _reply_each(lines: Iterable[str], library: Library, options: argparse.Namespace) -> int:
    """Answer every line; one that cannot be used is reported and does not stop the rest."""
    status = 0
    for line in lines:
        if not line.strip():
            continue
        try:
            _reply(line, library, options)
        except ClippingsError as error:
            print(f"error: {error}", file=sys.stderr)
            status = 1
    return status


def _reply(question: str, library: Library, options: argparse.Namespace) -> None:
    from qa.answering import answer
    from qa.plain import answer_row

    said = answer(question, library, options.k, since=options.since, until=options.until, source=options.source)
    if options.json:
        print(json.dumps(answer_row(said), ensure_ascii=False), flush=True)
    else:
        print(_in_words(said, sys.stdout.isatty()), flush=True)


def _in_words(said: Answer, colour: bool) -> str:
    lines = [f"? {one_line(said.question)}", ""]
    if said.found:
        best = said.evidence[0].hit
        lines += [_fill(_marked(best, colour)), f"  {_source(best)}", f"  sure: {said.confidence:.0%}"]
        others = [evidence.hit for evidence in said.evidence[1:]]
        heading = "also:"
    else:
        lines += [_fill(one_line(said.reason))]
        others = list(said.nearest)
        heading = "nearest:"
    if others:
        lines += ["", heading]
        for hit in others:
            lines += [_fill(one_line(hit.text), "- "), f"    {_source(hit)}"]
    if said.undated_excluded:
        lines += ["", f"({said.undated_excluded} articles of unknown date were left out)"]
    return "\n".join([*lines, ""])


def _marked(hit: Hit, colour: bool) -> str:
    """The hit's passage with the sentence marked: in reverse video, or between brackets where there is none."""
    on, off = ("\x1b[1;7m", "\x1b[0m") if colour else ("[[", "]]")
    text, (start, end) = hit.article.text, hit.passage
    before, after = one_line(text[start : hit.start]), one_line(text[hit.end : end])
    return " ".join(filter(None, [before, f"{on}{one_line(hit.text)}{off}", after]))


def _source(hit: Hit) -> str:
    article = hit.article
    stated = [article.source, article.date.isoformat() if article.date else None]
    details = ", ".join([*filter(None, stated), f"{article.path}:{hit.start}-{hit.end}"])
    return one_line(f"{article.title} ({details})")


def _fill(text: str, first: str = "  ") -> str:
    indent = " " * (len(first) + (2 if first == "- " else 0))
    first = f"  {first}" if first == "- " else first
    return textwrap.fill(text, _WIDTH, initial_indent=first, subsequent_indent=indent, break_long_words=False)


def _evaluate(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m qa evaluate",
        description="Measure on questions in SQuAD form. Each paragraph becomes an article, unless --library is given. "
        'A list of {"question": …} without contexts is asked as unanswerable of the other files\' articles.',
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--library", metavar="INDEX", help="an index whose articles the contexts are")
    parser.add_argument("--limit", type=int, metavar="N", help="ask at most N questions of a file, evenly spread")
    parser.add_argument("--no-export", action="store_true", help="encode with sentence-transformers itself")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(words)
    from index.library import open_index
    from qa.evaluation import evaluate, summary, table

    library = open_index(options.library) if options.library else None
    for figures in evaluate(options.files, library, options.limit, not options.no_export):
        print(json.dumps(_without_nan(summary(figures))) if options.json else table(figures), flush=True)
    return 0


def _without_nan(value: Any) -> Any:
    """What was not measured as null: JSON knows no NaN."""
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def _fit(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m qa fit",
        description="Learn the weights of the ranking from training questions, and the confidence from half of the "
        "development questions; report it on the other half; write qa/parameters.json.",
    )
    parser.add_argument(
        "--train", nargs="+", type=Path, default=[], metavar="FILE", help="for the ranking (default: keep it)"
    )
    parser.add_argument("--dev", nargs="+", type=Path, required=True, metavar="FILE", help="for the confidence")
    parser.add_argument("--library", metavar="INDEX", help="index for the files whose contexts are its articles")
    parser.add_argument("--limit", type=int, default=1500, metavar="N", help="questions of each training file")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write (default: the file in use)")
    options = parser.parse_args(words)
    from index.library import open_index
    from qa.fitting import fit

    library = open_index(options.library) if options.library else None
    print(fit(options.train, options.dev, library, options.limit, options.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
