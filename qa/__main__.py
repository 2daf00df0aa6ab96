"""python -m qa: ask a question from the terminal, evaluate the answers, or fit the learnt numbers."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import ClippingsError, one_line, what_to_install
from qa.measuring.commands import evaluate_command, fit_command

if TYPE_CHECKING:
    from index.library import Library
    from qa.answering import Answer, Evidence
    from qa.bounds import Span
    from qa.retriever import Hit

_WIDTH = 96


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0 done, 1 something is wrong, 2 usage, 130 stopped."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = {"evaluate": evaluate_command, "fit": fit_command}.get(words[0] if words else "", _ask)
    try:
        return command(words if command is _ask else words[1:])
    except ModuleNotFoundError as error:
        print(f"error: {what_to_install(error)}", file=sys.stderr)
        return 1
    except ClippingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _day(value: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{value!r} is not a date; write it as YYYY-MM-DD") from error


def _ask(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m qa",
        description="Ask your articles a question. Without one, questions are read from standard input, one per line.",
        epilog="The answering sentence is printed in its passage, between [[ and ]] or in reverse video. "
        "Also: python -m qa evaluate --help, python -m qa fit --help",
    )
    parser.add_argument("question", nargs="*", help='your question; a sentence must contain every "quoted phrase"')
    parser.add_argument("--index", metavar="FOLDER", help="the index (default: $CLIPPINGS_INDEX, or .index)")
    parser.add_argument("-k", type=int, default=5, metavar="N", help="show at most N sentences (default: %(default)s)")
    parser.add_argument("--since", type=_day, metavar="DATE", help="only articles of this day or later")
    parser.add_argument("--until", type=_day, metavar="DATE", help="only articles of this day or earlier")
    parser.add_argument("--source", help="only articles of this source")
    parser.add_argument("--json", action="store_true", help="print JSON, one line per question")
    options = parser.parse_args(words)
    if options.k < 1:
        parser.error("-k must be at least 1")
    from index.encoding.loading import preload
    from index.library import default_path, open_index
    from qa.reader import preload_reader

    path = Path(options.index) if options.index else default_path()
    preload(path)  # while FAISS and tantivy load
    preload_reader()
    library = open_index(path)
    if options.question:
        _reply(" ".join(options.question), library, options)
        return 0
    return _reply_each(sys.stdin, library, options)


def _reply_each(lines: Iterable[str], library: Library, options: argparse.Namespace) -> int:
    """Answer every line. A line that cannot be used is reported; the rest go on."""
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

    result = answer(question, library, options.k, since=options.since, until=options.until, source=options.source)
    if options.json:
        print(json.dumps(result.to_dict(), ensure_ascii=False), flush=True)
    else:
        print(_in_words(result, sys.stdout.isatty()), flush=True)


def _in_words(answer: Answer, colour: bool) -> str:
    """An answer as text for the terminal."""
    lines = [f"? {one_line(answer.question)}", ""]
    if answer.understood not in ("", answer.question):
        lines[1:1] = [f"  taken as: {one_line(answer.understood)}"]
    if answer.kind == "talk":
        return "\n".join([*lines, _fill(one_line(answer.text)), ""])
    if answer.kind == "articles":
        return "\n".join([*lines, *(f"- {one_line(each.title)} ({each.path})" for each in answer.articles), ""])
    if answer.found:
        best, *further = answer.evidence
        if _exact(best):
            text = one_line(answer.text)
            lines += [_fill(f"\x1b[1m{text}\x1b[0m" if colour else text), ""]
        lines += [_fill(_marked(best, colour)), f"  {_source(best.hit)}", f"  sure: {answer.confidence:.0%}"]
        others = [evidence.hit for evidence in further]
        heading = "also:"
    else:
        lines += [_fill(one_line(answer.reason))]
        others = [*(evidence.hit for evidence in answer.candidates), *answer.nearest]
        heading = "nearest:"
    if others:
        lines += ["", heading]
        for hit in others:
            lines += [_fill(one_line(hit.text), "- "), f"    {_source(hit)}"]
    if answer.undated_excluded:
        lines += ["", f"({answer.undated_excluded} articles of unknown date were left out)"]
    return "\n".join([*lines, ""])


def _marked(evidence: Evidence, colour: bool) -> str:
    """The passage and the context, with the sentence in reverse video, or between brackets without colour."""
    on, off = ("\x1b[7m", "\x1b[0m") if colour else ("[[", "]]")
    hit = evidence.hit
    spans = [hit.passage, *([evidence.context] if evidence.context else [])]
    start, end = min(start for start, _ in spans), max(end for _, end in spans)
    before, after = one_line(hit.article.read(start, hit.start)), one_line(hit.article.read(hit.end, end))
    return " ".join(filter(None, [before, f"{on}{_sentence(evidence, colour)}{off}", after]))


def _sentence(evidence: Evidence, colour: bool) -> str:
    """The sentence on one line, its exact answers bold and underlined, or between asterisks without colour."""
    on, off = ("\x1b[1;4m", "\x1b[22;24m") if colour else ("**", "**")
    hit = evidence.hit
    through = hit.article.through(hit.start, hit.end)
    text = "".join(char if char.isprintable() else " " for char in through.text)  # the same length: offsets stay valid
    pieces, at = [], 0
    for start, end in map(through.in_text, _exact(evidence)):
        first, last = max(at, start), end
        if first < last:
            pieces += [text[at:first], f"{on}{text[first:last]}{off}"]
            at = last
    return " ".join("".join([*pieces, text[at:]]).split())


def _exact(evidence: Evidence) -> Sequence[Span]:
    """The exact answers in the text's order; none if the whole sentence is the answer."""
    return () if (evidence.hit.start, evidence.hit.end) in evidence.spans else evidence.spans


def _source(hit: Hit) -> str:
    article = hit.article
    stated = [article.source, article.date.isoformat() if article.date else None]
    details = ", ".join([*filter(None, stated), f"{article.path}:{hit.start}-{hit.end}"])
    return one_line(f"{article.title} ({details})")


def _fill(text: str, first: str = "  ") -> str:
    indent = " " * (len(first) + (2 if first == "- " else 0))
    first = f"  {first}" if first == "- " else first
    return textwrap.fill(text, _WIDTH, initial_indent=first, subsequent_indent=indent, break_long_words=False)


if __name__ == "__main__":
    sys.exit(main())
