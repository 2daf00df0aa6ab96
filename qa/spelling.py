"""Misspelt words of a question, read as words that the articles have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from index.storage.analysis import analyse
from qa.question import MAX_QUESTION_CHARS, Question, read_question

if TYPE_CHECKING:
    from index.library import Snapshot
    from qa.reader import Reader

_WORD = re.compile(r"[^\W\d_]+(?:[’'][^\W\d_]+)?")
_QUOTED = re.compile(r'"[^"]*"|[“„][^“”]*[“”]|«[^»]*»')
_PART_OF_A_CODE = re.compile(r"[\d_@/-]")
_SHORTEST = 4
"""Letters of the shortest word that may be misspelt: shorter ones have too many neighbours."""
_LONGEST = 40
"""Letters of the longest one."""


def corrected(question: str, library: Snapshot, reader: Reader) -> str:
    """The question with misspelt words replaced by words of the articles.

    A word is misspelt if neither any sentence nor the reader's vocabulary has it, and a word of the articles differs
    from it by one missing or added letter, or by a swap of two. Quoted phrases and codes stay as they are.
    """
    quoted = [match.span() for match in _QUOTED.finditer(question)]
    pieces, last = [], 0
    for match in _WORD.finditer(question):
        word, start, end = match.group(), *match.span()
        beside = question[max(0, start - 1) : start] + question[end : end + 1]
        fixed = _PART_OF_A_CODE.search(beside) or any(low <= start < high for low, high in quoted)
        if not _SHORTEST <= len(word) <= _LONGEST or fixed or reader.knows(word) or library.lexical.known(word):
            continue
        pieces += [question[last:start], _nearest(word, library)]
        last = end
    return "".join([*pieces, question[last:]])


def read_corrected(question: Question, library: Snapshot, reader: Reader, history: Sequence[str] = ()) -> Question:
    """A question as it is read without its misspelt words; the same one if it has none."""
    text, within = corrected(question.asked, library, reader), question.restriction
    if text == question.asked or len(text) > MAX_QUESTION_CHARS:
        return question
    return read_question(text, within.since, within.until, within.source, history)


def _nearest(word: str, library: Snapshot) -> str:
    """The commonest word of the articles that is one slip away from a word, or from it without "s"; or the word."""
    forms = {word.casefold(), word.casefold().removesuffix("s")}
    near: dict[str, str] = {}  # by analysed word, as it is written
    for row in library.store.passage_rows(list(library.lexical.search_similar(analyse(word)[0]))).values():
        article = library.article(row.article)
        for found in _WORD.findall(article.text[row.start : row.end]) if article else ():
            if any(_one_slip(form, found.casefold()) for form in forms):
                near.setdefault("".join(analyse(found)), found)
    idf = library.lexical.idf(near)
    return near[min(near, key=lambda term: idf[term])] if near else word


def _one_slip(first: str, second: str) -> bool:
    """Whether two words begin alike, and one has a letter more than the other, or has two neighbours swapped."""
    if first[:1] != second[:1]:
        return False
    if len(first) == len(second):
        swaps = (first[:at] + first[at + 1] + first[at] + first[at + 2 :] for at in range(len(first) - 1))
        return second in swaps
    longer, shorter = sorted((first, second), key=len, reverse=True)
    return shorter in (longer[:at] + longer[at + 1 :] for at in range(len(longer)))
