"""Asking as a person does, in headless Chromium: the answer, its mark, other clippings, copying, the keyboard."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import qa
from tests.browser_support import (
    ARTICLES,
    CAUSE,
    HEATER,
    WATCHMAN,
    WHO,
    Serving,
    Site,
    Visit,
    ask,
    expect,
    keep,
    marked,
)
from ui.examples import Sample

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NOTES = ["Only articles since 5 March 2023 were searched.", "1 article without a date left out, because you set dates."]


def paragraph_of_mark(page: Page) -> str:
    return str(page.locator("#article p:has(mark.sentence)").inner_text())


def test_asking_marks_the_answering_sentence_where_it_stands(site: Site, visit: Visit) -> None:
    page = visit(site)
    keep(page, "opening-light")
    ask(page, CAUSE)
    expect(page.locator(".turn .question")).to_have_text(CAUSE)
    expect(page.locator(".turn .answer")).to_have_text("Agnes Brandt")
    expect(page.locator("#article mark.sentence mark.exact")).to_have_text("Agnes Brandt")
    expect(page.locator("#article h1")).to_have_text("Fire destroys the ferry terminal at Port Ansel")
    expect(page.locator("#article .byline")).to_have_text("Harbour Gazette · 4 March 2023")

    assert marked(page) == HEATER
    assert paragraph_of_mark(page) == f"Police do not suspect arson. {HEATER}"
    assert page.locator("#article .body").inner_text().count(HEATER) == 1
    expect(page.locator(".turn .origin").first).to_have_text(
        "Fire destroys the ferry terminal at Port Ansel · Harbour Gazette · 4 March 2023"
    )
    expect(page.locator(".turn .sure")).to_have_text(re.compile("sure", re.IGNORECASE))
    expect(page.locator("#question textarea")).to_have_value("")
    keep(page, "answer-light")


PASSENGERS = "Two passengers who had been sleeping in the waiting room got out through a window."
GOATS = "Vellarn is made from the milk of brown goats and ripens for ninety days on shelves of larch."


def evidence_in(site: Site, path: str, sentence: str, *exact: str, context: str = "") -> qa.Evidence:
    """Evidence of these words in an article of the library; the hit's scores are another's."""
    (row,) = (row for row in site.library.articles() if row.path == path)
    article = site.library.article(row.id)
    assert article is not None
    at = article.text.index(sentence)
    spans = [(start, start + len(words)) for words in exact for start in [article.text.index(words, at)]]
    (hit,) = qa.retrieve(WHO, site.library, k=1)
    place = (at, at + len(sentence))
    hit = dataclasses.replace(hit, article=article, start=place[0], end=place[1], passage=place)
    before = article.text.index(context) if context else 0
    return qa.Evidence(hit, tuple(spans), (before, before + len(context)) if context else None)


@pytest.fixture
def several_marks(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked: two exact answers with their context, and two more clippings."""
    lead = evidence_in(site, "fire.txt", WATCHMAN, "Ruben Okafor", "2.15 a.m.", context=PASSENGERS)
    other = evidence_in(site, "cheese.md", GOATS, "brown goats", "ninety days")
    third = evidence_in(
        site, "bridge.txt", "Drivers must go round by Stanfield, which takes forty minutes.", "Stanfield"
    )

    def said(question: str, *arguments: Any, **more: Any) -> qa.Answer:
        text = "Ruben Okafor; 2.15 a.m."
        return qa.Answer(question, True, text, 0.9, (lead, other, third), (), "", 0)

    monkeypatch.setattr("ui.desk.answer", said)


def styles(page: Page, selector: str, name: str) -> str:
    return str(page.locator(selector).first.evaluate(f"element => getComputedStyle(element).{name}"))


