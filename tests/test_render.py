"""The HTML of the chat: what is marked, where it stands, and that articles cannot write any of it."""

from __future__ import annotations

import datetime
import re
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from index.articles import Article, parse_article
from index.passages import paragraphs
from tests.browser_support import FIRE, HOSTILE, HOSTILE_FILE, HOSTILE_TITLE
from ui import render, shelf
from ui.render import Clipping

SENTENCE = "The night watchman, Ruben Okafor, saw flames above the ticket hall at 2.15 a.m. and rang the fire brigade."


class Reading(HTMLParser):
    """Reads HTML as a browser would: its tags, its attributes, its text, and the text inside marks."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.marked = {"sentence": "", "exact": ""}
        self._open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "mark":
            self._open.append(dict(attrs)["class"] or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "mark":
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data
        for kind in self._open:
            self.marked[kind] += data


def article(text: str = FIRE, name: str = "fire.txt") -> Article:
    return parse_article(text.encode(), name)


def clipping(of: Article, sentence: str, exact: str = "") -> Clipping:
    start = of.text.index(sentence)
    exact_start = of.text.index(exact, start) if exact else 0
    return Clipping(of, start, start + len(sentence), exact_start, exact_start + len(exact))


def answer_of(*clippings: Clipping, found: bool = True, **more: Any) -> Any:
    hits = [SimpleNamespace(article=c.article, start=c.start, end=c.end) for c in clippings]
    evidence = [
        SimpleNamespace(hit=h, start=c.exact_start, end=c.exact_end) for h, c in zip(hits, clippings, strict=True)
    ]
    values: dict[str, Any] = {
        "question": "Who rang?",
        "found": found,
        "confidence": 0.9,
        "evidence": tuple(evidence if found else ()),
        "nearest": tuple(() if found else hits),
        "reason": "",
        "undated_excluded": 0,
    }
    return SimpleNamespace(**values | more)


def test_the_sentence_is_marked_and_the_exact_answer_within_it() -> None:
    page = Reading(render.article_page(article(), clipping(article(), SENTENCE, "Ruben Okafor")))

    assert page.marked == {"sentence": SENTENCE, "exact": "Ruben Okafor"}


def test_a_sentence_that_is_itself_the_answer_is_marked_once() -> None:
    page = Reading(render.article_page(article(), clipping(article(), SENTENCE, SENTENCE)))

    assert page.marked == {"sentence": SENTENCE, "exact": ""}


def test_the_second_of_two_like_sentences_is_marked_in_its_own_place() -> None:
    text = "Rain\n\nIt rained. The sun came. It rained. The end."
    of = article(text)
    second = text.rindex("It rained.")
    html = render.article_page(of, Clipping(of, second, second + len("It rained.")))

    assert 'The sun came. <mark class="sentence">It rained.</mark> The end.' in html


def test_a_mark_over_two_paragraphs_is_closed_and_opened_between_them() -> None:
    of = article("Title\n\nOne two.\n\nThree four.")
    html = render.article_page(of, clipping(of, "two.\n\nThree"))

    assert 'One <mark class="sentence">two.</mark></p>' in html
    assert '<p dir="auto"><mark class="sentence">Three</mark> four.</p>' in html


def test_the_whole_article_is_there_in_its_paragraphs() -> None:
    of = article()
    spans = paragraphs(of.text, of.body_start)

    assert len(spans) == 12
    assert "".join(of.text[s:e] for s, e in spans).split() == of.text[of.body_start :].replace("\n\n", "").split()
    assert '<p dir="auto" class="subhead">A hall from 1908</p>' in render.article_page(of)


def test_an_answer_shows_the_exact_words_then_the_sentence_with_its_origin() -> None:
    html = render.turn(answer_of(clipping(article(), SENTENCE, "Ruben Okafor")))

    assert '<p class="answer" dir="auto">Ruben Okafor</p>' in html
    assert 'watchman, <mark class="exact">Ruben Okafor</mark>, saw' in html
    origin = "Fire destroys the ferry terminal at Port Ansel · Harbour Gazette · 4 March 2023"
    assert Reading(html).text.endswith(f"{origin}CopyVery sure")


def test_an_answer_that_is_a_sentence_is_not_said_twice() -> None:
    html = render.turn(answer_of(clipping(article(), SENTENCE, SENTENCE)))

    assert Reading(html).text.count("Ruben Okafor") == 1
    assert 'class="answer whole"' in html


def test_at_most_four_more_clippings_follow() -> None:
    of = article()
    spans = paragraphs(of.text, of.body_start)[:8]
    html = render.turn(answer_of(*[Clipping(of, start, end) for start, end in spans]))

    assert html.count('data-event="open"') == 5
    assert html.count('data-citation="') == 5


def test_not_finding_says_why_and_shows_what_comes_nearest() -> None:
    html = render.turn(answer_of(clipping(article(), SENTENCE), found=False, reason="The articles do not say <b>."))

    assert '<p class="unsaid">The articles do not say &lt;b&gt;.</p>' in html
    assert "What comes nearest" in html
    assert 'class="answer' not in html


def test_articles_left_out_for_want_of_a_date_are_mentioned() -> None:
    html = render.turn(answer_of(clipping(article(), SENTENCE), undated_excluded=3))

    assert "3 articles of unknown date left out by the dates you set." in html


@pytest.mark.parametrize(
    ("confidence", "words"), [(0.99, "Very sure"), (0.7, "Fairly sure"), (0.4, "Not very"), (0.1, "Unsure")]
)
def test_how_sure_it_is_is_said_in_words(confidence: float, words: str) -> None:
    assert render.sureness(confidence).startswith(words)


def test_a_citation_holds_sentence_title_source_and_date() -> None:
    assert render.citation(clipping(article(), "Nobody was hurt.")) == (
        "“Nobody was hurt.” (Fire destroys the ferry terminal at Port Ansel, Harbour Gazette, 4 March 2023)"
    )


def test_a_citation_leaves_out_what_is_not_known_and_keeps_quotation_marks() -> None:
    of = article("“Yes,” he said.", "note.txt")

    assert render.citation(clipping(of, "“Yes,” he said.")) == "“Yes,” he said. (note)"


ALLOWED_TAGS = set("article section header footer h1 h2 h3 p div span bdi mark time button ul li progress".split())


ALLOWED_ATTRIBUTES = set(
    "aria-hidden aria-label aria-live class datetime dir hidden max role tabindex title type value data-article "
    "data-citation data-confirm data-end data-event data-exact-end data-exact-start data-keep data-question "
    "data-start".split()
)


def test_hostile_text_in_every_place_is_only_text() -> None:
    of = article(HOSTILE, HOSTILE_FILE)
    sentence = of.text[of.text.index("The zeppelin") : of.text.index(" at dusk.") + 9]
    said = clipping(of, sentence, '& "quotes"')
    row: Any = SimpleNamespace(id=1, path=of.path, title=of.title, date=of.date, source=of.source)
    pages = [
        render.article_page(of, said),
        render.turn(answer_of(said, question=HOSTILE_TITLE)),
        render.notice(HOSTILE_TITLE, HOSTILE_TITLE),
        shelf.shelf([row]),
        shelf.shelf([row], HOSTILE_TITLE),
        shelf.front_page([row]),
        shelf.opening([row], [HOSTILE_TITLE]),
        shelf.progress(0, 1, HOSTILE_FILE),
        shelf.report([HOSTILE_TITLE], [HOSTILE_FILE]),
    ]
    for html in pages:
        read = Reading(html)
        assert read.tags <= ALLOWED_TAGS
        assert read.attributes <= ALLOWED_ATTRIBUTES
        assert not re.search("[`${}]|[\u202a-\u202e\u2066-\u2069]", html)
        assert "javascript:" not in html
    page = Reading(pages[0])
    assert page.marked["sentence"] == sentence.replace("\u202e", "U+202E").replace("\u202c", "U+202C")
    assert page.marked["exact"] == '& "quotes"'
    assert '<img src=x onerror="window.pwned=1"> ${alert(1)} {{constructor}} U+202Etxt.exe' in page.text


@given(st.text(alphabet=st.characters(codec=None), max_size=40))
@example('\u202e"<a onclick=x>')
def test_escaped_text_reads_as_the_text(text: str) -> None:
    for html in (render.escape(text), f'<p title="{render.attribute(text)}">'):
        html.encode()  # a file name may hold what is no character
        assert Reading(html).tags <= {"p", "span"}
        assert Reading(html).attributes <= {"class", "title"}
    plain = "".join(char for char in text if char.isprintable() and not 0x2029 < ord(char) < 0x206A)
    assert Reading(render.escape(plain)).text == plain


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300), st.integers(0, 300))
def test_wherever_the_spans_lie_the_text_stays_whole_and_the_marks_are_slices(a: int, b: int, c: int, d: int) -> None:
    of = article(HOSTILE.replace("\u202e", "").replace("\u202c", ""))
    start = of.body_start
    said = Clipping(of, start + min(a, b), start + max(a, b), start + min(c, d), start + max(c, d))
    read = Reading(render.slices(of.text, start, len(of.text), said))

    assert read.text == of.text[start:]
    assert read.marked["sentence"] == said.sentence
    assert read.marked["exact"] == (of.text[said.exact_start : said.exact_end] if said.has_exact else "")


def test_only_web_addresses_become_links() -> None:
    linked = render.article_page(article("---\ntitle: T\nurl: https://example.org/a?b=1&c=2\n---\nText."))

    assert '<a href="https://example.org/a?b=1&amp;c=2" target="_blank" rel="noopener noreferrer">' in linked
    for url in ("javascript:x", "http://[x", "https://a]b/", "ftp://example.org/", "example.org"):
        unlinked = render.article_page(article(f"---\ntitle: T\nurl: {url}\n---\nText."))
        assert "a" not in Reading(unlinked).tags


def test_the_library_is_searched_by_title_source_and_date_whatever_the_accents_and_quotes() -> None:
    rows: list[Any] = [
        SimpleNamespace(
            id=1, path="a.txt", title="Vučić’s “last” word", date=datetime.date(2022, 1, 31), source="Wire"
        ),
        SimpleNamespace(id=2, path="b.txt", title="Bridge", date=None, source=None),
    ]

    def found(words: str) -> list[int]:
        return [row.id for row in shelf.search(rows, words)]

    assert found("vucic WIRE") == [1]
    assert found('vucic\'s "last"') == [1]
    assert found("2022-01") == [1]
    assert found("january 2022") == [1]
    assert found("b.txt") == [2]
    assert found("") == [1, 2]
    assert found("nothing") == []


def test_a_long_library_is_cut_and_says_so() -> None:
    rows: list[Any] = [
        SimpleNamespace(id=n, path=f"{n}.txt", title=f"Story {n}", date=None, source=None) for n in range(1205)
    ]

    assert "1,005 more articles: search to find them." in shelf.shelf(rows)
    assert shelf.shelf(rows).count('data-event="remove"') == shelf.MAX_ROWS
