"""A question and what is found in it once: words, quoted phrases, names, kind."""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import pairwise

from index.errors import QuestionError
from index.storage.analysis import analyse
from index.storage.rows import Restriction

MAX_QUESTION_CHARS = 2000

_QUOTED = re.compile(r'"([^"]{2,})"|“([^”]{2,})”|„([^“”]{2,})[“”]|«([^»]{2,})»')
_PHRASE_ENDS = " \t\n.,;:!?…"
_PLAIN = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."})

_POINTING = "he her hers him his it its she so that their theirs them then there these they this those"
FUNCTION_WORDS = (
    f"{_POINTING} a about an and any are as at be been being but by can could did do does doing for from had has have "
    "how i if in into is me my no not of on or our shall should some than the to up us was we were what when where "
    "which who whom whose why will with would you your"
)
"""Words that any question can have, whatever it is about. They would match any sentence."""


_FOLLOWING = re.compile(r"(?:and|but|so|or|what about|how about)\b", re.IGNORECASE)
_ASKS = re.compile(r"\b(?:who|whom|whose|what(?! about)|which|when|where|why|how(?! about))\b", re.IGNORECASE)
_FEW_TERMS = 2
"""A question of so few words of its own, and no name, goes on from the one before it."""


class Kind(StrEnum):
    """What a question asks for. Evaluation reports results by kind; answers do not depend on it."""

    DATE = "date"
    NUMBER = "number"
    PERSON = "person"
    PLACE = "place"
    REASON = "reason"
    MANNER = "manner"
    THING = "thing"
    """Anything else."""


