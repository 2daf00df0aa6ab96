"""What the tests of the chat share: a small corpus, the chat served over it, and a browser to drive it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from index import build, open_index
from index.encoding.encoder import TokenEncoder
from tests.install_browser import find_browser
from tests.stored import copy_index

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Locator, Page

    from index import Library

SCREENSHOTS = Path(__file__).parent / "screenshots"
WIDE = {"width": 1360, "height": 860}
PHONE = {"width": 390, "height": 844}
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",  # a container's root cannot have one
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

ARTICLES = {
    name: (Path(__file__).parent / "ui" / "articles" / name).read_text(encoding="utf-8")
    for name in ("fire.txt", "cheese.md", "bridge.txt")
}
FIRE, CHEESE, BRIDGE = ARTICLES.values()
WHO = "Which night watchman saw flames above the ticket hall?"
WATCHMAN = "The night watchman, Ruben Okafor, saw flames above the ticket hall at 2.15 a.m. and rang the fire brigade."
CAUSE = "Which chief inspector told reporters that an electric heater is the most likely cause?"
HEATER = (
    "An electric heater in the ticket hall is the most likely cause, the chief inspector, Agnes Brandt, told reporters."
)
HERON = "Which heron has moved into the fountain?"
GUSTAV = "A heron named Gustav has moved into the fountain of Low Marsh."

HOSTILE_TITLE = '<img src=x onerror="window.pwned=1"> ${alert(1)} {{constructor}} \u202etxt.exe'
HOSTILE = f"""---
title: {HOSTILE_TITLE}
date: 2021-05-06
source: "><svg onload=window.pwned=2> \u202eecruos
author: {{{{author}}}} ${{alert(2)}}
url: javascript:window.pwned=3
---

The zeppelin landed in <script>window.pwned=4</script> Wurzburg with ${{alert(3)}} and {{{{7*7}}}} aboard \
`${{window.pwned=5}}` & "quotes" \u202eover\u202c at dusk.

A second sentence about the zeppelin says </mark></article><h1 id="owned">broken</h1> nothing more.
"""
HOSTILE_FILE = "zeppelin' onclick='window.pwned=6' ${alert(4)} {{x}}.txt"


def write_corpus(folder: Path, articles: dict[str, str]) -> Path:
    """A corpus folder with these articles, by file name."""
    folder.mkdir(parents=True)
    for name, text in articles.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@dataclass(frozen=True, slots=True)
class Site:
    """A chat that is being served, and the library under it."""

    url: str
    library: Library

    @property
    def corpus(self) -> Path:
        return self.library.corpus


Filled = Callable[[Path, dict[str, str]], "Library"]
Serving = Callable[..., AbstractContextManager[Site]]
Visit = Callable[..., "Page"]


@pytest.fixture(scope="session")
def filled(encoder: TokenEncoder, tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """Opens a new library of some articles in a folder; of the same ones one index is built in a run, and copied."""
    built: dict[tuple[tuple[str, str], ...], Path] = {}

    def fill(folder: Path, articles: dict[str, str]) -> Library:
        kept = tuple(articles.items())
        if kept not in built:
            home = tmp_path_factory.mktemp("filled")
            build(write_corpus(home / "corpus", articles), home / ".index")
            built[kept] = home / ".index"
        write_corpus(folder / "corpus", articles)
        return open_index(copy_index(built[kept], folder / ".index"))

    return fill


@pytest.fixture(scope="session")
def serving(filled: Filled) -> Serving:
    """Serves the chat over a new library of some articles on a free port, until the block ends."""

    @contextmanager
    def serve_filled(folder: Path, articles: dict[str, str], *, watched: bool = False) -> Iterator[Site]:
        from index.watching import watching
        from ui.app import create_app, serve

        library = filled(folder, articles)
        app = create_app(library)
        url = serve(app, port=free_port(), wait=False)
        try:
            with watching(library.corpus, library.path) if watched else nullcontext():
                yield Site(url, library)
        finally:
            app.close()
            library.close()

    return serve_filled


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, serving: Serving) -> Iterator[Site]:
    """A chat that is only asked."""
    with serving(tmp_path_factory.mktemp("site"), ARTICLES) as served:
        yield served


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser, until the block ends."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=CHROMIUM_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


# Fixtures (conftest.py makes them known to every test) and helpers


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens a page, and fails if it ran an error, opened a dialog, or called another host."""
    opened: list[Any] = []
    troubles: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        troubles.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def open_page(site: Site, **options: Any) -> Page:
        context = browser.new_context(**{"viewport": WIDE, "permissions": ["clipboard-read"], **options})
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        own_host = urlsplit(site.url).netloc

        def check(url: str) -> None:
            if urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).netloc != own_host:
                troubles.append(f"called {url}")

        page.on("request", lambda request: check(request.url))
        page.on("websocket", lambda wire: check(wire.url))
        page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
        page.on("dialog", dismiss)
        page.goto(site.url)
        page.locator(".opening").wait_for()
        return page

    yield open_page
    for context in opened:
        context.close()
    assert troubles == []


def expect(element: Locator) -> Any:
    """Playwright's, loaded where a browser runs only."""
    from playwright.sync_api import expect as assertions

    return assertions(element)


def ask(page: Page, question: str, *, turn: int = 0) -> None:
    page.locator("#question textarea").fill(question)
    page.locator("#question textarea").press("Enter")
    page.locator(".turn").nth(turn).wait_for()


def keep(page: Page, name: str) -> None:
    """Keep a screenshot, for people to look at."""
    SCREENSHOTS.mkdir(exist_ok=True)
    page.wait_for_timeout(700)  # smooth scrolling comes to rest
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def marked(page: Page) -> str:
    """The marked sentence, read where it stands, once it has been scrolled to."""
    mark = page.locator("#article mark.sentence").first
    expect(mark).to_be_in_viewport()
    return " ".join(page.locator("#article mark.sentence").all_inner_texts())
