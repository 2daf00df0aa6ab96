"""Clippings compared with txtai and Chroma: the same sentences, the same model weights, one run, one table.

Usage: python bench/peers/run.py [FOLDER] [--quality FILE …] [--questions FILE …] [--rounds 5] [--json OUT]

The peers run in their own environments, made in .venv-peers at the first run. They index the sentences
that Clippings finds in FOLDER. Figures are medians of rounds A B C D A B C D …; warm-up rounds do not count.
If a peer fails, the failure is printed and the others go on.
"""

from __future__ import annotations

import argparse
import datetime
import json
import multiprocessing
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Do not import Clippings or numpy before the timing is over: on Linux, a child's peak memory includes its parent's.

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = Path(".venv-peers")
CLIPPINGS = "Clippings"
# For each system to compare: its environment and script, and the extra arguments for building.
PEERS = {"txtai dense": ("txtai", "dense"), "txtai hybrid": ("txtai", "hybrid"), "chroma": ("chroma",)}
K, CALLS = 5, 200
COUNT = 100  # results among which the gold is ranked
SETTINGS = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "OMP_WAIT_POLICY": "PASSIVE",  # two OpenMP runtimes in one process, as in txtai's, spin against each other
}
Figures = dict[str, dict[str, list[float]]]  # by system and by measure, a value for each round


class PeerError(Exception):
    """A process failed. The message is its last line of output."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The output of a process, the seconds until its last line and its end, its CPU time and its peak memory."""

    lines: list[str]
    printed_s: float
    wall_s: float
    cpu_s: float
    peak_mb: float


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=HERE.parents[1] / "corpus")
    parser.add_argument("--quality", nargs="+", type=Path, default=[], metavar="FILE", help="in SQuAD form")
    parser.add_argument("--questions", nargs="+", type=Path, default=[], metavar="FILE", help="to time, in SQuAD form")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=1, metavar="N", help="first N rounds that do not count")
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args()
    failures: list[str] = []
    ready = [package for package in dict.fromkeys(words[0] for words in PEERS.values()) if set_up(package, failures)]
    peers = [name for name, words in PEERS.items() if words[0] in ready]
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(SETTINGS, CLIPPINGS_CACHE=f"{folder}/cache")
        index, units = Path(folder, "index"), Path(folder, "units.json")
        first = build(CLIPPINGS, index, options.folder, "")
        about, model, questions = in_process(prepare, index, units, options.questions)
        material = {CLIPPINGS: options.folder} | dict.fromkeys(peers, units)
        figures = measure(material, model, questions, options.warm_up, options.rounds, failures)
        quality = {path.stem: measure_quality(path, peers, model, failures) for path in options.quality}
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").is_file() else ""
    processor = next(iter(re.findall(r"model name\s*: (.+)", info)), platform.processor())
    about |= {
        "corpus": options.folder.resolve().name,
        "command": " ".join(Path(word).name for word in sys.argv),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": {"system": platform.platform(), "processor": processor, "cores": os.cpu_count()},
        "setting": {"python": platform.python_version(), "load": [load, os.getloadavg()[0]], **SETTINGS},
        "versions": {CLIPPINGS: freeze([sys.executable])} | {name: freeze(python_of(name)) for name in ready},
        "first_build": {"wall_s": first.wall_s, "peak_mb": first.peak_mb},
        "medians": {name: {k: statistics.median(v) for k, v in values.items()} for name, values in figures.items()},
        "rounds": figures,
        "quality": quality,
        "failures": failures,
    }
    print(table(about))
    if options.json:
        options.json.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def run(command: Sequence[str], questions: Sequence[str] = ()) -> Finished:
    """Run a process to its end, with a question on each line of its input. Raises PeerError if it fails."""
    lines, printed = [], 0.0
    with tempfile.TemporaryFile("w+", encoding="utf-8") as stdin, tempfile.TemporaryFile("w+", errors="replace") as log:
        stdin.writelines(" ".join(question.split()) + "\n" for question in questions)
        stdin.seek(0)
        start = time.perf_counter()
        process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=log)
        for line in process.stdout or ():
            printed = time.perf_counter() - start
            lines.append(line.decode())
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        if process.returncode:
            raise PeerError((log.read().strip() or f"exit status {process.returncode}").splitlines()[-1][:300])
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    return Finished(lines, printed, wall, usage.ru_utime + usage.ru_stime, peak)


