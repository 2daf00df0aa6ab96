"""The networks' runtime: nothing is told to anybody, and what runs side by side keeps its order."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from index.encoding.runtime import open_network, open_side_by_side
from qa.reader import NETWORK
from tests.running import ROOT, python


def test_asking_leaves_nothing_in_the_users_folders(index_path: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "ORT_"))}
    environment = {**kept, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    done = python("-m", "qa", "What did the works cost?", "--index", index_path, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "3.4 million euros" in done.stdout
    assert sorted(home.rglob("*")) == []  # onnxruntime's telemetry would keep an id and a log here


@pytest.mark.usefixtures("encoder")
def test_inputs_run_side_by_side_keep_their_order_and_say_what_they_say_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.encoding.runtime.cores", lambda: 2)  # four side by side, and one on both
    path = ROOT / "qa" / NETWORK
    rng = np.random.default_rng(0)
    inputs = []
    for length in (40, 7, 90, 12, 33):
        ids = rng.integers(1000, 20_000, (1, length))
        inputs.append({"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)})
    network, networks = open_network(path), open_side_by_side(path)
    for given, found in zip(inputs, networks(inputs), strict=True):
        for one, other in zip(network(given), found, strict=True):
            np.testing.assert_array_equal(one, other)
    assert list(networks([])) == []
