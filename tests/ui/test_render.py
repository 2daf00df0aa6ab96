"""Answers as they are shown: what the chat's HTML marks, and where, and that articles cannot write any of it.

The same answers as words in the terminal and as plain JSON values stand at the end.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from index.reading.articles import Article, parse_article
from index.reading.passages import paragraphs
from qa import Answer, Evidence, Hit
from qa.__main__ import _in_words
from qa.bounds import Span
from qa.retriever import Signals
from tests.browser_support import FIRE, HOSTILE, HOSTILE_FILE, HOSTILE_TITLE
from tests.conftest import HARVEST
from ui import render, shelf
from ui.render import Clipping, clipping_at

SENTENCE = "The night watchman, Ruben Okafor, saw flames above the ticket hall at 2.15 a.m. and rang the fire brigade."


class Reading(HTMLParser):
    """Reads HTML as a browser would: its tags, its attributes, its text, and the text inside marks."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.marked = {"sentence": "", "exact": "", "context": ""}
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


def span(of: Article, words: str, after: int = 0) -> Span:
    start = of.text.index(words, after)
    return start, start + len(words)


def clipping(of: Article, sentence: str, *exact: str, context: str = "") -> Clipping:
    start, end = span(of, sentence)
    return clipping_at(
        of, start, end, [span(of, words, start) for words in exact], span(of, context) if context else None
    )


def evidence_of(said: Clipping) -> Evidence:
    place = (said.start, said.end)
    hit = Hit(said.article, *place, 1.0, Signals(0, 0, 0, 0, 0), place)
    return Evidence(hit, said.exact or (place,), said.context)


def answer_of(*clippings: Clipping, found: bool = True, **more: Any) -> Answer:
    evidence = tuple(evidence_of(said) for said in clippings)
    given: dict[str, Any] = {"question": "Who rang?", "confidence": 0.9, "reason": "", "undated_excluded": 0} | more
    if not found:
        return Answer(found=False, text="", evidence=(), nearest=tuple(one.hit for one in evidence), **given)
    return Answer(found=True, text="; ".join(clippings[0].answers), evidence=evidence, nearest=(), kind="fact", **given)


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
    html = render.turn(answer_of(clipping(article(), SENTENCE, "Ruben Okafor"), undated_excluded=3))

    assert '<p class="answer" dir="auto">Ruben Okafor</p>' in html
    assert 'watchman, <mark class="exact">Ruben Okafor</mark>, saw' in html
    origin = "Fire destroys the ferry terminal at Port Ansel · Harbour Gazette · 4 March 2023"
    assert f"{origin}CopyVery sure" in Reading(html).text
    assert "3 articles without a date left out, because you set dates." in html


def test_an_answer_that_is_a_sentence_is_not_said_twice() -> None:
    html = render.turn(answer_of(clipping(article(), SENTENCE, SENTENCE)))

    assert Reading(html).text.count("Ruben Okafor") == 1
    assert 'class="answer whole"' in html


CONTEXT = "Late frost has destroyed most of the plum blossom around Valjevo, growers said on Wednesday."
CROP = "The cooperative’s head, Petar Ilić, expects a crop of 9,000 tonnes instead of the usual 25,000."


def sentence_with(*pieces: str) -> str:
    """The HTML of a marked sentence of these pieces, in which the second, the fourth and so on are exact answers."""
    html = [f'<mark class="exact">{piece}</mark>' if n % 2 else piece for n, piece in enumerate(pieces)]
    return f'<mark class="sentence">{"".join(html)}</mark>'


def context_of(html: str) -> str:
    return f'<mark class="context" title="Read with the marked sentence">{html}</mark>'


def test_several_exact_answers_are_all_said_and_each_is_marked() -> None:
    said = clipping(article(HARVEST), CROP, "25,000", "9,000 tonnes")
    crop = sentence_with(
        "The cooperative’s head, Petar Ilić, expects a crop of ",
        "9,000 tonnes",
        " instead of the usual ",
        "25,000",
        ".",
    )

    assert f'<p dir="auto">{crop}</p>' in render.article_page(said.article, said)
    turn = render.turn(answer_of(said))
    assert '<p class="answer" dir="auto">9,000 tonnes; 25,000</p>' in turn
    assert f'<span class="quote" dir="auto">{crop}</span>' in turn


