"""Which articles a question concerns: for overviews, and for questions for articles themselves."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from index.reading.articles import Article
from index.reading.passages import split_sentences
from index.storage.analysis import analyse
from index.storage.rows import ArticleInfo, Restriction
from qa.days import MONTHS, period
from qa.question import Question, fold
from qa.retriever import Hit, Signals, search

if TYPE_CHECKING:
    from index.library import Snapshot

_LIBRARY_WORDS = (
    "article articles piece pieces story stories text texts report reports coverage clipping timeline summary "
    "summarise summarize overview background know write wrote written author about mention mentions happen "
    "happened tell show find list give many anything everything latest recent news month year become became"
)
"""Words that such questions are made from, whatever the articles are about."""
_SHARE = 0.6
"""Of the highest score, that an article needs to be concerned."""
_SEARCHED = 200
"""Sentences that are looked at."""


def articles_about(question: Question, library: Snapshot, most: int) -> list[Article]:
    """The articles that a question concerns, best first.

    These are the articles of an author whom the question names; otherwise those whose text has most of the question's
    own words, the rare ones counting more; or, if it has none, all of the time that it names. A month or a year in the
    question restricts the articles' dates, unless it comes with a restriction of its own.
    """
    restriction = question.restriction or period(question.text) or Restriction()
    topic = [term for term in question.terms if term not in _analysed(_LIBRARY_WORDS) and not _is_time(term)]
    infos = library.articles()
    by_author = [info for info in infos if _is_by(info, question.names)]
    if by_author or (restriction and not topic):
        infos = by_author or [info for info in infos if _within(info, restriction)]
        return [article for info in infos[:most] if (article := library.article(info.id))]
    best: dict[int, Hit] = {}
    for hit in search(replace(question, restriction=restriction), library, _SEARCHED):
        best.setdefault(hit.article.id or 0, hit)
    idf = library.lexical.idf(topic)
    scored = []
    for hit in best.values():
        words = set(analyse(hit.article.text))
        scored.append((sum(weight for term, weight in idf.items() if term in words), hit))
    highest = max((score for score, _ in scored), default=0.0)
    concerned = [(score, hit) for score, hit in scored if score >= _SHARE * highest > 0]
    concerned.sort(key=lambda pair: -pair[0])  # stable: the search's order among equals
    return [hit.article for _, hit in concerned[:most]]


def _is_by(info: ArticleInfo, names: Sequence[str]) -> bool:
    """Whether an article's author has all the names of a question, of which there must be two."""
    author = fold(info.author or "").split()
    return len(names) > 1 and bool(author) and set(author) <= {fold(name) for name in names}


def _within(info: ArticleInfo, restriction: Restriction) -> bool:
    since, until = restriction.since or datetime.date.min, restriction.until or datetime.date.max
    return info.date is not None and since <= info.date <= until


def lead(article: Article) -> Hit:
    """The first sentence of an article, as a hit: in news it says the most."""
    first = split_sentences(article.text, article.body_start)[0]
    place = (first.start, first.end)
    return Hit(article, *place, 0.0, Signals(0.0, 0.0, 0.0, 0.0, 0.0), place)


def _is_time(term: str) -> bool:
    return term.isdigit() or term in _analysed(" ".join(MONTHS))


@cache
def _analysed(words: str) -> frozenset[str]:
    return frozenset(analyse(words))
