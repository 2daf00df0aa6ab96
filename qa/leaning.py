"""Whether a sentence leans on the one before it, as one that begins with "He" does."""

from __future__ import annotations

import re
from collections.abc import Sequence

from qa.spans import SAYING, Span

_WORD = re.compile(r"\w[\w\u0300-\u036f]*(?:['’-]\w+)*")
_POINTING_BACK = frozenset("he she they him them his her hers their theirs its such latter two pair duo same".split())
_SPEAKING = frozenset("i we you our my me us".split())
_CONNECTING = frozenset("but and so yet or then still however also instead meanwhile".split())
_BEFORE_POINTING = frozenset(
    "after among at because before between by despite during for from in like of on since to under unlike until with "
    "without".split()
)
_TIMES = frozenset(
    "days week weeks month months year years morning afternoon evening spring summer autumn winter season weekend "
    "time decade century monday tuesday wednesday thursday friday saturday sunday january february march april may "
    "june july august september october november december christmas easter".split()
)
_CLAUSE_SUBJECTS = frozenset("a an he it she the they who whose in with from at without".split())
_NOT_EMPTY = frozenset("about able close due going home likely next open sent set subject unlikely".split())
"""Between "it is" and "to": "It is due to open" says of something that it opens, "It is hard to tell" does not."""


def leans(text: str, sentence: Span) -> bool:
    """Whether a sentence is not understood without the one before it.

    It begins with what points back, such as "He", "That plan" or "The two", or quotes someone whom it does not name.
    """
    said = text[sentence[0] : sentence[1]]
    words = [word.group() for word in _WORD.finditer(said)]
    while words and words[0].casefold() in _CONNECTING:
        words = words[1:]
    if not words:
        return False
    outside = re.sub(r"“[^”]*”?|\"[^\"]*\"?", " ", said)
    saying = re.search(SAYING, outside)
    unnamed = saying and re.search(r"\b(?:he|she|they|we|I)\s+(?:\w+\s+)?$", outside[: saying.start()], re.IGNORECASE)
    if said.lstrip()[:1] in '"“‘«':
        pointing = words[0].casefold() in _SPEAKING or _points_back(words)
        return bool(unnamed) if saying else pointing
    if words[0].casefold() in _SPEAKING:
        return not saying or bool(unnamed)
    return _points_back(words)


def _points_back(words: Sequence[str]) -> bool:
    """Whether the first words stand for something named before."""
    first, second, third = [*(re.split("['’]", word)[0].casefold() for word in words[:3]), "", "", ""][:3]
    if first in _BEFORE_POINTING and second in ("that", "this", "these", "those", "it", "them", "him", "then"):
        return second == "then" or (second == "that" and first != "in") or _points_back(words[1:])
    if second in ("majesty", "holiness", "royal"):
        return False
    if first in ("this", "these"):
        return second not in _TIMES and third not in _TIMES
    if first in ("that", "those"):
        return second not in _CLAUSE_SUBJECTS and not (first == "those" and second.endswith(("ed", "ing")))
    if first == "both":
        named = second == "the" or "".join(words[1:2])[:1].isupper()
        return not (named and "and" in words[2:7])  # "Both Serbia and Kosovo"
    if first == "the":
        return second in _POINTING_BACK or (second == "former" and third in ("is", "was", "has", "had", "will", "said"))
    if first == "it":
        return not _is_empty(words)
    return first in _POINTING_BACK and first not in ("two", "pair", "duo", "same", "latter")


def _is_empty(words: Sequence[str]) -> bool:
    """Whether "It" stands for what the sentence itself says, as in "It is hard to say" or "It was Kurti who said"."""
    verbs = ("is", "was", "will", "would", "has", "remains", "seems", "takes", "took")
    if words[0].casefold() == "it" and "".join(words[1:2]) not in verbs:
        return False
    for word, after in zip(words[1:7], [*words[2:8], ""], strict=False):
        if word in ("that", "whether", "who", "how", "why"):
            return True
        if word == "to":
            return after.islower() and after not in ("the", "a", "an", "his", "her", "its", "their")
        if word in _NOT_EMPTY or word.endswith("ed"):
            return False
    return False
