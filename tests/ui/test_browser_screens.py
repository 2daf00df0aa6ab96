"""The chat on a phone and in the dark, in headless Chromium."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser_support import CAUSE, HEATER, PHONE, WIDE, Site, Visit, ask, expect, keep, marked

if TYPE_CHECKING:
    pass


def test_on_a_phone_the_article_is_a_sheet(site: Site, visit: Visit) -> None:
    page = visit(site, viewport=PHONE, is_mobile=True, has_touch=True)
    keep(page, "opening-phone")
    ask(page, CAUSE)
    expect(page.locator("#article")).to_be_hidden()
    keep(page, "answer-phone")
    page.locator(".turn .lead .open").tap()
    assert marked(page) == HEATER
    keep(page, "article-phone")
    page.locator(".close-sheet").tap()
    expect(page.locator("#article")).to_be_hidden()
    expect(page.locator(".turn .lead .open")).to_be_focused()
    page.locator(".turn .clippings .open").first.tap()
    expect(page.locator("#article")).to_be_visible()
    page.go_back()
    expect(page.locator("#article")).to_be_hidden()
    expect(page.locator(".turn")).to_have_count(1)
    page.locator("nav [data-room=library]").tap()
    expect(page.locator("#listing .shelf")).to_be_visible()
    keep(page, "library-phone")


def test_on_a_phone_nothing_is_cut_off_or_too_small_to_touch(site: Site, visit: Visit) -> None:
    page = visit(site, viewport={"width": 340, "height": 700}, is_mobile=True, has_touch=True)
    ask(page, CAUSE)
    for room in ("ask", "library"):
        page.locator(f"nav [data-room={room}]").tap()
        assert page.evaluate("document.documentElement.scrollWidth") <= 340
        small = page.evaluate(
            """() => [...document.querySelectorAll('button, input, textarea')]
                .filter((element) => element.checkVisibility() && element.offsetHeight && element.offsetHeight < 44)
                .map((element) => `${element.className} ${element.offsetHeight}`)"""
        )
        assert small == []


@pytest.mark.parametrize(("scheme", "viewport"), [("dark", WIDE), ("dark", PHONE), ("light", WIDE)])
def test_light_and_dark_are_the_systems_and_can_be_read(
    site: Site, visit: Visit, scheme: str, viewport: dict[str, int]
) -> None:
    phone = viewport is PHONE
    page = visit(site, viewport=viewport, color_scheme=scheme, is_mobile=phone, has_touch=phone)
    ask(page, CAUSE)
    if phone:
        page.locator(".turn .lead .open").click()
    assert marked(page) == HEATER
    keep(page, f"{'article' if phone else 'answer'}-{scheme}{'-phone' if phone else ''}")
    grounds = {".turn .question": "body", ".turn .origin": "body", ".turn .answer": "body"}
    grounds |= {"#article .byline": "#article", "#article .body p": "#article"}
    grounds |= {"#article mark.sentence": "#article mark.sentence", "#send": "#send"}
    for text, ground in grounds.items():
        ink = page.locator(text).first.evaluate("element => getComputedStyle(element).color")
        paper = page.locator(ground).first.evaluate("element => getComputedStyle(element).backgroundColor")
        assert contrast(ink, paper) >= 4.5, f"{text} on {ground}: {ink} on {paper}"
    body = page.locator("body").evaluate("element => getComputedStyle(element).backgroundColor")
    assert (luminance(body) < 0.1) is (scheme == "dark")


def contrast(one: str, other: str) -> float:
    """The contrast of two CSS colours, as WCAG reckons it."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
