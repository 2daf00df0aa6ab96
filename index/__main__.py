"""python -m index: build, change, show, verify and export an index from the terminal."""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
import time
from collections.abc import Sequence

from index.errors import ClippingsError, ModelError, one_line, what_to_install
from index.library import default_path

_SHOWN = 20
"""How many problems verify prints. A folder that has moved causes one for every article."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0 done, 1 something is wrong, 2 usage, 130 stopped."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (ClippingsError, OSError) as error:  # a full disk, a folder without permission
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print(f"error: {what_to_install(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Finished articles are kept; run the same command again to continue.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m index", description="Make an index of articles and keep it up to date."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, purpose: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=purpose, description=purpose)
        sub.set_defaults(run=run)
        return sub

    build = command("build", _build, "index a folder of articles, or bring its index up to date")
    build.add_argument("corpus", metavar="FOLDER", help="folder of .txt and .md files")
    build.add_argument("--model", help="sentence-transformers model, by hub name or folder (default: all-MiniLM-L6-v2)")
    build.add_argument("--encoding", help="vocabulary that counts passage tokens: clippings, or one of tiktoken's")
    build.add_argument("--passage-tokens", type=int, metavar="N", help="at most N tokens in a passage")
    build.add_argument(
        "--exact", action="store_true", help="encode with sentence-transformers itself, several times slower"
    )
    add = command("add", _add, "add article files without looking at the rest of the folder")
    add.add_argument("files", metavar="FILE", nargs="+")
    remove = command("remove", _remove, "remove articles; their files go to .trash in the folder")
    remove.add_argument("names", metavar="NAME", nargs="+", help="path within the folder, as status --list shows it")
    status = command("status", _status, "show what the index holds and how it was made")
    status.add_argument("--list", action="store_true", help="list the articles")
    verify = command("verify", _verify, "read everything again and check that it agrees with the index")
    verify.add_argument("--no-vectors", action="store_true", help="do not encode again (needs no model, much faster)")
    export = command("export", _export, "make a copy of the index that can be searched anywhere")
    export.add_argument("target", metavar="TARGET", help="a new folder")
    for sub in (build, add, remove, status, verify, export):
        sub.add_argument(
            "--index", default=str(default_path()), metavar="FOLDER", help="the index (default: %(default)s)"
        )
    for sub in (build, add, remove):
        sub.add_argument(
            "--wait",
            type=float,
            default=10.0,
            metavar="SECONDS",
            help="wait this long for another process that is writing (default: %(default)s)",
        )
    return parser


class _Bar:
    """A progress bar that appears after the first article."""

    def __init__(self) -> None:
        from tqdm import tqdm

        self._bar = tqdm(unit=" articles", disable=None, dynamic_ncols=True, leave=False)

    def __call__(self, done: int, total: int, name: str) -> None:
        self._bar.total = total
        self._bar.set_postfix_str(name[-40:], refresh=False)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        self._bar.close()


def _build(options: argparse.Namespace) -> int:
    from index.builder import build

    logging.basicConfig(format="%(message)s")
    logging.getLogger("index").setLevel(logging.INFO)
    bar, start = _Bar(), time.perf_counter()
    try:
        report = build(
            options.corpus,
            options.index,
            model=options.model,
            encoding=options.encoding,
            passage_tokens=options.passage_tokens,
            exact=options.exact,
            progress=bar,
            wait=options.wait,
        )
    finally:
        bar.close()
    return _print_report(report, options.index, start)


def _add(options: argparse.Namespace) -> int:
    from index.builder import add

    start = time.perf_counter()
    report = add(options.files, options.index, wait=options.wait)
    return _print_report(report, options.index, start, skipped_fails=True)


def _remove(options: argparse.Namespace) -> int:
    from index.builder import remove

    start = time.perf_counter()
    report = remove(options.names, options.index, wait=options.wait)
    return _print_report(report, options.index, start, skipped_fails=True)


def _print_report(report: object, index: str, start: float, skipped_fails: bool = False) -> int:
    """Print a report. Returns the exit status, which is 1 if ``skipped_fails`` and something was skipped."""
    from index.builder import BuildReport

    assert isinstance(report, BuildReport)
    for _, why in report.skipped:
        print(f"skipped: {one_line(why)}", file=sys.stderr)
    if report.encoder:
        print(f"encoder: {report.encoder}")
    for name, warning in report.warnings:
        print(f"note: {one_line(f'{name}: {warning}')}", file=sys.stderr)
    print(f"{index}: {report} in {time.perf_counter() - start:.1f} s")
    return 1 if skipped_fails and report.skipped else 0


def _export(options: argparse.Namespace) -> int:
    from pathlib import Path

    from index.exporting import export_index

    recipe = export_index(options.index, options.target)
    size = sum(path.stat().st_size for path in Path(options.target).rglob("*") if path.is_file())
    needs = "" if recipe.int8 else "; searching it needs sentence-transformers: pip install 'clippings[models]'"
    print(f"{options.target}: {size / 1e6:.0f} MB{needs}")
    return 0


def _status(options: argparse.Namespace) -> int:
    from pathlib import Path

    from index.encoding.loading import encoder_folder
    from index.encoding.recipe import read_recipe
    from index.storage.store import Store

    with contextlib.closing(Store.open(Path(options.index))) as store:
        articles, passages, sentences = store.counts()
        settings = store.settings
        print(f"{options.index}: {articles} articles, {passages} passages, {sentences} sentences")
        print(f"corpus: {'none, this is an exported copy' if store.exported else store.corpus}")
        print(f"model: {settings.model} ({settings.dimension} dimensions, {settings.model_hash[:12]})")
        with contextlib.suppress(ModelError):  # the next question reports it, and makes the encoder again
            print(f"encoder: {read_recipe(encoder_folder(store.directory, settings.model_hash))}")
        print(f"passages: at most {settings.passage_tokens} tokens of {settings.encoding}")
        if options.list:
            for info in store.articles():
                print(f"{info.date or '----------'}  {one_line(info.path)}  {one_line(info.title)}")
    return 0


def _verify(options: argparse.Namespace) -> int:
    from index.checking import verify

    bar, start = _Bar(), time.perf_counter()
    try:
        result = verify(options.index, vectors=not options.no_vectors, progress=bar)
    finally:
        bar.close()
    for problem in result.problems[:_SHOWN]:
        print(f"wrong: {one_line(problem)}", file=sys.stderr)
    if len(result.problems) > _SHOWN:
        print(f"wrong: … and {len(result.problems) - _SHOWN} more", file=sys.stderr)
    counts = f"{result.articles} articles, {result.passages} passages, {result.sentences} sentences"
    seconds = time.perf_counter() - start
    if result.problems:
        print(f"{options.index}: {len(result.problems)} problems; {counts} read again in {seconds:.1f} s")
        return 1
    cosine = "" if options.no_vectors else f", least cosine {result.least_cosine:.4f}"
    print(f"{options.index}: all agree; {counts} read again in {seconds:.1f} s{cosine}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
