"""From ranked sentences to an answer with its evidence, or to "the articles do not say" and why."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from qa.parameters import load_parameters
from qa.retriever import Hit, Question, library_to_ask, read_question, search

if TYPE_CHECKING:
    from index.library import Library

NEAR_COPY = 0.7
"""Two sentences sharing this part of their words (Jaccard) tell the same; the lower one is left out."""

POOL = 25
"""Hits that the confidence looks at, and that near-copies are dropped from."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence that answers, and where in its article the exact answer stands."""

    hit: Hit
    start: int
    end: int
    """``hit.article.text[start:end]`` is the exact answer; at this stage the whole sentence."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the articles say to a question. Not finding anything is an ordinary answer."""

    question: str
    found: bool
    text: str
    """The exact answer, to the letter as in the article; empty if not found."""
    confidence: float
    """The estimated probability that the best sentence is the right one, fitted on held questions."""
    evidence: tuple[Evidence, ...]
    """The best sentence first, then others that are no near-copies; empty if not found."""
    nearest: tuple[Hit, ...]
    """If not found: the nearest sentences all the same, answering or not."""
    reason: str
    """If not found: why, in words to show; otherwise empty."""
    undated_excluded: int
    """How many articles of unknown date a date restriction kept out."""


@dataclass(frozen=True, slots=True)
class Features:
    """What the confidence is computed from: raw quantities that mean the same for every question."""

    cosine: float
    """Of the question and the best sentence."""
    passage_cosine: float
    """Of the question and that sentence's passage."""
    highest_cosine: float
    """Of the question and any sentence found."""
    matched: float
    """The share of the question's idf weight whose words stand in the best sentence."""
    passage_matched: float
    """The same for its passage."""
    names: float
    """The share of the question's names and numbers that stand in the article; 1 if it has none."""
    margin: float
    """How far the fused score is above that of the next sentence that is no near-copy."""
    best: float
    """The fused score."""


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
    undated = library.store.undated(asked.restriction.source) if asked.restriction.by_date else 0
    found = search(asked, library, max(k, POOL) if k > 0 else k)
    hits = without_copies(found, library)[:k]
    if leans_on_another(question):
        reason = (
            "Each question is taken by itself, and this one leans on another: "
            "say whom or what it is about, and it can be answered."
        )
        return Answer(asked.text, False, "", 0.0, (), tuple(hits), reason, undated)
    if not hits:
        return Answer(asked.text, False, "", 0.0, (), (), _why_nothing(asked, library), undated)
    parameters = load_parameters()
    sure = confidence(features(asked, found[:POOL], library), parameters.confidence)
    if sure < parameters.threshold:
        return Answer(asked.text, False, "", sure, (), tuple(hits), _why_not(asked, hits[0], library), undated)
    evidence = tuple(Evidence(hit, hit.start, hit.end) for hit in hits)
    return Answer(asked.text, True, hits[0].text, sure, evidence, (), "", undated)


def features(question: Question, hits: Sequence[Hit], library: Library) -> Features:
    """The raw quantities behind the confidence, of at least one hit, best first."""
    best = hits[0]
    idf = library.lexical.idf(question.terms)
    start, end = best.passage
    others = without_copies(hits, library)
    return Features(
        cosine=best.signals.dense_sentence,
        passage_cosine=best.signals.dense_passage,
        highest_cosine=max(hit.signals.dense_sentence for hit in hits),
        matched=_matched(idf, library.lexical.terms(best.text)),
        passage_matched=_matched(idf, library.lexical.terms(best.article.text[start:end])),
        names=_names_in(question, best, library),
        margin=best.score - others[1].score if len(others) > 1 else 0.0,
        best=best.score,
    )


def confidence(found: Features, weights: dict[str, float]) -> float:
    """The logistic of the weighted features; weights by feature name, and ``bias``."""
    total = weights["bias"] + sum(weights[f.name] * getattr(found, f.name) for f in fields(found))
    return 1 / (1 + math.exp(-total))


def without_copies(hits: Sequence[Hit], library: Library) -> list[Hit]:
    """The hits without those that tell, in nearly the same words, what a better one tells."""
    kept: list[tuple[Hit, frozenset[str]]] = []
    for hit in hits:
        words = frozenset(library.lexical.terms(hit.text))
        if all(len(words & other) < NEAR_COPY * len(words | other) for _, other in kept):
            kept.append((hit, words))
    return [hit for hit, _ in kept]


