"""The library in headless Chromium: adding, searching, removing, following, and articles that attack the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser_support import (
    ARTICLES,
    BRIDGE,
    FIRE,
    GUSTAV,
    HERON,
    HOSTILE,
    HOSTILE_FILE,
    HOSTILE_TITLE,
    WHO,
    Serving,
    Site,
    Visit,
    ask,
    expect,
    keep,
    marked,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture
def own(tmp_path: Path, serving: Serving) -> Iterator[Site]:
    """A chat of the test's own, to change; its corpus folder is watched."""
    with serving(tmp_path, ARTICLES, watched=True) as served:
        yield served


def test_an_empty_library_invites_the_first_article(tmp_path: Path, visit: Visit, serving: Serving) -> None:
    with serving(tmp_path, {}) as empty:
        page = visit(empty)
        expect(page.locator(".opening h2")).to_have_text("Your library is empty")
        keep(page, "empty-light")
        page.locator(".opening .primary").click()
        expect(page.locator("#files")).to_be_visible()
        paste(page, "A heron moved in", GUSTAV)
        expect(page.locator("#status .good")).to_contain_text("Added A heron moved in")
        page.locator("nav [data-room=ask]").click()
        ask(page, HERON)
        assert marked(page) == GUSTAV


def paste(page: Page, title: str, text: str) -> None:
    if not page.locator("#paste-text textarea").is_visible():
        page.locator("#pasting > .label-wrap").click()
    page.locator("#paste-title input").fill(title)
    page.locator("#paste-text textarea").fill(text)
    page.locator("#paste-date input").fill("2024-02-03")
    page.locator("#paste-source input").fill("Marsh Post")
    page.locator("#paste-add").click()


def test_added_files_can_be_asked_and_refused_ones_say_why(own: Site, visit: Visit, tmp_path: Path) -> None:
    heron = tmp_path / "heron.txt"
    heron.write_text(f"A heron moved in\n\n{GUSTAV}\n")
    binary = tmp_path / "picture.txt"
    binary.write_bytes(bytes(range(256)) * 20)
    page = visit(own)
    page.locator("nav [data-room=library]").click()
    page.locator("#adding > .label-wrap").click()
    keep(page, "adding-light")
    page.locator("#files input[type=file]").set_input_files([heron, binary])
    expect(page.locator("#status .good")).to_have_text("Added heron.txt. Ask it something.")
    expect(page.locator("#status .bad")).to_contain_text("picture.txt: ")
    expect(page.locator("nav .count")).to_have_text("4")
    expect(page.locator("#listing .shelf li")).to_have_count(4)
    keep(page, "added-light")
    page.locator("nav [data-room=ask]").click()
    ask(page, HERON)
    assert marked(page) == GUSTAV
    assert (own.corpus / "heron.txt").is_file()


def test_the_library_is_searched_and_an_article_removed_after_asking(own: Site, visit: Visit) -> None:
    page = visit(own)
    page.locator("nav [data-room=library]").click()
    page.locator("#search input").fill("low mar")
    row = page.locator("#listing .shelf li")
    expect(row).to_have_count(1)
    row.locator(".open").click()
    expect(page.locator("#article h1")).to_have_text("The bridge at Low Marsh")
    row.get_by_role("button", name="Remove The bridge at Low Marsh").click()
    keep(page, "removing-light")
    row.get_by_role("button", name="Keep").click()
    expect(row.locator(".danger")).to_be_hidden()
    assert (own.corpus / "bridge.txt").is_file()
    row.locator("[data-confirm]").click()
    row.locator(".danger").click()
    expect(page.locator("#status")).to_contain_text("Removed The bridge at Low Marsh.")
    expect(page.locator("nav .count")).to_have_text("2")
    expect(page.locator("#article")).to_contain_text("This article has been changed or removed since.")
    assert (own.corpus / ".trash" / "bridge.txt").read_text() == BRIDGE


def test_files_dropped_into_the_folder_appear_on_an_open_page(own: Site, visit: Visit) -> None:
    page = visit(own)
    expect(page.locator("nav .count")).to_have_text("3")
    (own.corpus / "heron.txt").write_text(f"---\ntitle: A heron moved in\nsource: Marsh Post\n---\n{GUSTAV}\n")
    expect(page.locator("nav .count")).to_have_text("4")
    ask(page, HERON)
    assert marked(page) == GUSTAV
    page.locator("#filters > .label-wrap").click()
    page.locator("#source input").click()
    page.get_by_role("option", name="Marsh Post").click()
    (own.corpus / "heron.txt").unlink()
    expect(page.locator("nav .count")).to_have_text("3")
    expect(page.locator("#article")).to_contain_text("This article has been changed or removed since.")
    ask(page, WHO, turn=1)  # the source chosen is gone by now
    expect(page.locator(".turn").nth(1).locator(".unsaid")).to_contain_text("Marsh Post")


# Hostile articles


def test_hostile_articles_are_shown_and_do_nothing(tmp_path: Path, visit: Visit, serving: Serving) -> None:
    with serving(tmp_path, {HOSTILE_FILE: HOSTILE, "fire.txt": FIRE}) as served:
        page = visit(served)
        shown_title = HOSTILE_TITLE.replace("\u202e", "U+202E")
        expect(page.locator("#article .front .title").last).to_have_text(shown_title)
        ask(page, HOSTILE_TITLE)
        expect(page.locator(".turn .question").first).to_have_text(shown_title)
        ask(page, "Where did the zeppelin land at dusk?", turn=1)
        assert marked(page) == (
            "The zeppelin landed in <script>window.pwned=4</script> Wurzburg with ${alert(3)} and {{7*7}} aboard "
            '`${window.pwned=5}` & "quotes" U+202EoverU+202C at dusk.'
        )
        expect(page.locator("#article h1")).to_have_text(shown_title)
        expect(page.locator("#article .byline")).to_contain_text('"><svg onload=window.pwned=2> U+202Eecruos')
        expect(page.locator("#article .byline")).to_contain_text("By {{author}} ${alert(2)}")
        expect(page.locator("#article .file")).to_have_text(HOSTILE_FILE)
        expect(page.locator("#article")).to_contain_text('</mark></article><h1 id="owned">broken</h1> nothing more.')
        expect(page.locator("#article a, #article img, #article script, #owned, #article svg")).to_have_count(0)
        keep(page, "hostile-light")
        page.locator("nav [data-room=library]").click()
        expect(page.locator("#listing .title").last).to_have_text(shown_title)
        page.locator("#search input").fill("<img src=x onerror=alert(1)> ${alert(1)} {{x}}")
        expect(page.locator("#listing")).to_contain_text("<img src=x onerror=alert(1)> ${alert(1)} {{x}}")
        page.locator("nav [data-room=ask]").click()
        page.locator("#filters > .label-wrap").click()
        page.locator("#source input").click()
        expect(page.get_by_role("option", name="svg onload")).to_be_visible()
        assert page.evaluate("window.pwned") is None
