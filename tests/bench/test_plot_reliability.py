"""The drawing of confidences: what is read, and that the picture is written, the same each time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.plot_reliability import main, read_curves

BINS = [
    {"low": 0.1, "high": 0.2, "count": 4, "confidence": 0.15, "right": 0.25},
    {"low": 0.8, "high": 0.9, "count": 996, "confidence": 0.85, "right": 0.75},
]


def measured(path: Path, *names: str) -> Path:
    """What an evaluation of files of these names prints."""
    path.write_text("".join(json.dumps({"file": name, "reliability": BINS}) + "\n" for name in names))
    return path


def test_a_picture_has_a_line_for_each_file(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report = measured(tmp_path / "report.json", "squad", "stories")
    pictures = [tmp_path / name for name in ("one.svg", "again.svg")]
    for picture in pictures:
        main([str(report), "--out", str(picture)])
    drawn = pictures[0].read_text(encoding="utf-8")
    for label in (
        "squad, 1,000 questions",
        "stories, 1,000 questions",
        "as sure as right",
        "Share right",
        "Confidence",
    ):
        assert f"<!-- {label} -->" in drawn
    assert drawn == pictures[1].read_text(encoding="utf-8")


def test_a_file_measured_twice_is_labelled_with_its_input(tmp_path: Path) -> None:
    before = measured(tmp_path / "before.json", "squad", "stories")
    after = measured(tmp_path / "after.json", "squad")
    here = tmp_path.as_posix()
    assert read_curves([before, after]) == [
        (f"squad ({here}/before)", BINS),
        ("stories", BINS),
        (f"squad ({here}/after)", BINS),
    ]


def test_a_file_without_confidences_is_left_out(tmp_path: Path) -> None:
    path = measured(tmp_path / "report.json", "squad")
    empty = '{"file": "empty", "reliability": []}\n\n{"file": "not measured", "reliability": null}\n'
    path.write_text(empty + path.read_text())
    assert read_curves([path]) == [("squad", BINS)]
    path.write_text(empty)
    with pytest.raises(ValueError, match="no confidences to draw"):
        read_curves([path])


@pytest.mark.parametrize("line", ["squad: 3 questions", '{"file": "squad"}', "[]"])
def test_a_line_of_another_form_is_named(line: str, tmp_path: Path) -> None:
    path = measured(tmp_path / "report.json", "squad")
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(SystemExit, match=r"report\.json, line 2 has no 'file' and 'reliability'"):
        main([str(path), "--out", str(tmp_path / "out.svg")])
