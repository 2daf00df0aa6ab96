"""Draw the results of bench_speed.py: python bench/speed/plot_speed.py IN.json OUT.svg (or .png)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

FLAT = "sentence-transformers + flat FAISS"
PANELS = {
    "Encoding, passages per second (more is better)": {
        "Clippings, the whole build": "build",
        "onnxruntime int8, encoding only": "bare",
        "sentence-transformers, encoding only": "torch",
    },
    "First answer, seconds from process start": {"Clippings": "cold", FLAT: "torch_cold"},
    "A question to a running process, milliseconds": {
        "Clippings, answer": "answer_p50",
        "Clippings, retrieve": "retrieve_p50",
        "onnxruntime int8, encoding only": "bare_p50",
        FLAT: "torch_p50",
    },
    "Peak memory, MB": {
        "Clippings, a question": "cold_memory",
        "Clippings, the build": "build_memory",
        f"{FLAT}, a question": "torch_cold_memory",
    },
}
"""For each panel, the labels of its bars and the figures that they show."""
OURS, FLOOR, INK, PAPER = "#9b2423", "#a8a29a", "#24211d", "#ffffff"


def draw(report: dict[str, Any], out: Path) -> None:
    """Draw a panel for each measure, ours beside the floors: medians, with whiskers from lowest to highest."""
    import matplotlib as mpl  # late: only drawing needs it, and it may be missing

    mpl.use("Agg")
    mpl.rcParams.update({"font.size": 8, "text.color": INK, "savefig.facecolor": PAPER, "svg.hashsalt": "clippings"})
    from matplotlib import pyplot as plt

    heights = [len(bars) + 0.6 for bars in PANELS.values()]
    figure, panels = plt.subplots(len(PANELS), figsize=(6.4, 5.2), height_ratios=heights, layout="constrained")
    for panel, (title, bars) in zip(panels, PANELS.items(), strict=True):
        rows = [report["figures"][key] for key in bars.values()]
        medians = [row["median"] for row in rows]
        whiskers = [[row["median"] - row["lowest"] for row in rows], [row["highest"] - row["median"] for row in rows]]
        colours = [OURS if label.startswith("Clippings") else FLOOR for label in bars]
        panel.barh(list(bars), medians, 0.7, color=colours, xerr=whiskers, error_kw={"lw": 0.8, "ecolor": INK})
        for at, row in enumerate(rows):
            value = row["median"]
            panel.text(row["highest"], at, f"  {value:,.0f}" if value >= 100 else f"  {value:.3g}", va="center")
        panel.set_title(title, loc="left", fontsize=8, fontweight="bold")
        panel.set_xlim(0, 1.15 * max(row["highest"] for row in rows))
        panel.set_xticks([])
        panel.invert_yaxis()
        panel.spines[["top", "right", "bottom"]].set_visible(False)
        panel.tick_params(axis="y", length=0, labelcolor=INK)
    machine = report["machine"]
    setting = f"{machine['processor']}, {machine['cores']} cores"
    subject = f"{report['passages']:,} passages; {setting}; {report['date'][:10]}"
    figure.suptitle(subject, x=0.01, ha="left", fontsize=8)
    figure.savefig(out, dpi=160, metadata={"Date": None} if out.suffix == ".svg" else None)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        draw(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2]))
    except ImportError:
        sys.exit("Drawing needs matplotlib. Run: pip install matplotlib")
