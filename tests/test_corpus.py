"""The sample articles: enough of them, in the header forms they promise, dated, sourced, and of an article's length."""

from __future__ import annotations

from collections import Counter

import pytest

from index.reading.articles import Article, read_article
from index.reading.files import scan
from tests.running import ROOT

CORPUS = ROOT / "corpus"
ARTICLES = [read_article(CORPUS / name, name) for name in scan(CORPUS)]


def test_there_are_enough_and_stories_go_on() -> None:
    assert len(ARTICLES) >= 40
    assert len({article.text for article in ARTICLES}) == len(ARTICLES)
    told_twice = [day for day, count in Counter(article.date for article in ARTICLES).items() if count > 1]
    assert len(told_twice) >= 5
    assert len([article for article in ARTICLES if "plates" in article.title.casefold()]) >= 3


@pytest.mark.parametrize("article", ARTICLES, ids=[article.path for article in ARTICLES])
def test_an_article_states_what_it_is(article: Article) -> None:
    assert article.warning is None
    assert article.title_end > article.title_start
    assert article.date is not None
    assert article.path.startswith(article.date.isoformat())
    assert article.source in ("Clippings Sample Wire", "Clippings Sample Post")
    body = article.text[article.body_start :]
    assert 250 <= len(body.split()) <= 600
    assert '"' not in body
