"""Speed, memory and quality of Clippings beside the floors under them, in one run and one table.

    python bench/speed/bench_speed.py [FOLDER] [--questions FILE …] [--quality FILE …] [--json OUT.json] [--plot FILE]

The floors are what anything that uses the same model has to pay: bare onnxruntime running the exported
network, and sentence-transformers with a flat FAISS index. Everything runs in processes of its own
(speed_tasks.py), in rounds, A B C A B C …; a ratio is of two figures of one round. This process stays
small, because a child's peak memory counts from that of its parent.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import json
import math
import os
import platform
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TASKS, PLOT = HERE / "speed_tasks.py", HERE / "plot_speed.py"
LEAST_COLD = 5
"""Rounds of cold questions at least: they are cheap, and vary."""
CPU_FLAGS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "amx_int8", "asimddp", "i8mm")
"""What int8 networks run faster with."""
PACKAGES = "faiss-cpu gradio numpy onnxruntime playwright sentence-transformers tantivy tokenizers torch".split()
FIGURES = {
    "build": ("build an index, by its own clock", "passages/s"),
    "build_process": ("build an index, from process start", "passages/s"),
    "build_memory": ("build an index, peak memory", "MB"),
    "bare": ("floor: onnxruntime int8, encode", "passages/s"),
    "torch": ("floor: sentence-transformers, encode", "passages/s"),
    "build_to_bare": ("build to onnxruntime int8", "ratio"),
    "build_to_torch": ("build to sentence-transformers", "ratio"),
    "cold": ("cold question", "s"),
    "cold_memory": ("cold question, peak memory", "MB"),
    "part_python": ("cold question, Python starts", "ms"),
    "part_imports": ("cold question, imports", "ms"),
    "part_opening": ("cold question, open the index", "ms"),
    "part_encoder": ("cold question, load the encoder", "ms"),
    "part_answer": ("cold question, answer", "ms"),
    "torch_cold": ("floor: sentence-transformers + flat, cold", "s"),
    "torch_cold_memory": ("floor: the same, peak memory", "MB"),
    "retrieve_p50": ("warm retrieve, p50", "ms"),
    "retrieve_p95": ("warm retrieve, p95", "ms"),
    "answer_p50": ("warm answer, p50", "ms"),
    "answer_p95": ("warm answer, p95", "ms"),
    "bare_p50": ("floor: onnxruntime int8, encode one, p50", "ms"),
    "torch_p50": ("floor: sentence-transformers + flat, p50", "ms"),
    "torch_p95": ("floor: sentence-transformers + flat, p95", "ms"),
    "page": ("chat, from process start to usable page", "s"),
    "add": ("add an article, until it is found", "ms"),
    "add_call": ("add an article, until add returns", "ms"),
    "add_encode": ("add an article, split and encode alone", "ms"),
}
"""Name and unit of what is measured, by the tasks' own names for it."""


class Figures(dict[str, list[float]]):
    """What was measured, as often as it was."""

    def record(self, values: dict[str, Any]) -> None:
        """Take in values, or lists of them."""
        for key, value in values.items():
            self.setdefault(key, []).extend(value if isinstance(value, list) else [value])

    def rows(self) -> dict[str, dict[str, Any]]:
        """Name, unit, median and extent of each figure, in the order of the table."""
        rows = {}
        for key in sorted(self, key=[*FIGURES, *self].index):
            (name, unit), values = FIGURES.get(key, (key, "")), self[key]
            extent = {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}
            rows[key] = {"name": name, "unit": unit, **extent, "n": len(values), "values": values}
        return rows


@dataclass(frozen=True, slots=True)
class Done:
    """A process that has ended well."""

    output: str
    seconds: float
    memory: float
    """Its peak, in MB."""


def main() -> int:
    """Measure, print, and write what was asked for."""
    options = parse()
    start, spent = time.perf_counter(), spent_by_others()
    with tempfile.TemporaryDirectory() as folder:
        figures, counts = measure(options, Path(folder))
        others = (spent_by_others() - spent) / (time.perf_counter() - start) / cores()
        report = {
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "command": shlex.join(["python", *sys.orig_argv[1:]]),
            "folder": options.folder.resolve().name,
            "machine": machine(),
            "others": None if math.isnan(others) else round(others, 3),
            "versions": {d.name: d.version for d in distributions() if d.name in PACKAGES},
            **counts,
            "figures": figures.rows(),
        }
        print(table(report))
        if "page" not in figures:
            print("\n*** THE CHAT'S PAGE WAS LEFT OUT: no Chromium could be started. ***")
            print("*** Install one, or name it in CLIPPINGS_CHROMIUM.              ***")
        written = options.json or Path(folder, "speed.json")
        written.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        if options.plot:
            run(PLOT, written, options.plot)
    return 0


def parse() -> argparse.Namespace:
    """The command line; what could only fail after an hour of measuring is refused now."""

    def existing(text: str) -> Path:
        if not Path(text).exists():
            raise argparse.ArgumentTypeError(f"there is no {text}")
        return Path(text)

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=existing, default=HERE.parents[1] / "corpus", help="default: corpus/")
    squad: dict[str, Any] = {"nargs": "+", "type": existing, "default": [], "metavar": "FILE"}
    parser.add_argument("--questions", **squad, help="in SQuAD form, to time (default: the chat's examples)")
    parser.add_argument("--quality", **squad, help="in SQuAD form, each paragraph an article")
    parser.add_argument("--library-quality", **squad, help="in SQuAD form, the contexts being FOLDER's articles")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default: %(default)s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the main figures, as .svg or .png")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds takes a number from 1")
    if options.plot and not importlib.util.find_spec("matplotlib"):
        parser.error("--plot takes matplotlib; run: pip install matplotlib")
    for file in filter(None, (options.json, options.plot)):
        file.parent.mkdir(parents=True, exist_ok=True)
    return options


