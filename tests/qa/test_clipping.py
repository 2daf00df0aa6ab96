"""Clippings: header and passage in one window, and each span of the window found in the article again."""

from __future__ import annotations

import pytest

from index.reading.articles import Article, parse_article
from qa.clipping import BEFORE, MAX_HEADER_CHARS, Clipping, clip
from tests.conftest import BRIDGE

LONG = """\
---
date: 2023-02-24
title: >
  Checking in with the water project
authors:
  - amy-mok
  - emily-read
tags:
  - water
  - agency work
excerpt: >
  At the agency, we like to keep in touch with our partners. We caught up with Emily Read, who leads the branch that
  publishes what the gauges say, and asked her what came of the three years of work that we did together.
---

She has led the branch since 2019. It has 40 people.
"""


def clipping_of(article: Article, *sentences: str) -> Clipping:
    spans = [(article.text.index(one), article.text.index(one) + len(one)) for one in sentences]
    return clip(article, (spans[0][0], spans[-1][1]), spans)


def texts(clipping: Clipping) -> list[str]:
    return [clipping.window.text[start:end] for start, end in clipping.window.sentences]


def test_a_short_header_stands_whole_above_the_passage() -> None:
    article = parse_article(BRIDGE.encode(), "bridge.txt")
    cost, union = "The works cost 3.4 million euros.", "Two thirds of it came from the European Union."
    clipping = clipping_of(article, cost, union)
    header = "date 2022-03-04 Old bridge over the Lim reopens after repairs\nsource: Test Wire"
    before = article.text[article.body_start : article.text.index(cost)].lstrip()
    assert before.startswith("The stone bridge")
    assert clipping.window.text == f"{header}\n{before}{cost} {union}"
    assert texts(clipping) == [*header.split("\n"), cost, union]
    assert clipping.lines == 2
    for start, end in clipping.window.sentences:
        there = clipping.in_article((start, end))
        assert article.text[slice(*there)] == clipping.window.text[start:end]
        assert clipping.in_window(there) == (start, end)


def test_a_long_header_is_cut_to_title_date_and_authors() -> None:
    article = parse_article(LONG.encode(), "water.md")
    clipping = clipping_of(article, "She has led the branch since 2019.")
    kept = [
        "date: 2023-02-24",
        "title: >",
        "Checking in with the water project",
        "authors:",
        "- amy-mok",
        "- emily-read",
    ]
    assert texts(clipping) == [*kept, "She has led the branch since 2019."]
    assert clipping.window.text == "\n".join(texts(clipping))
    start = clipping.window.text.index("- emily-read") + 2
    there = clipping.in_article((start, start + 10))
    assert article.text[slice(*there)] == "emily-read"
    assert there[0] == article.text.index("emily-read")


def test_a_long_header_in_toml_keeps_its_own_names_for_them() -> None:
    lines = ["pubDate = 2023-02-24", 'title = "Water"', 'publisher = "Post"', "authors = [", '  "Ann Lee",']
    left_out = ["]", "lastmod = 2024-01-01", f'excerpt = "{"water " * 50}"', 'link = "https://a.example"']
    head = "\n".join([*lines, *left_out])
    article = parse_article(f"+++\n{head}\n+++\n\nIt has 40 people.\n".encode(), "water.md")
    kept = [line.strip() for line in lines]
    assert texts(clipping_of(article, "It has 40 people.")) == [*kept, "It has 40 people."]


def test_a_span_across_a_border_is_cut_to_where_it_begins() -> None:
    article = parse_article(BRIDGE.encode(), "bridge.txt")
    clipping = clipping_of(article, "The works cost 3.4 million euros.")
    border = clipping.window.text.index("\nThe stone")
    across = border - 4, border + 10
    assert article.text[slice(*clipping.in_article(across))] == "Wire"
    assert article.text[slice(*clipping.in_article((border, border + 4)))] == "The"  # it begins with the line break
    with pytest.raises(ValueError, match="not in the article"):
        clipping.in_article((border, border + 1))
    assert clipping.in_window((article.body_start - 5, article.body_start + 5)) is None
    assert clipping.in_window((len(article.text) - 5, len(article.text))) is None


def test_a_passage_is_read_with_the_words_before_it_but_only_its_own_sentences_may_answer() -> None:
    first = "Anja Brekke has rung the bell of Holm for sixty years. " * 6
    text = f"{first}She lives above the forge."
    clipping = clip(Article(path="holm.txt", text=text), (len(first), len(text)), [(len(first), len(text))])
    before = clipping.window.text.removesuffix("She lives above the forge.")
    assert BEFORE - 20 < len(before) <= BEFORE
    assert first.endswith(before)
    assert first.removesuffix(before).endswith(" ")  # it begins with a whole word
    assert texts(clipping) == ["She lives above the forge."]
    assert clipping.in_article(clipping.window.sentences[0]) == (len(first), len(text))


def test_a_word_longer_than_what_is_read_before_a_passage_is_left_out() -> None:
    text = f"{'x' * 400} It rained."
    clipping = clip(Article(path="rain.txt", text=text), (401, len(text)), [(401, len(text))])
    assert clipping.window.text == "It rained."


def test_an_article_without_a_header_is_its_passage_alone() -> None:
    text = "The ferry Skua sank off Port Ansel. Nobody was hurt."
    clipping = clip(Article(path="ferry.txt", text=text), (0, len(text)), [(0, 35), (36, len(text))])
    assert clipping.window.text == text
    assert (clipping.window.sentences, clipping.lines) == (((0, 35), (36, len(text))), 0)
    assert clipping.in_article((4, 9)) == clipping.in_window((4, 9)) == (4, 9)


@pytest.mark.parametrize("length", [100, MAX_HEADER_CHARS, 1000])
def test_a_title_of_any_length_leaves_the_header_short(length: int) -> None:
    text = f"date 2024-05-01 {'Long ' * (length // 5)}\nsource: Test Wire\n\nThe ferry sank."
    article = parse_article(text.encode(), "long.txt")
    clipping = clipping_of(article, "The ferry sank.")
    assert clipping.window.text.endswith("\nThe ferry sank.")
    assert len(clipping.window.text) <= MAX_HEADER_CHARS + 20
    assert clipping.window.text.startswith("date 2024-05-01 Long")
