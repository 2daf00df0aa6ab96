"""From a question to an answer with its evidence, or to "the articles do not say" and why."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qa.confidence import confidence, features, without_copies
from qa.leaning import leans
from qa.parameters import load_parameters
from qa.quantities import quantity, same_answer
from qa.question import Question, names_of, read_question
from qa.reader import NEARLY, load_reader
from qa.reasons import leans_on_another, why_not, why_nothing
from qa.retriever import Hit, library_to_ask, search
from qa.spans import clause, natural
from qa.wording import Kind, explains, kind

if TYPE_CHECKING:
    from index.library import Library

Span = tuple[int, int]
"""``[start, end)`` in an article's text."""

POOL = 25
"""Hits that the confidence looks at, and that near-copies are dropped from."""
ALIKE = 0.7
"""The least cosine of two sentences that tell of the same thing, so that other figures in them contradict."""

_YEAR = re.compile(r"\b(?:1[89]|20)\d\d\b")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence that answers, and where in its article the exact answer stands."""

    hit: Hit
    start: int
    end: int
    """``hit.article.text[start:end]`` is the exact answer; the whole sentence where no part of it is."""
    more: tuple[Span, ...] = ()
    """Further exact answers in the sentence, where the question asks for several; in the text's order."""
    context: Span | None = None
    """The neighbouring sentence without which this one is not understood, as when it begins with "He"."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the articles say to a question. Not finding anything is an ordinary answer."""

    question: str
    found: bool
    text: str
    """The exact answer, to the letter as in the article; several joined by "; "; empty if not found."""
    confidence: float
    """The estimated probability that the best sentence answers, fitted on questions with and without an answer."""
    evidence: tuple[Evidence, ...]
    """The best sentence first, then others that are no near-copies; empty if not found."""
    nearest: tuple[Hit, ...]
    """If not found: the nearest sentences all the same, answering or not; none if the question leans on another."""
    reason: str
    """If not found: why, in words to show; otherwise empty."""
    undated_excluded: int
    """How many articles of unknown date a date restriction kept out."""
    contradicting: tuple[Evidence, ...] = ()
    """Those of the further evidence, from other articles, that give another answer than the best."""


def answer(
    question: str,
    library: Library | None = None,
    k: int = 5,
    *,
    since: datetime.date | None = None,
    until: datetime.date | None = None,
    source: str | None = None,
) -> Answer:
    """Answer a question from the articles, or say that they do not answer it.

    Args:
        question, library, since, until, source: as for ``qa.retrieve``.
        k: how many pieces of evidence, or of nearest sentences, at most.

    Raises:
        QuestionError, IndexStateError, ModelError: as ``qa.retrieve`` does.
    """
    library = library_to_ask(library)
    asked = read_question(question, library, since, until, source)
    reader = None if leans_on_another(asked.text) else load_reader()  # what is not answered need not be read
    return answer_from(asked, search(asked, library, max(k, POOL) if k > 0 else k, reader), library, k)


def answer_from(asked: Question, found: Sequence[Hit], library: Library, k: int = 5) -> Answer:
    """The answer that the hits of a question give, best first and read; at least ``POOL`` of them if there are."""
    undated = library.store.undated(asked.restriction.source) if asked.restriction.by_date else 0
    if leans_on_another(asked.text):
        reason = (
            "Each question is taken by itself, and this one leans on another: "
            "say whom or what it is about, and it can be answered."
        )
        return Answer(asked.text, False, "", 0.0, (), (), reason, undated)
    hits = without_copies(found[: max(k, POOL)], library, to_the_figure=True)[:k]
    if not hits:
        return Answer(asked.text, False, "", 0.0, (), (), why_nothing(asked, library), undated)
    parameters = load_parameters()
    sure = confidence(features(asked, found[:POOL], library), parameters.confidence)
    if sure < parameters.threshold:
        return Answer(asked.text, False, "", sure, (), tuple(hits), why_not(asked, hits, library), undated)
    wanted = kind(asked.text)
    evidence = tuple(evidence_of(hit, wanted, library, _nearly_as_likely(hit, hits[0])) for hit in hits)
    contradicting = tuple(other for other in evidence[1:] if _contradicts(asked, evidence[0], other, library))
    return Answer(asked.text, True, exact(evidence[0]), sure, evidence, (), "", undated, contradicting)


def evidence_of(hit: Hit, wanted: Kind, library: Library, exactly: bool = True) -> Evidence:
    """A hit with its exact answer in natural bounds, or with all of its sentence, and the sentence that it leans on."""
    text, sentence, id_ = hit.article.text, (hit.start, hit.end), hit.article.id
    context = library.store.sentence_before(id_, hit.start) if id_ is not None and leans(text, sentence) else None
    reading = hit.reading
    if reading is None or not exactly:
        return Evidence(hit, *sentence, context=context)
    span = natural(text, sentence, (reading.start, reading.end), wanted)
    if explains(wanted):
        return Evidence(hit, *clause(text, sentence, span), context=context)
    spans = [span]
    for other in (natural(text, sentence, further, wanted) for further in reading.more):
        if all(other[1] <= start or end <= other[0] for start, end in spans):
            spans.append(other)
    first, *more = sorted(spans)
    return Evidence(hit, *first, tuple(more), context)


def exact(evidence: Evidence) -> str:
    """The exact answer of a piece of evidence in words."""
    text = evidence.hit.article.text
    return "; ".join(text[start:end] for start, end in ((evidence.start, evidence.end), *evidence.more))


def _nearly_as_likely(hit: Hit, best: Hit) -> bool:
    """Whether the reader likes a hit about as much as the best; what it marks in others is a guess, no answer."""
    return hit.reading is not None and best.reading is not None and hit.reading.score >= best.reading.score - NEARLY


def _contradicts(asked: Question, best: Evidence, other: Evidence, library: Library) -> bool:
    """Whether another article gives another figure or year for the same, and the reader likes it nearly as much."""
    article = other.hit.article
    if article.id == best.hit.article.id or not _nearly_as_likely(other.hit, best.hit):
        return False
    if not _differ(exact(best), exact(other)):
        return False
    names = set(library.lexical.terms(" ".join(names_of(asked.text))))
    if not names <= set(library.lexical.terms(article.text)):
        return False
    one, another = library.encoder.encode_questions([best.hit.text, other.hit.text])
    return float(one @ another) >= ALIKE


def _differ(one: str, other: str) -> bool:
    """Whether two answers are figures of the same unit, or name years, and exclude each other."""
    if same_answer(one, other):
        return False
    figures = quantity(one), quantity(other)
    if figures[0] and figures[1]:
        return figures[0][1] == figures[1][1]
    years = set(_YEAR.findall(one)), set(_YEAR.findall(other))
    return bool(years[0] and years[1]) and not years[0] & years[1]