def test_exact_answers_are_escaped_one_by_one() -> None:
    of = article("Title\n\nIt says <script>x</script> or ${7*7} & `y`.")
    said = clipping(of, "It says <script>x</script> or ${7*7} & `y`.", "<script>x</script>", "${7*7}", "& `y`")
    script, sum_, rest = "&lt;script&gt;x&lt;/script&gt;", "&#36;&#123;7*7&#125;", "&amp; &#96;y&#96;"

    assert f"{sentence_with('It says ', script, ' or ', sum_, ' ', rest, '.')}</p>" in render.article_page(of, said)
    assert f'<p class="answer" dir="auto">{script}; {sum_}; {rest}</p>' in render.turn(answer_of(said))


@pytest.mark.parametrize(
    ("exact", "pieces"),
    [
        ([(0, 1), (5, 6)], ("", "a", " b c", "d", "")),  # at the sentence's edges
        ([(0, 3), (2, 5)], ("", "a b c", "d")),  # overlapping
        ([(2, 3), (0, 5)], ("", "a b c", "d")),  # one within another
        ([(2, 3), (2, 3)], ("a ", "b", " cd")),  # the same twice
        ([(0, 3), (3, 5)], ("", "a b", "", " c", "d")),  # adjacent
        ([(0, 3), (3, 6)], ("", "a b", "", " cd", "")),  # adjacent, and together all of it
        ([(0, 6)], ("a b cd",)),  # the whole sentence
        ([(0, 6), (2, 3)], ("a b cd",)),
        ([(0, 4), (2, 6)], ("a b cd",)),  # overlapping, and together all of it
        ([(-1, 2), (4, 9), (7, 8), (3, 3), (5, 4)], ("a b cd",)),  # outside, empty, the wrong way round
    ],
)
def test_exact_answers_that_touch_overlap_or_do_not_fit(exact: list[Span], pieces: tuple[str, ...]) -> None:
    of = article("T\n\nx a b cd y")
    said = clipping_at(of, 5, 11, [(5 + start, 5 + end) for start, end in exact])

    assert f'<p dir="auto">x {sentence_with(*pieces)} y</p>' in render.article_page(of, said)


def test_an_exact_answer_over_two_paragraphs_is_marked_in_both() -> None:
    of = article("Title\n\nOne two three.\n\nFour five six.")
    html = render.article_page(of, clipping(of, "two three.\n\nFour five", "three.\n\nFour"))

    assert (
        f'<p dir="auto">One {sentence_with("two ", "three.", "")}</p>'
        f'<p dir="auto">{sentence_with("", "Four", " five")} six.</p>'
    ) in html


def test_the_context_is_marked_apart_in_its_own_paragraph() -> None:
    said = clipping(article(HARVEST), CROP, "25,000", context=CONTEXT)
    crop = sentence_with(
        "The cooperative’s head, Petar Ilić, expects a crop of 9,000 tonnes instead of the usual ", "25,000", "."
    )
    assert (
        f'<p dir="auto">{context_of(CONTEXT)} About 600 farms are hit.</p><p dir="auto">{crop}</p>'
    ) in render.article_page(said.article, said)
    assert f'<span class="quote" dir="auto">{context_of(CONTEXT)} … {crop}</span>' in render.turn(answer_of(said))


def test_the_context_stands_where_it_does_in_the_article() -> None:
    of = article("Title\n\nAna <b> won. She wept. It rained.")
    before = clipping(of, "She wept.", "wept", context="Ana <b> won.")
    after = clipping(of, "She wept.", "wept", context="It rained.")
    wept = sentence_with("She ", "wept", ".")

    assert f'<p dir="auto">{context_of("Ana &lt;b&gt; won.")} {wept} It rained.</p>' in render.article_page(of, before)
    assert f'<p dir="auto">Ana &lt;b&gt; won. {wept} {context_of("It rained.")}</p>' in render.article_page(of, after)
    assert f">{context_of('Ana &lt;b&gt; won.')} {wept}</span>" in render.turn(answer_of(before))
    assert f">{wept} {context_of('It rained.')}</span>" in render.turn(answer_of(after))


