"""Which articles a question concerns: for overviews, and for questions for articles themselves."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from index.reading.articles import Article
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
_SHARE = 0.75
"""Of the highest score, that an article needs to be concerned. Chosen with the scores on 24 questions about running
stories (docs/ranking.md)."""
_SEARCHED = 300
"""Sentences that are looked at."""
_WEIGHED = 30
"""The most articles whose titles are compared with the question."""
_LEAD = 12
"""The sentences of an article among which the one that says the most is sought: news begins with it."""
_LATER = 0.02
"""How much less a sentence counts than the one before it."""
_FRAGMENT = 40
"""Characters of a sentence that says too little, such as a dateline."""


def articles_about(question: Question, library: Snapshot, most: int) -> list[Article]:
    """The articles that a question concerns, best first.

    These are the articles of an author whom the question names; otherwise those that are nearest to it, by the share
    of its own words in the text, the rare ones counting more, and by the cosines of the best sentence and the title;
    or, if it has no words of its own, all of the time that it names. A month or a year in the
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
    total, vector = sum(idf.values()) or 1.0, library.encode_question(question.text)
    scored = []
    for hit in best.values():
        words = set(analyse(hit.article.text))
        share = sum(weight for term, weight in idf.items() if term in words) / total
        scored.append((share + max(hit.signals.dense_sentence, hit.signals.dense_passage), hit.article))
    scored.sort(key=lambda pair: -pair[0])  # stable: the search's order among equals
    titled = [
        (score + float(library.encode_question(article.title) @ vector), article)
        for score, article in scored[:_WEIGHED]
    ]
    titled.sort(key=lambda pair: -pair[0])
    return [article for score, article in titled[:most] if score >= _SHARE * titled[0][0]]


def _is_by(info: ArticleInfo, names: Sequence[str]) -> bool:
    """Whether an article's author has all the names of a question, of which there must be two."""
    author = fold(info.author or "").split()
    return len(names) > 1 and bool(author) and set(author) <= {fold(name) for name in names}


def _within(info: ArticleInfo, restriction: Restriction) -> bool:
    since, until = restriction.since or datetime.date.min, restriction.until or datetime.date.max
    return info.date is not None and since <= info.date <= until


def lead(article: Article, question: Question, library: Snapshot) -> Hit | None:
    """The sentence that sums up a stored article best: an early one that is near to the title and to the question."""
    passages = library.store.passages_of(article.id or 0)
    rows, vectors = library.store.sentences_of(passages)
    if not rows:
        return None  # removed a moment ago
    wanted = library.encode_question(article.title) + library.encode_question(question.text) / 2
    scores = vectors[:_LEAD] @ wanted - _LATER * np.arange(len(rows))[:_LEAD]
    scores -= [row.end - row.start < _FRAGMENT for row in rows[:_LEAD]]
    at = int(scores.argmax())
    place = (rows[at].start, rows[at].end)
    return Hit(article, *place, float(scores[at]), Signals(0.0, 0.0, 0.0, 0.0, 0.0), place)


def _is_time(term: str) -> bool:
    return term.isdigit() or term in _analysed(" ".join(MONTHS))


@cache
def _analysed(words: str) -> frozenset[str]:
    return frozenset(analyse(words))