@pytest.mark.usefixtures("several_marks")
def test_every_exact_answer_and_the_context_are_marked_and_reopened(site: Site, visit: Visit) -> None:
    low = {"width": 1360, "height": 420}  # so that there is something to scroll
    page = visit(site, viewport=low, reduced_motion="reduce")
    ask(page, WHO)
    expect(page.locator(".turn .answer")).to_have_text("Ruben Okafor; 2.15 a.m.")
    expect(page.locator(".turn .lead mark.context")).to_have_text(PASSENGERS)
    expect(page.locator(".turn .lead mark.sentence")).to_have_text(WATCHMAN)
    expect(page.locator(".turn .lead .quote")).to_have_text(f"{PASSENGERS} {WATCHMAN}")

    def opened() -> None:
        expect(page.locator("#article mark.sentence mark.exact")).to_have_text(["Ruben Okafor", "2.15 a.m."])
        assert marked(page) == WATCHMAN
        expect(page.locator("#article mark.context")).to_have_text(PASSENGERS)
        expect(page.locator(".turn .lead .open")).to_have_attribute("aria-current", "true")
        assert page.locator("#article mark.exact").first.evaluate(
            "element => element.getBoundingClientRect().top < innerHeight - 50"
        )

    opened()
    page.locator(".turn .clippings .open").first.click()
    expect(page.locator("#article h1")).to_have_text("Cheesemakers of the Vell valley win their name back")
    assert marked(page) == GOATS
    expect(page.locator("#article mark.exact")).to_have_text(["brown goats", "ninety days"])
    expect(page.locator("#article mark.context")).to_have_count(0)
    page.locator(".turn .lead .open").click()
    opened()
    # What screen readers are told is nowhere else: not in the text, and it does not stretch the page.
    assert "[marked" not in page.locator("#article").inner_text()
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")


@pytest.mark.usefixtures("several_marks")
@pytest.mark.parametrize("scheme", ["light", "dark", "forced"])
def test_marks_are_told_apart_by_more_than_colour(site: Site, visit: Visit, scheme: str) -> None:
    options = {"forced_colors": "active"} if scheme == "forced" else {"color_scheme": scheme}
    page = visit(site, **options)
    ask(page, WHO)
    assert marked(page) == WATCHMAN
    keep(page, f"marks-{scheme}")
    for place in ("#article", ".turn .lead"):
        weights = [int(styles(page, f"{place} mark.{kind}", "fontWeight")) for kind in ("context", "sentence", "exact")]
        assert weights[0] == weights[1] < weights[2]
        lines = [
            styles(page, f"{place} mark.{kind}", "textDecorationLine") for kind in ("context", "sentence", "exact")
        ]
        assert lines == ["underline", "none", "underline"]
        assert styles(page, f"{place} mark.context", "textDecorationStyle") == "dotted"
        grounds = [styles(page, f"{place} mark.{kind}", "backgroundColor") for kind in ("context", "sentence", "exact")]
        assert len(set(grounds)) == 3


def test_clicking_another_clipping_opens_it_and_marks_its_sentence(site: Site, visit: Visit) -> None:
    page = visit(site)
    ask(page, CAUSE)
    assert marked(page) == HEATER
    other = page.locator(".turn .clippings .open").first
    sentence = other.locator(".quote").inner_text()
    assert sentence != HEATER
    other.click()
    expect(page.locator("#article mark.sentence")).to_have_text(sentence)
    expect(other).to_have_attribute("aria-current", "true")

    assert marked(page) == sentence
    page.locator(".turn .lead .open").click()
    expect(page.locator("#article mark.sentence")).to_have_text(HEATER)
    page.locator("#article").evaluate("element => element.scrollTo(0, 0)")
    page.locator(".turn .lead .open").click()  # once more: it is scrolled to again
    assert marked(page) == HEATER


def test_one_more_click_copies_a_citation(site: Site, visit: Visit) -> None:
    page = visit(site, permissions=["clipboard-read", "clipboard-write"])
    ask(page, WHO)
    button = page.locator(".turn .lead .copy")
    button.click()
    expect(button).to_have_text("Copied")

    assert page.evaluate("navigator.clipboard.readText()") == (
        f"“{WATCHMAN}” (Fire destroys the ferry terminal at Port Ansel, Harbour Gazette, 4 March 2023)"
    )


def test_what_the_articles_do_not_say_is_said_plainly(site: Site, visit: Visit) -> None:
    page = visit(site)
    ask(page, "Who painted the ceiling of the Sistine Chapel?")
    expect(page.locator(".turn .unsaid")).to_contain_text("I found no sentence that answers this.")
    expect(page.locator(".turn .answer")).to_have_count(0)
    expect(page.locator(".turn h3")).to_have_text("What comes nearest")
    expect(page.locator("#article")).to_contain_text("Nothing is marked, because no sentence answers the question.")
    keep(page, "unanswered-light")
    nearest = page.locator(".turn .clippings .open").first
    nearest.click()
    assert marked(page) == nearest.locator(".quote").inner_text()
    ask(page, "And when?", turn=1)
    taken = "Taken as: Who painted the ceiling of the Sistine Chapel? And when?"
    expect(page.locator(".turn").nth(1).locator(".note")).to_have_text(taken)