_ASKING = {
    **dict.fromkeys(("who", "whom", "whose"), Kind.PERSON),
    "when": Kind.DATE,
    "where": Kind.PLACE,
    "why": Kind.REASON,
}
_HOW_MUCH = frozenset("big deep far fast heavy high large long many much often old tall".split())
_NOUNS = {
    **dict.fromkeys(("year", "day", "date", "month", "time", "century"), Kind.DATE),
    **dict.fromkeys(("city", "country", "place", "state", "town", "village", "region"), Kind.PLACE),
    **dict.fromkeys(("percentage", "percent", "number", "amount", "share", "price", "age"), Kind.NUMBER),
}
_SEVERAL = re.compile(
    r"""\s* list \b
    | \s* name \s (?:the|all|both|two|three|four|five) \s (?:[\w-]+\s){0,2}? [\w-]+[^\Wsui]s \b
    | .* \b (?:what|which) \s (?:are|were) \s the \s (?:[\w-]+\s){0,2}? [\w-]+[^\Wsui]s (?:\s(?:of|in|for|that)\b|\W*$)
    | .* \b (?:what|which) \s (?:two|three|four|five) \s
    | .* \b (?:what|which) \s (?!news\b) [\w-]{2,}[^\Wsuia]s \s (?:are|were|do|did|have|had) \b""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Question:
    """A question with what ``read_question`` finds in it."""

    asked: str
    """The question as it was typed."""
    text: str
    """The question as it is taken: after the earlier ones that it needs to be understood."""
    to_read: str
    """The question as the reader gets it: as typed, if that says what is wanted, and as it is taken otherwise."""
    terms: tuple[str, ...]
    """Distinct words, as the index analyses them, without function words; all words if there are no others."""
    phrases: tuple[str, ...]
    """Its quoted phrases. A sentence must contain all of them."""
    restriction: Restriction
    kind: Kind
    several: bool
    """Whether it asks for more than one answer, such as "Which countries …"."""
    names: tuple[str, ...]
    """Its names and numbers: words with a digit, and capitalised words after the first word."""
    leans_on_another: bool
    """Whether it needs an earlier question, and none was given, such as "And when?" or "Why did he say that?". It has
    no name or phrase, and only function words, or one other word and a word that points back."""


def read_question(
    question: str,
    since: datetime.date | None = None,
    until: datetime.date | None = None,
    source: str | None = None,
    history: Sequence[str] = (),
) -> Question:
    """Check a question and analyse it. Raises QuestionError as ``retrieve`` does."""
    if not isinstance(question, str):
        raise QuestionError(f"A question is text, not {question!r}.")
    for name, day in (("since", since), ("until", until)):
        if day is not None and type(day) is not datetime.date:
            raise QuestionError(f"{name} is {day!r}; give a day, such as datetime.date(2022, 1, 31).")
    text = question.strip()
    if not text:
        raise QuestionError("The question is empty; type what you want to know.")
    if len(text) > MAX_QUESTION_CHARS:
        raise QuestionError(
            f"The question has {len(text):,} characters; ask in at most {MAX_QUESTION_CHARS:,}. "
            "To add an article instead, put it into the library."
        )
    if not _is_text(text + (source or "")):
        raise QuestionError("The question has characters that are not text; type it again in UTF-8.")
    if since and until and since > until:
        raise QuestionError(f"since {since} is later than until {until}; swap the two.")
    restriction = Restriction(since, until, source.strip() or None if source else None)
    asked, needed = text, _needed(text, [turn.strip() for turn in history if turn.strip()])
    text = " ".join([*needed, asked])
    words = analyse(text)
    terms = dict.fromkeys(word for word in words if word not in _analysed(FUNCTION_WORDS))
    return Question(
        asked,
        text,
        asked if _ASKS.search(asked) and _own_words(asked) else text,
        tuple(terms or dict.fromkeys(words)),
        _phrases(asked),
        restriction,
        kind=_kind(asked),
        several=_SEVERAL.match(asked) is not None,
        names=_names(text),
        leans_on_another=not needed and _leans(asked),
    )


def _needed(question: str, history: Sequence[str]) -> list[str]:
    """The earlier questions without which this one is not understood: back to one that stands alone."""
    if not history or not _follows(question):
        return []
    needed = [history[-1]]
    for earlier in reversed(history[:-1]):
        if not _follows(needed[0]):
            break
        needed.insert(0, earlier)
    return needed


def _follows(question: str) -> bool:
    """Whether a question may go on from the one before it. A rule of thumb, asked only where there is one before it."""
    if _FOLLOWING.match(question) or _leans(question):
        return True
    points_back = not _analysed(_POINTING).isdisjoint(analyse(question))
    return not _has_name(question) and (points_back or len(_own_words(question)) <= _FEW_TERMS)


def _leans(question: str) -> bool:
    """Whether a question says nothing of its own: no name, no phrase, at most one word beside one that points back."""
    allowed = 0 if _analysed(_POINTING).isdisjoint(analyse(question)) else 1
    return not (_phrases(question) or _has_name(question)) and len(_own_words(question)) <= allowed


def _own_words(question: str) -> set[str]:
    return {word for word in analyse(question) if word not in _analysed(FUNCTION_WORDS)}


def _has_name(question: str) -> bool:
    return not question.isupper() and any(name not in ("I", "I’m", "I'm") for name in _names(question))


def _phrases(question: str) -> tuple[str, ...]:
    quoted = (next(filter(None, match)).strip(_PHRASE_ENDS) for match in _QUOTED.findall(question))
    return tuple(phrase for phrase in quoted if phrase)


def _kind(text: str) -> Kind:
    """The kind of a question by its first question word and the word after it. A rule of thumb."""
    words: Sequence[str] = re.findall(r"[^\W_]+", text.casefold())
    for word, after in pairwise([*words, ""]):
        if word == "how":
            return Kind.NUMBER if after in _HOW_MUCH else Kind.MANNER
        if word in _ASKING:
            return _ASKING[word]
        if word in ("what", "which"):
            return _NOUNS.get(after.removesuffix("s"), Kind.THING)
    return Kind.THING


def _names(text: str) -> tuple[str, ...]:
    words = [word.strip("\"'“”‘’([)]?!.,;:…") for word in text.split()[1:]]
    return tuple(word for word in words if word[:1].isupper() or any(map(str.isdigit, word)))


def _is_text(text: str) -> bool:
    """Whether text can be written as UTF-8. Bytes of other encodings reach Python as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@cache
def _analysed(words: str) -> frozenset[str]:
    """Words as the index analyses them."""
    return frozenset(analyse(words))


def fold(text: str) -> str:
    """Text in the form in which phrases are compared: case-folded, without accents, with plain quotation marks and
    dashes, and with single spaces."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_PLAIN).casefold())
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).split())


def holds(sentence: str, phrases: tuple[str, ...]) -> bool:
    """Whether a sentence contains every phrase, compared by ``fold``."""
    if not phrases:
        return True
    folded = fold(sentence)
    return all(re.search(rf"(?<!\w){re.escape(fold(phrase))}(?!\w)", folded) for phrase in phrases)
