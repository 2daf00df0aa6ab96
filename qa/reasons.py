"""The reasons for not answering, as messages that fit the question."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from index.storage.analysis import analyse
from index.storage.rows import Restriction
from qa.question import Question

if TYPE_CHECKING:
    from index.library import Snapshot

NOT_FOUND = "I found no sentence that answers this."
LEANS = "Each question is answered on its own. Say whom or what this one is about, and ask again."

NOT_SURE = "I am not sure. One of these sentences may answer it."
TALK = (
    "I look for answers in your articles, and show the sentence that says so. Ask who, what, when, where, why or how "
    "many; ask for a timeline or a summary of a story; or ask which articles are about something."
)
_CODE = re.compile(r"(?<![\w-])[A-Z]{1,5}(?:-\d+|\d{2,})[\w-]*")
_SHOWN = 3
"""The most words of the question that a reason names."""


def why_nothing(question: Question, library: Snapshot) -> str:
    """Why no sentence was found at all: no articles, none within the restriction, or none with the phrases."""
    restriction = question.restriction
    if not library.store.counts()[0]:
        return "There are no articles yet. Add the first one, and ask again."
    if restriction and not len(library.store.passage_ids(restriction)):
        conditions = []
        if restriction.source is not None:
            conditions.append(f"from the source {restriction.source}")
        if restriction.since is not None:
            conditions.append(f"dated {restriction.since} or later")
        if restriction.until is not None:
            conditions.append(f"dated {restriction.until} or earlier")
        reason = f"No article is {' and '.join(conditions)}."
        sources = library.sources()
        if restriction.source is not None and sources and not restriction.by_date:
            reason += f" Sources in the library: {', '.join(sources[:8])}."
        return reason
    if question.phrases:
        quoted = " and ".join(f"“{phrase}”" for phrase in question.phrases)
        return f"No sentence contains {quoted}. Without the quotation marks, the words need not be together."
    return "No sentence has anything to do with this question."


def why_not(question: Question, library: Snapshot) -> str:
    """The reason for an answer that was not found, with the question's words that are in no sentence at all."""
    unknown = _unknown(question, library)
    if not unknown:
        return NOT_FOUND
    *words, last = [f"“{word}”" for word in unknown[:_SHOWN]]
    named = f"{', '.join(words)} or {last}" if words else last
    return f"{NOT_FOUND} No sentence mentions {named}."


def missing_codes(question: Question, library: Snapshot) -> list[str]:
    """The question's codes, such as KL-820, that stand in no sentence. Their neighbours are no answer."""
    codes = dict.fromkeys(_CODE.findall(question.text))
    return [code for code in codes if not library.lexical.search_phrases([code], 1, Restriction())]


def _unknown(question: Question, library: Snapshot) -> list[str]:
    """The question's words, as typed, that are in no sentence."""
    terms = set(question.terms)
    words = dict.fromkeys(word.strip("?!.,;:\"'“”‘’()[]…") for word in question.text.split())
    codes = missing_codes(question, library)
    return [word for word in words if word in codes or (terms & set(analyse(word)) and not library.lexical.known(word))]
