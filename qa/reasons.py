"""Why nothing is answered, in words that are true of the question that was asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qa.question import Question, names_of
from qa.retriever import Hit
from qa.wording import Kind, kind, lacks

if TYPE_CHECKING:
    from index.library import Library

_LEANING = frozenset(
    "a about after again all also an and any are as at be been before but by can could did do does done exactly "
    "far for from go had happen happened happens has have he her hers him his how i if in is it its later long many "
    "may me mean means meant might more much my no not now of often ok okay old on one ones or our please really said "
    "same say says should so some tell thank thanks that the their theirs them then there these they this those to "
    "told too us was we went were what when where which who whom whose why will with would yes you your else".split()
)
_PREPOSITIONS = frozenset(
    "above across against along among around behind below beside between beyond despite down during inside into near "
    "off onto out outside over past per since through throughout toward towards under until up upon via within "
    "without".split()
)
_ASKING = frozenset(
    "are can did do does had has have how is was were what when where which who whom whose why will".split()
)


def leans_on_another(question: str) -> bool:
    """Whether a question has no subject of its own, such as "and when?" or "why did he say that?"."""
    if question.count('"') > 1 or "“" in question or (_is_named(question) and not question.isupper()):
        return False
    words = [word for word in _words(question) if word]
    return bool(words) and len(words) < 9 and all(word in _LEANING for word in words) and bool(_ASKING & set(words))


def _is_named(question: str) -> bool:
    """Whether a word after the first has a capital: the US, the WHO and Theresa May are subjects."""
    return any(name not in ("I", "I’m", "I'm") for name in names_of(question))


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text.casefold().replace("’s", "").replace("'s", "")).split()


def why_nothing(question: Question, library: Library) -> str:
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


def why_not(question: Question, hits: Sequence[Hit], library: Library) -> str:
    """Why the best of the nearest sentences is not shown as an answer: what it lacks, or what no sentence mentions."""
    content = _content_words(question, library)
    if not content:
        return "The articles do not say. The question has no word of its own to look for."
    unknown = [word for word in content if not library.lexical.known(word)]
    if unknown:
        return f"The articles do not say. No sentence mentions {_quoted(unknown)}."
    missing = _missing(content, question, hits[0], library)
    there = [word for word in content if word not in missing]
    if missing:
        speaks = f"speaks of {_quoted(there)}, but " if there else ""
        return f"The articles do not say. The nearest sentence {speaks}has nothing about {_quoted(missing)}."
    wanted = kind(question.text)
    if wanted is Kind.THING:
        return f"The articles do not say. They speak of {_quoted(there)}, but no sentence seems to answer."
    shows, spoken = _SHOWS.get(wanted), _quoted(there)
    if shows and not any(shows.search(hit.text) for hit in hits):
        return f"The articles do not say. They speak of {spoken}, but the nearest sentences give no {lacks(wanted)}."
    return f"The articles do not say. They speak of {spoken}, but give no {lacks(wanted)} that answers."


_SHOWS = {
    Kind.DATE: re.compile(
        r"\d|day\b|month|year|week|today|yesterday|tomorrow|morning|night|noon|evening|january|february|march|april"
        r"|\bmay\b|june|july|august|september|october|november|december",
        re.IGNORECASE,
    ),
    Kind.NUMBER: re.compile(
        r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|\w+ty|hundred|thousand|million"
        r"|billion|dozen|half|third|quarter|twice|several|few|many)",
        re.IGNORECASE,
    ),
}
"""What a sentence shows if it may give a date, or a number; of other kinds no pattern tells."""


def _quoted(words: Sequence[str]) -> str:
    """At most three words, each between quotation marks."""
    marked = [f"“{word}”" for word in words[:3]]
    return ", ".join(marked[:-1]) + " and " + marked[-1] if len(marked) > 1 else "".join(marked)


def _content_words(question: Question, library: Library) -> list[str]:
    """The question's meaningful words as they were typed, each once."""
    terms = set(question.terms)
    words = dict.fromkeys(word for word in question.text.replace("’", "'").split())
    cleaned = [word.strip("?!.,;:\"'“”()[]…") for word in words]
    content = [word for word in cleaned if word and word.casefold() not in _LEANING | _PREPOSITIONS]
    return [word for word in content if terms & set(library.lexical.terms(word))]


def _missing(content: Sequence[str], question: Question, best: Hit, library: Library) -> list[str]:
    """The question's meaningful words that stand neither in the best sentence nor in its passage, rarest first."""
    start, end = best.passage
    present = set(library.lexical.terms(best.article.text[start:end]))
    idf = library.lexical.idf(question.terms)
    missing = []
    for word in content:
        terms = library.lexical.terms(word)
        if not present & set(terms):
            missing.append((-max(idf.get(term, 0.0) for term in terms), word))
    return [word for _, word in sorted(missing)]