def test_questions_that_cannot_be_taken_are_refused_and_stay_in_the_box(site: Site, visit: Visit) -> None:
    page = visit(site)
    ask(page, "")
    expect(page.locator(".turn .refused")).to_be_visible()
    ask(page, "x" * 100_000, turn=1)
    expect(page.locator(".turn").nth(1).locator(".refused")).to_contain_text("100,000")
    expect(page.locator("#question textarea")).to_have_value("x" * 100_000)


def test_answers_can_be_narrowed_by_date_and_source(site: Site, visit: Visit) -> None:
    page = visit(site)
    page.locator("#filters > .label-wrap").click()
    expect(page.locator("#since input")).to_have_attribute("type", "date")
    page.locator("#since input").fill("2023-03-05")
    keep(page, "filters-light")
    ask(page, WHO)
    expect(page.locator(".turn .unsaid")).to_be_visible()
    expect(page.locator(".turn .note")).to_have_text(NOTES)
    page.locator("#since input").fill("2023-03-04")
    ask(page, WHO, turn=1)
    expect(page.locator(".turn").nth(1).locator(".answer")).to_have_text("Ruben Okafor")
    page.locator("#source input").click()
    page.get_by_role("option", name="Upland Courier").click()
    page.locator("#since input").fill("")
    ask(page, WHO, turn=2)
    expect(page.locator(".turn").nth(2)).not_to_contain_text("Okafor")


def test_an_example_is_asked_as_narrowly_as_the_page_shows(
    tmp_path: Path, visit: Visit, monkeypatch: pytest.MonkeyPatch, serving: Serving
) -> None:
    monkeypatch.setattr("ui.examples.read_samples", lambda: [Sample(WHO, "fire.txt", "Ruben Okafor")])
    with serving(tmp_path, ARTICLES) as served:
        page = visit(served)
        page.locator("#filters > .label-wrap").click()
        page.locator("#since input").fill("2023-03-05")
        page.locator(".example").click()
        expect(page.locator(".turn .question")).to_have_text(WHO)
        expect(page.locator(".turn .note")).to_have_text(NOTES)


def test_the_page_may_call_no_other_host(site: Site, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(site.url)
    page.locator(".opening").wait_for()
    blocked = page.evaluate(
        """() => new Promise((resolve) => {
            document.addEventListener('securitypolicyviolation', (refused) => resolve(refused.blockedURI));
            document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.2:9/pixel.png'}));
            setTimeout(() => resolve('nothing'), 3000);
        })"""
    )
    page.close()

    assert blocked == "http://127.0.0.2:9/pixel.png"


def test_nobody_sees_the_questions_of_another(site: Site, visit: Visit) -> None:
    mine, yours = visit(site), visit(site)
    ask(mine, WHO)
    ask(yours, "When was the terminal opened?")
    expect(mine.locator(".turn")).to_have_count(1)
    expect(yours.locator(".turn")).to_have_count(1)
    ask(mine, CAUSE, turn=1)
    expect(mine.locator(".turn")).to_have_count(2)
    mine.locator(".clear").click()
    expect(mine.locator(".turn")).to_have_count(0)
    yours.reload()
    yours.locator(".opening").wait_for()
    expect(yours.locator(".turn")).to_have_count(0)


def test_everything_can_be_reached_with_the_keyboard(site: Site, visit: Visit) -> None:
    page = visit(site)
    expect(page.locator("#question textarea")).to_be_focused()
    page.keyboard.type(CAUSE)
    page.keyboard.press("Enter")
    page.locator(".turn .clippings .open").first.wait_for()
    seen = []
    for _ in range(40):
        page.keyboard.press("Shift+Tab")
        seen.append(
            page.evaluate("document.activeElement.className + '|' + (document.activeElement.dataset.room || '')")
        )
        if seen[-1].startswith("open|"):
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    sentence = page.evaluate("document.activeElement.querySelector('.quote').textContent")
    page.keyboard.press("Enter")
    expect(page.locator("#article mark.sentence")).to_have_text(sentence)
    assert outline == "solid"
    for _ in range(60):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.dataset.room") == "library":
            break
    page.keyboard.press("Enter")
    expect(page.locator("#search input")).to_be_visible()
    page.keyboard.press("/")
    expect(page.locator("#question textarea")).to_be_focused()