def in_process(function: Callable[..., Any], *args: object) -> Any:
    """Call a function in a new process, so that this one stays small."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def python_of(package: str, *words: object) -> list[str]:
    """A command for the Python of a peer's environment, isolated from all others."""
    return [str(ENVIRONMENTS.absolute() / package / "bin" / "python"), "-I", *map(str, words)]


def set_up(package: str, failures: list[str]) -> bool:
    """Make a peer's environment, unless it exists with the same requirements. Returns whether it can be used."""
    requirements, done = HERE / f"{package}.txt", ENVIRONMENTS / package / "done.txt"
    if not done.is_file() or done.read_text(encoding="utf-8") != requirements.read_text(encoding="utf-8"):
        print(f"setting up {done.parent} …", flush=True)
        try:
            run([sys.executable, "-m", "venv", "--clear", str(done.parent)])
            run(python_of(package, "-m", "pip", "install", "--quiet", "--requirement", requirements))
            shutil.copyfile(requirements, done)
        except (PeerError, OSError, ValueError) as error:
            failures.append(f"{package}, setting up: {error}")
    return done.is_file()


def build(name: str, index: Path, material: Path, model: str) -> Finished:
    """Index a folder of articles, or a file of sentences for the peers, in a new process."""
    if name == CLIPPINGS:
        return run([sys.executable, "-m", "index", "build", str(material), "--index", str(index)])
    package, *words = PEERS[name]
    return run(python_of(package, HERE / f"{package}_peer.py", "build", index, material, model, *words))


def search(name: str, index: Path, model: str, questions: Sequence[str], k: int = K) -> Finished:
    """Ask questions in a new process, which prints a line of JSON for each; a peer prints [milliseconds, rows]."""
    if name == CLIPPINGS:
        return run([sys.executable, "-m", "qa", "--json", "-k", str(k), "--index", str(index)], questions)
    package = PEERS[name][0]
    return run(python_of(package, HERE / f"{package}_peer.py", "search", index, model, k), questions)


def clippings_times(index: Path, questions: Sequence[str]) -> list[float]:
    """The milliseconds of each question, measured as in the peers' scripts."""
    from index import open_index
    from qa import retrieve

    library, milliseconds = open_index(index), []
    for question in questions:
        start = time.perf_counter()
        retrieve(question, library, k=K)
        milliseconds.append(1000 * (time.perf_counter() - start))
    return milliseconds


def prepare(index: Path, units: Path, files: Sequence[Path]) -> tuple[dict[str, Any], str, list[str]]:
    """Write the sentences of an index for the peers. Returns its counts, the model's folder, and the questions."""
    from index import open_index
    from index.encoding.loading import SHIPPED
    from index.encoding.recipe import read_recipe
    from index.encoding.sentence_transformer import packaged_model
    from qa.measuring.datasets import read_questions
    from ui.examples import read_samples

    library = open_index(index)
    counts = {"articles": library.store.counts()[0], "sentences": len(sentences(library, units))}
    about = {**counts, "encoder": str(read_recipe(SHIPPED))}
    questions = [qa["question"] for file in files for entry in read_questions(file) for qa in entry["qas"]]
    return about, str(packaged_model()), questions or [sample.question for sample in read_samples()]


def sentences(library: Any, units: Path) -> list[Any]:
    """The rows of all sentences of an index. They are also written as [id, text] for the peers."""
    from index.storage.rows import Restriction

    rows, _ = library.store.sentences_of(library.store.passage_ids(Restriction()).tolist())
    texts = {id_: library.store.article(id_).text for id_ in {row.article for row in rows}}
    units.write_text(json.dumps([[str(row.id), texts[row.article][row.start : row.end]] for row in rows]), "utf-8")
    return list(rows)


def measure(
    material: dict[str, Path], model: str, questions: list[str], warm_up: int, rounds: int, failures: list[str]
) -> Figures:
    """Measure all systems in turn. A system that fails is left out from then on."""
    figures: Figures = {name: {} for name in material}
    running = list(material)
    for number in range(warm_up + rounds):
        order = questions[number % len(questions) :] + questions[: number % len(questions)]
        for name in list(running):
            try:
                with tempfile.TemporaryDirectory() as folder:
                    for key, value in measure_once(name, Path(folder, "index"), material[name], model, order):
                        if number >= warm_up:
                            figures[name].setdefault(key, []).append(value)
            except (PeerError, OSError, ValueError) as error:
                failures.append(f"{name}: {error}")
                running.remove(name)
    return figures


