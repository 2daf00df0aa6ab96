"""Markup is read through, and each character that is read stands where the file has it."""

from __future__ import annotations

import re

import pytest

from index.reading.articles import parse_article
from index.reading.markup import read_through
from index.reading.passages import split_sentences


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('See [the *big* plan](https://x.example/a_(b).html "t"), now.', "See the big plan, now."),
        ("**Ana Holm** said _no_ to __all__ of it.", "Ana Holm said no to all of it."),
        ("2*3 is 6, a * b too, snake_case_word.", "2*3 is 6, a * b too, snake_case_word."),
        ("![The pier](pier.png){:.wide}It is [open][1].", "It is open."),
        ("Open {{ site.url }}from {% if x %}nine{% endif %}.", "Open from nine."),
        ("<p>It cost <b>5</b> euros.</p><!-- or six -->", "It cost 5 euros."),
        ("Mail <ana@x.example> or see <https://x.example>.", "Mail <ana@x.example> or see <https://x.example>."),
        (r"Press `Enter` \[once\].", "Press Enter [once]."),
        ("Fish &amp; chips, Ana&#8217;s caf&eacute;; AT&T; &nonsense;", "Fish & chips, Ana’s café; AT&T; &nonsense;"),
        ("co\u00adope\u00adra\u00adtion", "cooperation"),
        ("The some-\nthing is well-\nknown. Is something?", "The something is well-known. Is something?"),
        ("[plain] text (in brackets) stays", "[plain] text (in brackets) stays"),
    ],
)
def test_what_is_read(text: str, said: str) -> None:
    through = read_through(text, 0, len(text), markdown=True)
    assert through.text == said
    for word in re.finditer(r"\w+", said):
        place = through.in_file(word.span())
        assert read_through(text, *place, markdown=True).text == word.group()
        assert through.in_text(place) == word.span()


def test_plain_text_keeps_its_stars_and_brackets_but_not_its_entities() -> None:
    text = "See [this](x) **now** &amp; <b>here</b>."
    assert read_through(text, 0, len(text), markdown=False).text == "See [this](x) **now** & <b>here</b>."


def test_a_link_holds_no_end_of_a_sentence() -> None:
    article = parse_article(b"# Pier\n\nSee [the plan](https://x.example/a. Z) of Ana. It is *old*.\n", "pier.md")
    sentences = split_sentences(article.text, article.body_start, article.markdown)
    assert [article.read(one.start, one.end) for one in sentences] == ["See the plan of Ana.", "It is old."]


@pytest.mark.parametrize("piece", ["[", "[a", "![a", "<a ", "{{", "&a", "<!--", "](", "[a](b("])
def test_a_mark_that_never_ends_is_text(piece: str) -> None:
    text = piece * 20_000  # if the time grew with the square, this would take hours
    assert read_through(text, 0, len(text), markdown=True).text == text
