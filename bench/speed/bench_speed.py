"""Speed, memory and quality of Clippings compared with their floors, in one run and one table.

    python bench/speed/bench_speed.py [FOLDER] [--questions FILE …] [--quality FILE …] [--json OUT.json] [--plot FILE]

The floors are what any program with the same model has to spend: onnxruntime alone with the same
int8 network, and sentence-transformers with a flat FAISS index. Each task runs in its own process
(speed_tasks.py), in rounds, A B C A B C …; a ratio is of two figures from the same round. This process
stays small, because a child's peak memory includes that of its parent.
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
"""The fewest rounds of cold questions: they are cheap, and vary."""
CPU_FLAGS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "amx_int8", "asimddp", "i8mm")
"""CPU features that make int8 networks faster."""
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
"""Name and unit of each figure, by its key in the tasks' output."""


class Figures(dict[str, list[float]]):
    """All measured values of each figure."""

    def record(self, values: dict[str, Any]) -> None:
        """Add values, or lists of values."""
        for key, value in values.items():
            self.setdefault(key, []).extend(value if isinstance(value, list) else [value])

    def rows(self) -> dict[str, dict[str, Any]]:
        """Name, unit, median, lowest and highest value of each figure, in the order of the table."""
        rows = {}
        for key in sorted(self, key=[*FIGURES, *self].index):
            (name, unit), values = FIGURES.get(key, (key, "")), self[key]
            extent = {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}
            rows[key] = {"name": name, "unit": unit, **extent, "n": len(values), "values": values}
        return rows


@dataclass(frozen=True, slots=True)
class Done:
    """A process that has ended without error."""

    output: str
    seconds: float
    memory: float
    """Peak memory in MB."""


def main() -> int:
    """Measure, print, and write the requested files."""
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
    """Parse the command line. Options that would fail after an hour of measuring are refused now."""

    def existing(text: str) -> Path:
        if not Path(text).exists():
            raise argparse.ArgumentTypeError(f"{text} does not exist")
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
        parser.error("--rounds must be at least 1")
    if options.plot and not importlib.util.find_spec("matplotlib"):
        parser.error("--plot needs matplotlib; run: pip install matplotlib")
    for file in filter(None, (options.json, options.plot)):
        file.parent.mkdir(parents=True, exist_ok=True)
    return options


def measure(options: argparse.Namespace, scratch: Path) -> tuple[Figures, dict[str, int]]:
    """The figures, and the numbers of passages and questions that were measured."""
    figures, corpus = Figures(), scratch / "corpus"
    shutil.copytree(
        options.folder, corpus, ignore=shutil.ignore_patterns(".*")
    )  # the last task adds articles to the copy
    corpus.chmod(0o755)  # the copy of a read-only folder is read-only
    texts, questions, vectors = scratch / "texts.json", scratch / "questions.json", scratch / "vectors.npy"
    index = scratch / "index"
    say("a build and a question that do not count")
    run("-m", "index", "build", corpus, "--index", index)
    counts: dict[str, int] = task("prepare", index, texts, questions, *options.questions)
    question_texts: list[str] = json.loads(questions.read_text(encoding="utf-8"))
    run("-m", "qa", question_texts[0], "--index", index)
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
        question = question_texts[number % len(question_texts)]
        done = run("-m", "qa", question, "--index", index)
        figures.record({"cold": done.seconds, "cold_memory": done.memory})
        figures.record(task("parts", question, index, time.monotonic()))
        done = run(TASKS, "torch_cold", question, texts, vectors)
        figures.record({"torch_cold": done.seconds, "torch_cold_memory": done.memory})
    say("adding articles")
    figures.record(task("adding", index))  # last, since it changes the articles
    return figures, counts


def build(corpus: Path, index: Path, passages: int) -> dict[str, float]:
    """The figures of a build. Its output ends with the seconds that it took by its own clock."""
    done = run("-m", "index", "build", corpus, "--index", index)
    own_seconds = float(done.output.split()[-2])
    return {"build": passages / own_seconds, "build_process": passages / done.seconds, "build_memory": done.memory}


def task(name: str, *arguments: object) -> Any:
    """Run a task of speed_tasks.py. Returns the JSON value that it prints."""
    return json.loads(run(TASKS, name, *arguments).output.splitlines()[-1])


def run(*arguments: object) -> Done:
    """Run Python with these arguments. If it fails, the whole run ends with its output."""
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        command = [sys.executable, *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, encoding="utf-8")
        assert process.stdout
        with process.stdout as stream:
            output = stream.read()
        _, status, usage = os.wait4(process.pid, 0)  # process.wait() does not return the peak memory
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"{shlex.join(command)} failed:\n{output}{errors.read().decode(errors='replace')}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Done(output, seconds, usage.ru_maxrss * unit / 1e6)


def say(what: str) -> None:
    """Print what is being measured."""
    print(f"== {what}", file=sys.stderr, flush=True)


def machine() -> dict[str, Any]:
    """A description of this machine, as far as the system provides it."""
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text(encoding="utf-8") if cpuinfo.is_file() else ""
    name = re.search(r"^model name\s*: (.+)", text, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*: (.+)", text, re.MULTILINE)
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
    """CPU seconds that other processes than this one and its children have used so far; NaN except on Linux."""
    stat = Path("/proc/stat")
    if not stat.is_file():
        return math.nan
    user, nice, system, _, _, irq, softirq, steal = map(int, stat.read_text().split()[1:9])
    total = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return total - sum(os.times()[:4])


def table(report: dict[str, Any]) -> str:
    """A report as a text table."""
    machine_info, rows = report["machine"], report["figures"].values()
    flags = ", ".join(machine_info["flags"]) or "instructions unknown"
    others = "" if report["others"] is None else f", of which others took {report['others']:.0%} meanwhile"
    width = max(len(row["name"]) for row in rows)
    lines = [
        f"{report['folder']}: {report['passages']} passages; {report['questions']} questions",
        f"{machine_info['processor']}, {machine_info['cores']} cores ({flags}){others}\n",
        f"{'figure':<{width}}  {'unit':<10}  {'median':>8}  {'lowest to highest':<20}  {'n':>2}",
    ]
    for row in rows:
        extent = f"{number(row['lowest'])} to {number(row['highest'])}" if row["n"] > 1 else ""
        median = number(row["median"])
        lines.append(f"{row['name']:<{width}}  {row['unit']:<10}  {median:>8}  {extent:<20}  {row['n']:>2}")
    return "\n".join(lines)


def number(value: float) -> str:
    """A value with three significant digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
