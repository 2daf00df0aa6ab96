"""The chat over the articles that ship with Clippings, as a newcomer meets it; the README's picture is from here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser_support import Site, Visit, ask, expect, free_port, keep, marked
from ui.examples import MAX_EXAMPLES

if TYPE_CHECKING:
    from index.library import Library


def test_a_newcomer_sees_examples_asks_and_reads_on(shipped: Library, visit: Visit) -> None:
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
        expect(page.locator(".turn").nth(1)).to_contain_text("I found no sentence that answers this.")
        expect(page.locator("#article mark")).to_have_count(0)
    finally:
        app.close()
