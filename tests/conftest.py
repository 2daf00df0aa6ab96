"""Shared fixtures: the real encoder, a library of two known articles, and one of the shipped corpus.

What a test takes tells its tier. Whatever takes one of ``REAL`` encodes or reads with a real model, whatever takes
``browser`` drives one, and the rest is the quick tier: it runs first, in a process that has loaded neither.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from index import Library, build, open_index
from index.encoding.encoder import TokenEncoder
from index.encoding.loading import SHIPPED, load_encoder
from index.encoding.sentence_transformer import Original, load_original
from qa.reader import Reader, load_reader
from tests.models import SmallModel, make_model
from tests.running import ROOT
from tests.stored import copy_index

pytest_plugins = ["tests.browser_support"]

REAL = {"encoder", "original", "reader", "small_model"}
"""The fixtures that load a network; others load one through them."""
LATE = {"onnxruntime", "torch", "playwright"}

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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by what it takes, and put the quick ones first."""
    for item in items:
        takes = set(getattr(item, "fixturenames", ()))
        if takes & REAL:
            item.add_marker("model")
        if "browser" in takes:
            item.add_marker("browser")
    items.sort(key=lambda item: not is_quick(item))


def is_quick(item: pytest.Item) -> bool:
    return not any(item.iter_markers("model")) and not any(item.iter_markers("browser"))


@pytest.fixture(scope="session", autouse=True)
def loaded() -> set[str]:
    """What has been loaded of ``LATE``, as far as is known."""
    return LATE & sys.modules.keys()


@pytest.fixture(autouse=True)
def tier(request: pytest.FixtureRequest, loaded: set[str]) -> Iterator[None]:
    """A test that loads a network or a browser must take the fixture that says so."""
    yield
    new = (LATE & sys.modules.keys()) - loaded
    loaded |= new
    assert not (is_quick(request.node) and new), f"this loads {new}: let it take one of {REAL}, or browser"


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the tests keep the encoders they make, subprocesses too; the user's own cache stays as it is."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLIPPINGS_CACHE", str(folder))
        yield folder


# Networks


@pytest.fixture(scope="session")
def encoder() -> TokenEncoder:
    """The shipped encoder."""
    loaded = load_encoder(SHIPPED)
    assert isinstance(loaded, TokenEncoder)
    return loaded


@pytest.fixture(scope="session")
def reader() -> Reader:
    """The shipped reader."""
    return load_reader()


@pytest.fixture(scope="session")
def original() -> Original:
    """The default model as sentence-transformers loads it; takes seconds."""
    return load_original()


@pytest.fixture(scope="session")
def small_model() -> SmallModel:
    """Makes a model of random weights; see ``make_model``."""
    return make_model


# The two articles


def write(folder: Path, **articles: str) -> Path:
    """A corpus folder with one file for each keyword."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in articles.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A folder of two articles whose sentences the tests know; the test's own."""
    return write(tmp_path / "corpus", bridge=BRIDGE, harvest=HARVEST)


@pytest.fixture(scope="session")
def two_articles(tmp_path_factory: pytest.TempPathFactory, encoder: TokenEncoder) -> Path:
    """A folder with the same corpus and its index, built once with the real model; no test changes it."""
    home = tmp_path_factory.mktemp("two articles")
    build(write(home / "corpus", bridge=BRIDGE, harvest=HARVEST), home / "index")
    return home


@pytest.fixture(scope="session")
def opened_once(two_articles: Path) -> Iterator[Library]:
    opened = open_index(two_articles / "index")
    yield opened
    opened.close()


@pytest.fixture
def library(opened_once: Library) -> Iterator[Library]:
    """The two articles' library, to be asked only: all tests share it. Whoever changes it fails."""
    before = state_of(opened_once)
    yield opened_once
    assert state_of(opened_once) == before, "this test changes the library that all share: let it take own_library"


def state_of(library: Library) -> tuple[int, dict[str, bytes]]:
    """Whether a library is still what it was: the files of its folder but SQLite's and tantivy's locks."""
    files = (path for path in library.path.parent.rglob("*") if path.suffix in (".db", ".db-wal", ".json", ".txt"))
    return library.generation, {str(path): path.read_bytes() for path in files}


@pytest.fixture
def index_path(corpus: Path, two_articles: Path) -> Path:
    """An index of the two articles in ``corpus``, to be changed: a copy of the one that was built once."""
    return copy_index(two_articles / "index", corpus.parent / "index")


@pytest.fixture
def own_library(index_path: Path) -> Iterator[Library]:
    """The library of ``index_path``, which the test may change."""
    opened = open_index(index_path)
    yield opened
    opened.close()


# The shipped articles


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory, encoder: TokenEncoder) -> Iterator[Library]:
    """A library of the articles that ship with Clippings; not to be changed by a test."""
    path = tmp_path_factory.mktemp("shipped") / "index"
    build(ROOT / "corpus", path)
    opened = open_index(path)
    yield opened
    opened.close()