def measure_once(name: str, index: Path, source: Path, model: str, order: list[str]) -> Iterator[tuple[str, float]]:
    """Build an index, then ask one question in a cold process and many in a warm one."""
    building = build(name, index, source, model)
    yield from [("building, s", building.wall_s), ("building, CPU s", building.cpu_s)]
    yield "building, peak MB", building.peak_mb
    cold = search(name, index, model, order[:1])
    yield from [("cold question, s", cold.printed_s), ("cold, CPU s", cold.cpu_s), ("cold, peak MB", cold.peak_mb)]
    first = len(order)  # each question is asked once before it counts
    questions = [order[n % first] for n in range(first + max(CALLS, first))]
    if name == CLIPPINGS:
        times = in_process(clippings_times, index, questions)
    else:
        times = [json.loads(line)[0] for line in search(name, index, model, questions).lines]
    cuts = statistics.quantiles(times[first:], n=20)
    yield from [("warm question, p50 ms", cuts[9]), ("warm question, p95 ms", cuts[18])]


def measure_quality(path: Path, peers: Sequence[str], model: str, failures: list[str]) -> dict[str, dict[str, float]]:
    """How high each system ranks the sentence in which an answer begins, over all paragraphs of a file."""
    import numpy as np

    from qa import retrieve
    from qa.measuring.datasets import asked_of, index_of, is_gold, read_questions
    from qa.measuring.measures import mrr, rank_of_gold, recall

    def shares(results: Iterable[Sequence[tuple[str, float]]]) -> dict[str, float]:
        ranks = []
        for rows, gold in zip(results, golds, strict=True):
            scores, is_right = [score for _, score in rows], [id_ in gold for id_, _ in rows]
            ranks.append(rank_of_gold(np.array(scores, float), np.array(is_right, bool)))
        return {"questions": len(ranks), **{f"R@{k}": recall(ranks, k) for k in (1, 5, 10)}, "MRR": mrr(ranks)}

    with tempfile.TemporaryDirectory() as scratch:
        folder, units = Path(scratch), Path(scratch, "units.json")
        entries = read_questions(path)
        library = index_of(entries, folder)
        rows = sentences(library, units)
        id_at = {(row.article, row.start): str(row.id) for row in rows}
        questions, golds = [], []
        for asked in asked_of(library, entries):
            if gold := {str(row.id) for row in rows if is_gold(asked, row.article, row.start, row.end)}:
                questions.append(asked.question)
                golds.append(gold)
        hits = [retrieve(question, library, k=COUNT) for question in questions]
        quality = {CLIPPINGS: shares([[(id_at[hit.article.id, hit.start], hit.score) for hit in row] for row in hits])}
        library.close()
        for name in peers:
            try:
                build(name, folder / name, units, model)
                lines = search(name, folder / name, model, questions, COUNT).lines
                quality[name] = shares([[(row[0], row[1]) for row in json.loads(line)[1]] for line in lines])
            except (PeerError, OSError, ValueError) as error:
                failures.append(f"{name}, {path.name}: {error}")
    return quality


def table(about: dict[str, Any]) -> str:
    """The report as a text table. A dash means that there was nothing to measure."""

    def line(label: str, figures: dict[str, dict[str, float]], key: str, form: str) -> str:
        values = [figures.get(name, {}).get(key) for name in about["medians"]]
        return f"{label:<28}" + "".join(f"{'–' if v is None else format(v, form):>14}" for v in values)

    lines = [f"{about['corpus']}: {about['articles']} articles, {about['sentences']} sentences"]
    lines.append("{} cores, load {:.1f} and {:.1f}".format(about["machine"]["cores"], *about["setting"]["load"]))
    lines.append(" " * 28 + "".join(f"{name:>14}" for name in about["medians"]))
    lines += [line(key, about["medians"], key, ".2f") for key in about["medians"][CLIPPINGS]]
    for file, quality in about["quality"].items():
        lines += [line(f"{file} {key}", quality, key, ".3f") for key in ("R@1", "R@5", "R@10", "MRR")]
    once = "made by the first build, once, {wall_s:.1f} s in {peak_mb:.0f} MB".format(**about["first_build"])
    lines.append(f"Clippings encodes with {about['encoder']} ({once}); the others with the original in torch.")
    return "\n".join(lines + [f"failed: {failure}" for failure in about["failures"]])


def freeze(python: Sequence[str]) -> list[str]:
    """The packages installed in an environment, without those installed from a folder."""
    return [line.strip() for line in run([*python, "-m", "pip", "freeze"]).lines if "==" in line]


if __name__ == "__main__":
    main()