def test_a_context_over_two_paragraphs_and_one_in_the_title() -> None:
    of = article("A strike begins\n\nOne two.\n\nThree four. It goes on.")
    html = render.article_page(of, clipping(of, "It goes on.", context="two.\n\nThree four."))
    assert (
        f'One {context_of("two.")}</p><p dir="auto">{context_of("Three four.")} {sentence_with("It goes on.")}' in html
    )
    html = render.article_page(of, clipping(of, "One two.", context="A strike begins"))
    assert f'<h1 tabindex="-1" dir="auto">{context_of("A strike begins")}</h1>' in html


def test_only_the_lead_shows_the_context_and_a_whole_sentence_then_stands_beside_it() -> None:
    said = clipping(article(HARVEST), CROP, context=CONTEXT)
    html = render.turn(answer_of(said, clipping(article(), SENTENCE, context="Nobody was hurt.")))

    assert f'<p class="answer whole" dir="auto">{CROP}</p>' in html
    assert f'<span class="quote" dir="auto">{context_of(CONTEXT)} … {sentence_with(CROP)}</span>' in html
    assert f'<span class="quote" dir="auto">{sentence_with(SENTENCE)}</span>' in html
    assert html.count("Nobody was hurt.") == 0


@pytest.mark.parametrize("context", [(0, 0), (5, 2), (-4, 3), (0, 10_000), (20, 40), (30, 31)])
def test_a_context_that_is_none_or_that_meets_the_sentence_is_not_marked(context: Span) -> None:
    assert clipping_at(article(), 25, 35, [], context) == Clipping(article(), 25, 35)


def test_a_place_carries_every_span() -> None:
    of = dataclasses.replace(article("T\n\nAna won. She wept and sang."), id=7)
    said = clipping(of, "She wept and sang.", "sang", "wept", context="Ana won.")
    place = 'data-article="7" data-start="12" data-end="30" data-exact="16-20 25-29" data-context="3-11"'

    assert render.place(said) == place
    assert f'<article class="page" {place}>' in render.article_page(of, said)
    bare = 'data-article="7" data-start="12" data-end="30" data-exact="" data-context=""'
    assert render.place(Clipping(of, 12, 30)) == bare


def test_at_most_four_more_clippings_follow() -> None:
    of = article()
    spans = paragraphs(of.text, of.body_start)[:8]
    html = render.turn(answer_of(*[Clipping(of, start, end) for start, end in spans]))

    assert html.count('data-event="open"') == 5
    assert html.count('data-citation="') == 5


def test_candidates_are_shown_alike_with_the_doubt_beside_them() -> None:
    candidates = tuple(
        evidence_of(clipping(article(), sentence)) for sentence in (SENTENCE, CROP) if sentence in article().text
    )
    html = render.turn(
        Answer("Who?", False, "", 0.5, kind="candidates", candidates=candidates, reason="I am not <sure>.")
    )
    assert '<p class="unsaid">I am not &lt;sure&gt;.</p>' in html
    assert "It may be one of these" in html
    assert 'class="answer' not in html
    assert html.count('data-event="open"') == len(candidates)


def test_a_day_stands_beside_the_words_for_it() -> None:
    html = render.turn(answer_of(clipping(article(), SENTENCE, "Ruben Okafor"), date=datetime.date(2024, 3, 6)))
    assert 'Ruben Okafor <span class="day">(Wednesday, 6 March 2024)</span>' in html


def test_talk_and_how_a_question_was_taken_are_escaped() -> None:
    html = render.turn(Answer("And <b>?", False, "Ask <i>me</i>.", 1.0, kind="talk", understood="Who <u>? And <b>?"))
    assert "Ask &lt;i&gt;me&lt;/i&gt;." in html
    assert "Taken as: Who &lt;u&gt;? And &lt;b&gt;?" in html


