"""Draw the reliability of confidences: python bench/plot_reliability.py IN.json … --out OUT.svg (or .png).

The inputs are the output of ``python -m qa evaluate --json``: one object per line, with "file" and "reliability".
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
"""Colour and marker of each line. The markers differ too, for readers who cannot see the colours."""
FLOOR, INK, PAPER = "#a8a29a", "#24211d", "#ffffff"

Curve = tuple[str, list[dict[str, float]]]
"""A line to draw: its label, and its bins with their low, high, count, confidence (mean) and right (share)."""


def read_curves(paths: Sequence[Path]) -> list[Curve]:
    """The bins of every measured file. If two inputs measure the same file, the label names the input too.

    Raises:
        ValueError: a line of an input has another form, or there is nothing to draw.
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
    """Draw the share right by confidence, and the counts below it. Perfect confidences would be on the diagonal."""
    import matplotlib as mpl  # late: only drawing needs it, and it may be missing
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()  # no user settings, and matplotlib's own font, so that the picture is the same everywhere
        mpl.rcParams.update({"font.family": "DejaVu Sans", "font.size": 8, "text.color": INK, "axes.labelcolor": INK})
        mpl.rcParams.update({"savefig.facecolor": PAPER, "svg.fonttype": "path", "svg.hashsalt": "clippings"})
        figure = Figure(figsize=(4.2, 5.2), layout="constrained")
        above, below = figure.subplots(2, sharex=True, height_ratios=(4, 1))
        above.plot((0, 1), (0, 1), color=FLOOR, lw=0.8, ls="--", label="as sure as right")
        for at, (label, bins) in enumerate(curves):
            colour, marker = SERIES[at % len(SERIES)]
            counts = [row["count"] for row in bins]
            label = f"{label}, {sum(counts):,} questions"
            confidences, right = [row["confidence"] for row in bins], [row["right"] for row in bins]
            above.plot(confidences, right, color=colour, marker=marker, ms=4, lw=1.2, clip_on=False, label=label)
            widths = [(row["high"] - row["low"]) / len(curves) for row in bins]
            lefts = [row["low"] + at * width for row, width in zip(bins, widths, strict=True)]
            below.bar(lefts, counts, widths, align="edge", color=colour, edgecolor=PAPER)
        above.set(xlim=(0, 1), ylim=(0, 1), ylabel="Share right")
        above.legend(loc="upper left", frameon=False)
        below.set(xlabel="Confidence", ylabel="Questions")
        for panel in (above, below):
            panel.spines[["top", "right"]].set_visible(False)
            panel.tick_params(color=INK, labelcolor=INK)
        figure.savefig(out, dpi=160, metadata=_metadata(out))


def _metadata(out: Path) -> dict[str, Any] | None:
    """Metadata without a date for an SVG, so that the same figures give the same file."""
    return {"Date": None} if out.suffix == ".svg" else None


def main(words: Sequence[str] | None = None) -> None:
    """Read the inputs and draw. A failure is printed on one line."""
    parser = argparse.ArgumentParser(
        prog="bench/plot_reliability.py", description="Draw how often answers of a given confidence are right."
    )
    parser.add_argument("inputs", nargs="+", type=Path, metavar="IN.json", help="from python -m qa evaluate --json")
    parser.add_argument("--out", type=Path, required=True, metavar="OUT.svg", help="where to draw")
    options = parser.parse_args(words)
    try:
        draw(read_curves(options.inputs), options.out)
    except ImportError:
        sys.exit("Drawing needs matplotlib. Run: pip install matplotlib")
    except (OSError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
