"""A question taken apart: its words as the index analyses them, the phrases it quotes, where to look."""

from __future__ import annotations

import datetime
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from index.errors import QuestionError
from index.storage.rows import Restriction

if TYPE_CHECKING:
    from index.library import Library
    from index.storage.lexical import Lexical

MAX_QUESTION_CHARS = 2000

_QUOTED = re.compile(r'"([^"]{2,})"|“([^”]{2,})”|„([^“”]{2,})[“”]|«([^»]{2,})»')
_PHRASE_ENDS = " \t\n.,;:!?…"
_PLAIN = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."})


@dataclass(frozen=True, slots=True)
class Question:
    """A question taken apart: its words as the index analyses them, and the phrases it quotes."""

    text: str
    terms: tuple[str, ...]
    """Distinct analysed words that carry meaning; all words, if none does."""
    phrases: tuple[str, ...]
    restriction: Restriction


def read_question(
    question: str,
    library: Library,
    since: datetime.date | None = None,
    until: datetime.date | None = None,
    source: str | None = None,
) -> Question:
    """Check a question and take it apart. Raises QuestionError as ``retrieve`` does."""
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
        raise QuestionError("The question holds characters that are no text; type it again in UTF-8.")
    if since and until and since > until:
        raise QuestionError(f"No day is both since {since} and until {until}; swap the two.")
    phrases = tuple(next(filter(None, match)).strip(_PHRASE_ENDS) for match in _QUOTED.findall(text))
    words = library.lexical.terms(text)
    idle = _function_words(library.lexical)
    terms = dict.fromkeys(word for word in words if word not in idle) or dict.fromkeys(words)
    restriction = Restriction(since, until, source.strip() or None if source else None)
    return Question(text, tuple(terms), tuple(phrase for phrase in phrases if phrase), restriction)


def names_of(question: str) -> list[str]:
    """The names and numbers in a question: words with a capital letter after the first, or with a digit.

    Questions in lower case show no names.
    """
    words = [word.strip("\"'“”‘’([)]?!.,;:…") for word in question.split()[1:]]
    return [word for word in words if word[:1].isupper() or any(map(str.isdigit, word))]


def fold(text: str) -> str:
    """Text as phrases are compared: without case, accents, kinds of quotation mark, or runs of white space."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_PLAIN).casefold())
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).split())


@lru_cache(maxsize=2)
def _function_words(lexical: Lexical) -> frozenset[str]:
    """The function words as the index analyses them."""
    return frozenset(lexical.terms(FUNCTION_WORDS))


def _is_text(text: str) -> bool:
    """Whether text can be written as UTF-8: bytes of another encoding reach Python as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def holds(sentence: str, phrases: tuple[str, ...]) -> bool:
    """Whether every phrase stands in a sentence, as ``fold`` compares them."""
    if not phrases:
        return True
    folded = fold(sentence)
    return all(re.search(rf"(?<!\w){re.escape(fold(phrase))}(?!\w)", folded) for phrase in phrases)


FUNCTION_WORDS = (
    "a about an and any are as at be been being but by can could did do does doing for from had has have "
    "he her hers him his how i if in into is it its me my no not of on or our shall she should so some than "
    "that the their theirs them then there these they this those to up us was we were what when where which "
    "who whom whose why will with would you your"
)
"""Words that questions are made of whatever they ask about; they would match any sentence."""