def test_articles_are_listed_by_their_titles() -> None:
    html = render.turn(Answer("Which?", True, "", 0.5, kind="articles", articles=(article(),)))
    assert '<p class="answer">1 article</p>' in html
    assert html.count('data-event="open"') == 1


def test_not_finding_says_why_and_shows_what_comes_nearest() -> None:
    html = render.turn(answer_of(clipping(article(), SENTENCE), found=False, reason="The articles do not say <b>."))

    assert '<p class="unsaid">The articles do not say &lt;b&gt;.</p>' in html
    assert "What comes nearest" in html
    assert 'class="answer' not in html


@pytest.mark.parametrize(
    ("confidence", "words"), [(0.99, "Very sure"), (0.7, "Fairly sure"), (0.4, "Not very"), (0.1, "Unsure")]
)
def test_how_sure_it_is_is_said_in_words(confidence: float, words: str) -> None:
    assert render.sureness(confidence).startswith(words)


def test_a_citation_is_the_sentence_with_what_is_known_of_its_article_whatever_is_marked() -> None:
    said = clipping(article(HARVEST), CROP, "25,000", "9,000 tonnes", context=CONTEXT)
    assert render.citation(said) == f"“{CROP}” (Plum growers fear for their harvest, Test Post, 11 May 2022)"
    of = article("“Yes,” he said.", "note.txt")
    assert render.citation(clipping(of, "“Yes,” he said.")) == "“Yes,” he said. (note)"


ALLOWED_TAGS = set("article section header footer h1 h2 h3 p div span bdi mark time button ul li progress".split())


ALLOWED_ATTRIBUTES = set(
    "aria-hidden aria-label aria-live class datetime dir hidden max role tabindex title type value data-article "
    "data-citation data-confirm data-context data-end data-event data-exact data-keep data-question data-start".split()
)


