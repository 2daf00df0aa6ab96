"""Shared fixtures: the real encoder, a small library of two known articles, and one of the shipped corpus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from index import build, open_index
from index.encoding.encoder import TokenEncoder
from index.encoding.loading import SHIPPED, load_encoder
from index.encoding.sentence_transformer import Original, load_original
from index.library import Library

pytest_plugins = ["tests.browser_support"]

ROOT = Path(__file__).parents[1]

BRIDGE = """\
date 2022-03-04 Old bridge over the Lim reopens after repairs
source: Test Wire

The stone bridge over the Lim reopened to traffic on Friday after 14 months of repairs. Engineers replaced 212 of its
blocks, the mayor, Ana Vukić, said.

The works cost 3.4 million euros. Two thirds of it came from the European Union.

Who pays

Floods in November 2020 had washed away the middle pier, and lorries were sent over the mountain road instead.
“We waited long for this day,” Vukić told the crowd.
"""

HARVEST = """\
---
title: Plum growers fear for their harvest
date: 2022-05-11
source: Test Post
---

Late frost has destroyed most of the plum blossom around Valjevo, growers said on Wednesday. About 600 farms are hit.

The cooperative’s head, Petar Ilić, expects a crop of 9,000 tonnes instead of the usual 25,000.

Insurance covers hail but not frost.
"""


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the tests keep the encoders they make, subprocesses too; the user's own cache stays as it is."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLIPPINGS_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def encoder_folder() -> Path:
    """The encoder that ships; not to be changed by a test."""
    return SHIPPED


@pytest.fixture(scope="session")
def encoder(encoder_folder: Path) -> TokenEncoder:
    """The shipped encoder."""
    loaded = load_encoder(encoder_folder)
    assert isinstance(loaded, TokenEncoder)
    return loaded


@pytest.fixture(scope="session")
def original() -> Original:
    """The default model as sentence-transformers loads it; takes seconds."""
    return load_original()


def write(folder: Path, **articles: str) -> Path:
    """A corpus folder with one file for each keyword."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in articles.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A folder of two articles whose sentences the tests know."""
    return write(tmp_path / "corpus", bridge=BRIDGE, harvest=HARVEST)


@pytest.fixture
def index_path(corpus: Path) -> Path:
    """A fresh index of the two articles, made with the real model."""
    path = corpus.parent / "index"
    build(corpus, path)
    return path


@pytest.fixture
def library(index_path: Path) -> Iterator[Library]:
    opened = open_index(index_path)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def shipped_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the articles that ship with Clippings; not to be changed by a test."""
    path = tmp_path_factory.mktemp("shipped") / "index"
    build(ROOT / "corpus", path)
    return path


@pytest.fixture(scope="session")
def shipped(shipped_index: Path) -> Iterator[Library]:
    opened = open_index(shipped_index)
    yield opened
    opened.close()