_LEANING = frozenset(
    "a about after again all also an and any are as at be been before but by can could did do does done exactly "
    "far for from go had happen happened happens has have he her hers him his how i if in is it its later long many "
    "may me mean means meant might more much my no not now of often ok okay old on one ones or our please really said "
    "same say says should so some tell thank thanks that the their theirs them then there these they this those to "
    "told too us was we went were what when where which who whom whose why will with would yes you your else".split()
)
_ASKING = frozenset(
    "are can did do does had has have how is was were what when where which who whom whose why will".split()
)


def leans_on_another(question: str) -> bool:
    """Whether a question has no subject of its own, such as "and when?" or "why did he say that?"."""
    words = [word for word in _words(question) if word]
    if words[:1] in (["and"], ["but"]):
        return True
    return bool(words) and len(words) < 9 and all(word in _LEANING for word in words) and bool(_ASKING & set(words))


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text.casefold().replace("’s", "").replace("'s", "")).split()


def _matched(idf: dict[str, float], words: Sequence[str]) -> float:
    total = sum(idf.values())
    present = set(words)
    return sum(weight for term, weight in idf.items() if term in present) / total if total else 0.0


def _names_in(question: Question, best: Hit, library: Library) -> float:
    """Names are words with a capital letter after the first word; lower-case questions show none."""
    shown = [
        word for word in question.text.split()[1:] if word.strip("\"'“‘([")[:1].isupper() or any(map(str.isdigit, word))
    ]
    names = {term for word in shown for term in library.lexical.terms(word)} & set(question.terms)
    if not names:
        return 1.0
    return len(names & set(library.lexical.terms(best.article.text))) / len(names)


def _why_nothing(question: Question, library: Library) -> str:
    """Why not one sentence was found: no articles, or none that the restriction or the phrases admit."""
    restriction = question.restriction
    if not library.store.counts()[0]:
        return "There are no articles yet. Add the first one, and ask again."
    if restriction and not len(library.store.passage_ids(restriction)):
        said = []
        if restriction.source is not None:
            said.append(f"from the source {restriction.source}")
        if restriction.since is not None:
            said.append(f"dated {restriction.since} or later")
        if restriction.until is not None:
            said.append(f"dated {restriction.until} or earlier")
        reason = f"No article is {' and '.join(said)}."
        sources = library.sources()
        if restriction.source is not None and sources and not restriction.by_date:
            reason += f" Sources that the articles name: {', '.join(sources[:8])}."
        return reason
    if question.phrases:
        quoted = " and ".join(f"“{phrase}”" for phrase in question.phrases)
        return f"No sentence holds {quoted}. Without the quotation marks the words may stand apart."
    return "No sentence has anything to do with this question."


def _why_not(question: Question, best: Hit, library: Library) -> str:
    """Why the best sentence is not shown as an answer, in words that are true of this question."""
    unknown = [word for word in _content_words(question, library) if not library.lexical.known(word)]
    if unknown:
        named = ", ".join(f"“{word}”" for word in unknown[:3])
        return f"The articles do not say. No sentence mentions {named}."
    missing = _missing(question, best, library)
    if missing:
        named = ", ".join(f"“{word}”" for word in missing[:3])
        return f"The articles do not say. The nearest sentence has nothing about {named}."
    return "The articles do not say. Sentences share words with the question, but none seems to answer it."


def _content_words(question: Question, library: Library) -> list[str]:
    """The question's meaningful words as they were typed, each once."""
    terms = set(question.terms)
    words = dict.fromkeys(word for word in question.text.replace("’", "'").split())
    cleaned = [word.strip("?!.,;:\"'“”()[]…") for word in words]
    content = [word for word in cleaned if word and word.casefold() not in _LEANING]
    return [word for word in content if terms & set(library.lexical.terms(word))]


def _missing(question: Question, best: Hit, library: Library) -> list[str]:
    """The question's words that stand neither in the best sentence nor in its passage, rarest first."""
    start, end = best.passage
    present = set(library.lexical.terms(best.article.text[start:end]))
    idf = library.lexical.idf(question.terms)
    missing = []
    for word in _content_words(question, library):
        terms = library.lexical.terms(word)
        if not present & set(terms):
            missing.append((-max(idf.get(term, 0.0) for term in terms), word))
    return [word for _, word in sorted(missing)]
