"""Draw how far confidences can be trusted: python bench/plot_reliability.py IN.json … --out OUT.svg (or .png).

The inputs are what ``python -m qa evaluate --json`` prints: an object a line, whose "file" and "reliability" are read.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SERIES = (("#9b2423", "o"), ("#2f5d8a", "s"), ("#6b7f2a", "^"), ("#b7791f", "D"), ("#5b4a8a", "v"), ("#24211d", "X"))
"""Colour and marker of each line; told apart without colour too."""
FLOOR, INK, PAPER = "#a8a29a", "#24211d", "#ffffff"

Curve = tuple[str, list[dict[str, float]]]
"""A line to draw: its label, and its bins with their low, high, count, confidence (mean) and right (share)."""


def read_curves(paths: Sequence[Path]) -> list[Curve]:
    """The bins of every file that was measured; where two inputs measure one file, its label names the input too.

    Raises:
        ValueError: an input holds a line of another form, or all together hold nothing to draw.
    """
    rows: list[tuple[str, str, list[dict[str, float]]]] = []
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                rows.append((row["file"], path.with_suffix("").as_posix(), row["reliability"] or []))
            except (ValueError, KeyError, TypeError) as error:
                advice = "Write it with: python -m qa evaluate --json"
                raise ValueError(f"{path}, line {number} has no 'file' and 'reliability'. {advice}") from error
    times = Counter(name for name, _, _ in rows)
    curves = [(name if times[name] == 1 else f"{name} ({source})", bins) for name, source, bins in rows if bins]
    if not curves:
        raise ValueError("There are no confidences to draw in " + ", ".join(map(str, paths)))
    return curves


def draw(curves: Sequence[Curve], out: Path) -> None:
    """Above, the share right by confidence, which the diagonal would be if all could be trusted; below, the counts."""
    import matplotlib as mpl  # late: only drawing needs it, and it may be missing
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()  # and nobody's own settings, with the font that comes with matplotlib: one picture everywhere
        mpl.rcParams.update({"font.family": "DejaVu Sans", "font.size": 8, "text.color": INK, "axes.labelcolor": INK})
        mpl.rcParams.update({"savefig.facecolor": PAPER, "svg.fonttype": "path", "svg.hashsalt": "clippings"})
        figure = Figure(figsize=(4.2, 5.2), layout="constrained")
        above, below = figure.subplots(2, sharex=True, height_ratios=(4, 1))
        above.plot((0, 1), (0, 1), color=FLOOR, lw=0.8, ls="--", label="as sure as right")
        for at, (label, bins) in enumerate(curves):
            colour, marker = SERIES[at % len(SERIES)]
            counts = [one["count"] for one in bins]
            label = f"{label}, {sum(counts):,} questions"
            sure, right = [one["confidence"] for one in bins], [one["right"] for one in bins]
            above.plot(sure, right, color=colour, marker=marker, ms=4, lw=1.2, clip_on=False, label=label)
            widths = [(one["high"] - one["low"]) / len(curves) for one in bins]
            lefts = [one["low"] + at * width for one, width in zip(bins, widths, strict=True)]
            below.bar(lefts, counts, widths, align="edge", color=colour, edgecolor=PAPER)
        above.set(xlim=(0, 1), ylim=(0, 1), ylabel="Share right")
        above.legend(loc="upper left", frameon=False)
        below.set(xlabel="Confidence", ylabel="Questions")
        for panel in (above, below):
            panel.spines[["top", "right"]].set_visible(False)
            panel.tick_params(color=INK, labelcolor=INK)
        figure.savefig(out, dpi=160, metadata=_metadata(out))


def _metadata(out: Path) -> dict[str, Any] | None:
    """No date in an SVG, so that the same figures give the same file."""
    return {"Date": None} if out.suffix == ".svg" else None


def main(words: Sequence[str] | None = None) -> None:
    """Read the inputs and draw; a failure is said in one line."""
    parser = argparse.ArgumentParser(
        prog="bench/plot_reliability.py", description="Draw how often answers of a given confidence are right."
    )
    parser.add_argument("inputs", nargs="+", type=Path, metavar="IN.json", help="from python -m qa evaluate --json")
    parser.add_argument("--out", type=Path, required=True, metavar="OUT.svg", help="where to draw")
    options = parser.parse_args(words)
    try:
        draw(read_curves(options.inputs), options.out)
    except ImportError:
        sys.exit("Drawing takes matplotlib. Run: pip install matplotlib")
    except (OSError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
