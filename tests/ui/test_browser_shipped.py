"""The chat over the articles that ship with Clippings, as a newcomer meets it; the README's picture is from here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from index import build, open_index
from tests.browser_support import Site, ask, free_port, keep, marked
from tests.conftest import ROOT
from ui.shelf import MAX_EXAMPLES, answered, read_samples

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from index.library import Library

pytestmark = [pytest.mark.browser, pytest.mark.model]


def test_a_newcomer_sees_examples_asks_and_reads_on(shipped: Library, visit: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    from ui.app import create_app, serve

    app = create_app(shipped)
    try:
        page = visit(Site(serve(app, port=free_port(), wait=False), shipped))
        expect(page.locator(".opening .example")).to_have_count(MAX_EXAMPLES, timeout=30_000)
        keep(page, "shipped-opening")
        ask(page, "Where is the Razoni bound for?")
        assert marked(page) == "The Razoni, registered in Sierra Leone, is bound for Tripoli in Lebanon."
        expect(page.locator("#article h2, #article h1").first).to_have_text(
            "First grain ship since invasion sails from Odesa"
        )
        keep(page, "shipped-answer")
        ask(page, "How do I bake sourdough bread?", turn=1)
        expect(page.locator(".turn").nth(1)).to_contain_text("The articles do not say.")
        expect(page.locator("#article mark")).to_have_count(0)
    finally:
        app.close()


def test_every_example_is_answered_by_the_sentence_meant(shipped: Library) -> None:
    samples = read_samples()
    assert len(samples) > MAX_EXAMPLES
    assert [answered([sample], shipped) for sample in samples] == [[sample.question] for sample in samples]


def test_examples_that_the_library_does_not_answer_are_not_shown(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    name = read_samples()[0].path
    (corpus / name).write_text((ROOT / "corpus" / read_samples()[1].path).read_text(encoding="utf-8"), encoding="utf-8")
    build(corpus, tmp_path / "index")
    library = open_index(tmp_path / "index")
    assert answered(read_samples(), library) == []
    library.close()