def measure(options: argparse.Namespace, scratch: Path) -> tuple[Figures, dict[str, int]]:
    """The figures, and how many passages and questions they are of."""
    figures, corpus = Figures(), scratch / "corpus"
    shutil.copytree(options.folder, corpus, ignore=shutil.ignore_patterns(".*"))  # it is added to in the end
    corpus.chmod(0o755)  # the copy of a folder that cannot be written cannot be either
    texts, questions, vectors = scratch / "texts.json", scratch / "questions.json", scratch / "vectors.npy"
    index = scratch / "index"
    say("a build and a question that do not count")
    run("-m", "index", "build", corpus, "--index", index)  # makes the encoder, if this machine has not yet
    counts: dict[str, int] = task("prepare", index, texts, questions, *options.questions)
    asked: list[str] = json.loads(questions.read_text(encoding="utf-8"))
    run("-m", "qa", asked[0], "--index", index)
    for file in (*options.quality, *options.library_quality):
        say(f"quality on {file.name}")
        indexes = (corpus, index, scratch / "index-original") if file in options.library_quality else ()
        figures.record(task("quality", file, *indexes))
    for number in range(max(options.rounds, LEAST_COLD)):
        if number < options.rounds:
            say(f"round {number + 1} of {options.rounds}")
            shutil.rmtree(index)
            figures.record(build(corpus, index, counts["passages"]))
            figures.record(task("bare", index, texts, questions))
            figures.record(task("torch", texts, questions, vectors))
            for floor in ("bare", "torch"):
                figures.record({f"build_to_{floor}": figures["build"][-1] / figures[floor][-1]})
            figures.record(task("warm", index, questions))
            figures.record(task("page", index))
        question = asked[number % len(asked)]
        done = run("-m", "qa", question, "--index", index)
        figures.record({"cold": done.seconds, "cold_memory": done.memory})
        figures.record(task("parts", question, index, time.monotonic()))
        done = run(TASKS, "torch_cold", question, texts, vectors)
        figures.record({"torch_cold": done.seconds, "torch_cold_memory": done.memory})
    say("adding articles")
    figures.record(task("adding", index))  # last, since it changes the articles
    return figures, counts


def build(corpus: Path, index: Path, passages: int) -> dict[str, float]:
    """The figures of a build, whose last words are how long it took by its own clock."""
    done = run("-m", "index", "build", corpus, "--index", index)
    own = float(done.output.split()[-2])
    return {"build": passages / own, "build_process": passages / done.seconds, "build_memory": done.memory}


def task(name: str, *arguments: object) -> Any:
    """What a task of speed_tasks.py prints."""
    return json.loads(run(TASKS, name, *arguments).output.splitlines()[-1])


def run(*arguments: object) -> Done:
    """Run Python with these arguments; whatever fails ends everything, with what it said."""
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        command = [sys.executable, *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, encoding="utf-8")
        assert process.stdout
        with process.stdout as stream:
            output = stream.read()
        _, status, usage = os.wait4(process.pid, 0)  # process.wait() would not tell the memory
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"{shlex.join(command)} failed:\n{output}{errors.read().decode(errors='replace')}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Done(output, seconds, usage.ru_maxrss * unit / 1e6)


def say(what: str) -> None:
    """Tell whoever waits what is being measured."""
    print(f"== {what}", file=sys.stderr, flush=True)


def machine() -> dict[str, Any]:
    """What the figures depend on, as far as the system tells."""
    cpuinfo = Path("/proc/cpuinfo")
    told = cpuinfo.read_text(encoding="utf-8") if cpuinfo.is_file() else ""
    name = re.search(r"^model name\s*: (.+)", told, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*: (.+)", told, re.MULTILINE)
    return {
        "processor": name[1] if name else platform.processor() or platform.machine(),
        "cores": cores(),
        "flags": [flag for flag in CPU_FLAGS if flags and flag in flags[1].split()],
        "system": f"{platform.platform()}, Python {platform.python_version()}",
    }


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spent_by_others() -> float:
    """Seconds of the processors that others than this process and its children took so far; NaN off Linux."""
    stat = Path("/proc/stat")
    if not stat.is_file():
        return math.nan
    user, nice, system, _, _, irq, softirq, steal = map(int, stat.read_text().split()[1:9])
    total = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return total - sum(os.times()[:4])


def table(report: dict[str, Any]) -> str:
    """A report in columns."""
    here, rows = report["machine"], report["figures"].values()
    flags = ", ".join(here["flags"]) or "instructions unknown"
    others = "" if report["others"] is None else f", of which others took {report['others']:.0%} meanwhile"
    width = max(len(row["name"]) for row in rows)
    lines = [
        f"{report['folder']}: {report['passages']} passages; {report['questions']} questions",
        f"{here['processor']}, {here['cores']} cores ({flags}){others}\n",
        f"{'figure':<{width}}  {'unit':<10}  {'median':>8}  {'lowest to highest':<20}  {'n':>2}",
    ]
    for row in rows:
        extent = f"{number(row['lowest'])} to {number(row['highest'])}" if row["n"] > 1 else ""
        middle = number(row["median"])
        lines.append(f"{row['name']:<{width}}  {row['unit']:<10}  {middle:>8}  {extent:<20}  {row['n']:>2}")
    return "\n".join(lines)


def number(value: float) -> str:
    """A value to three digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
