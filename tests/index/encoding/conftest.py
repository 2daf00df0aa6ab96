"""What the tests of encoders share: a process in which none is loaded, and an empty cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.encoding import loading
from index.encoding.encoder import Encoder


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> dict[str, Encoder]:
    """As in a new process: no encoder is loaded."""
    encoders = loading.Encoders()
    monkeypatch.setattr(loading, "ENCODERS", encoders)
    return encoders.opened


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that is empty."""
    folder = tmp_path / "own cache"
    monkeypatch.setenv("CLIPPINGS_CACHE", str(folder))
    return folder
