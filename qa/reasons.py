"""Why nothing is answered, in words that are true of the question that was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from index.storage.analysis import analyse
from qa.question import Question

if TYPE_CHECKING:
    from index.library import Snapshot

NOT_FOUND = "I found no sentence that answers this."
LEANS = "Each question is taken by itself. Say whom or what this one is about, and it can be answered."

_SHOWN = 3
"""Words of the question that a reason names, at most."""


def why_nothing(question: Question, library: Snapshot) -> str:
    """Why not one sentence was found: there are no articles, or none that the restriction or the phrases admit."""
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


def why_not(question: Question, library: Snapshot) -> str:
    """That no sentence was found which answers, and which of the question's words stand in no sentence at all."""
    unknown = _unknown(question, library)
    if not unknown:
        return NOT_FOUND
    *words, last = [f"“{word}”" for word in unknown[:_SHOWN]]
    named = f"{', '.join(words)} or {last}" if words else last
    return f"{NOT_FOUND} No sentence mentions {named}."


def _unknown(question: Question, library: Snapshot) -> list[str]:
    """The question's own words, as they were typed, that the index does not know."""
    terms = set(question.terms)
    words = dict.fromkeys(word.strip("?!.,;:\"'“”‘’()[]…") for word in question.text.split())
    return [word for word in words if terms & set(analyse(word)) and not library.lexical.known(word)]