def test_hostile_text_in_every_place_is_only_text() -> None:
    of = article(HOSTILE, HOSTILE_FILE)
    sentence = of.text[of.text.index("The zeppelin") : of.text.index(" at dusk.") + 9]
    second = of.text[of.text.index("A second") : of.text.index(" nothing more.") + 14]
    said = clipping(of, sentence, "<script>window.pwned=4</script>", "${alert(3)}", '& "quotes"', context=second)
    other = clipping(dataclasses.replace(of, date=None), second, '<h1 id="owned">broken</h1>')
    row: Any = SimpleNamespace(id=1, path=of.path, title=of.title, date=of.date, source=of.source)
    pages = [
        render.article_page(of, said),
        render.turn(answer_of(said, other, question=HOSTILE_TITLE)),
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
    assert page.marked["exact"] == '<script>window.pwned=4</script>${alert(3)}& "quotes"'
    assert page.marked["context"] == second
    turn = Reading(pages[1])
    assert '<script>window.pwned=4</script>; ${alert(3)}; & "quotes"' in turn.text
    assert '<h1 id="owned">broken</h1>' in turn.text
    assert '<img src=x onerror="window.pwned=1"> ${alert(1)} {{constructor}} U+202Etxt.exe' in page.text


@given(st.text(alphabet=st.characters(codec=None), max_size=40))
@example('\u202e"<a onclick=x>')
def test_escaped_text_reads_as_the_text(text: str) -> None:
    for html in (render.escape(text), f'<p title="{render.attribute(text)}">'):
        html.encode()  # a file name may hold what is not a character
        assert Reading(html).tags <= {"p", "span"}
        assert Reading(html).attributes <= {"class", "title"}
    plain = "".join(char for char in text if char.isprintable() and not 0x2029 < ord(char) < 0x206A)
    assert Reading(render.escape(plain)).text == plain


PLAIN_HOSTILE = HOSTILE.replace("\u202e", "").replace("\u202c", "")
SPANS = st.tuples(st.integers(-9, 600), st.integers(-9, 600))


@given(SPANS, st.lists(SPANS, max_size=6), st.none() | SPANS)
def test_wherever_the_spans_lie_the_text_stays_whole_and_the_marks_are_slices(
    sentence: Span, exact: list[Span], context: Span | None
) -> None:
    of = article(PLAIN_HOSTILE)
    start, end = (min(max(place, 0), len(of.text)) for place in sorted(sentence))
    said = clipping_at(of, start, end, exact, context)
    read = Reading(render.slices(of.text, 0, len(of.text), said))

    assert read.text == of.text
    assert read.marked["sentence"] == said.sentence
    good = [(a, b) for a, b in exact if start <= a < b <= end]
    inside = {at for a, b in good for at in range(a, b)}
    if said.exact:
        assert read.marked["exact"] == "".join(of.text[at] for at in sorted(inside))
    else:
        assert read.marked["exact"] == ""
        assert not good or inside == set(range(start, end))
    first, last = context or (0, 0)
    beside = 0 <= first < last <= len(of.text) and (last <= start or end <= first)
    assert read.marked["context"] == (of.text[first:last] if beside else "")
    assert clipping_at(of, start, end, said.exact, said.context) == said


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


# The same answers for the terminal and for programs


def words(said: Answer, colour: bool = False) -> list[str]:
    """The terminal's words, each paragraph on one line."""
    return [" ".join(block.split()) for block in _in_words(said, colour).split("\n\n")]


def test_the_terminal_says_the_exact_answers_then_the_passage_with_them_marked() -> None:
    said = clipping(article(HARVEST), CROP, "25,000", "9,000 tonnes")
    start, end = said.start, said.end
    about = f"Plum growers fear for their harvest (Test Post, 2022-05-11, fire.txt:{start}-{end}) sure: 90%"
    evidence = evidence_of(said)
    body = (said.article.body_start, len(said.article.text))
    in_body = dataclasses.replace(evidence, hit=dataclasses.replace(evidence.hit, passage=body))
    answer = dataclasses.replace(answer_of(said), evidence=(in_body,))
    before = f"{CONTEXT} About 600 farms are hit."
    after = "Insurance covers hail but not frost."

    crop = "The cooperative’s head, Petar Ilić, expects a crop of {}9,000 tonnes{} instead of the usual {}25,000{}."
    in_stars, in_bold = crop.format(*["**"] * 4), crop.format(*["\x1b[1;4m", "\x1b[22;24m"] * 2)

    assert words(answer) == ["? Who rang?", "9,000 tonnes; 25,000", f"{before} [[{in_stars}]] {after} {about}"]
    assert words(answer, colour=True) == [
        "? Who rang?",
        "\x1b[1m9,000 tonnes; 25,000\x1b[0m",
        f"{before} \x1b[7m{in_bold}\x1b[0m {after} {about}",
    ]


def test_the_terminal_says_a_whole_sentence_once() -> None:
    said = words(answer_of(clipping(article(), SENTENCE)))

    assert said[1].startswith(f"[[{SENTENCE}]] Fire destroys")
    assert len(said) == 2


def test_the_terminal_shows_a_context_outside_the_passage() -> None:
    said = words(answer_of(clipping(article(HARVEST), CROP, "25,000", context=CONTEXT)))

    assert said[2].startswith(f"{CONTEXT} About 600 farms are hit. [[The cooperative’s")


def test_an_exact_answer_cannot_steer_the_terminal() -> None:
    of = article("Title\n\nHe \x1b[31mpainted\x1b[0m\nit\u202e all \x07red.")
    said = clipping(of, of.text[of.body_start :], "\x1b[31mpainted\x1b[0m\nit\u202e", "\x07red")
    shown = _in_words(answer_of(said), colour=False)

    assert "[[He ** [31mpainted [0m it ** all ** red**.]]" in " ".join(shown.split())
    assert not re.search("[\x1b\x07\u202e]", shown)
    assert set(re.findall(r"\x1b\[[\d;]*m", _in_words(answer_of(said), colour=True))) == {
        "\x1b[1m",
        "\x1b[0m",
        "\x1b[7m",
        "\x1b[1;4m",
        "\x1b[22;24m",
    }
