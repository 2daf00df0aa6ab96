"""The bounds of an exact answer: whole words, dates and quantities, and pairs of quotation marks.

Spans are ``[start, end)`` in characters of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

Span = tuple[int, int]
"""``[start, end)`` in a text."""

_AROUND = 300
"""How many characters on either side of a span are considered. A sentence may be very long."""
_LONGEST_NAME = 3
"""The most words of a name. More capitalised words in a row are a headline, or a title before a name."""

_WORD = re.compile(r"(?:[^\s–—…]|(?<=\d)–(?=\d))+")
"""Text between white space, dashes and ellipses. So addresses, @names and codes such as C++ stay whole."""
_EDGES = " \n\u00a0।。、\"'“”„‘’«»()[]{}<>.,;:!?*-"
"""Characters at the ends of a word that are not part of it."""
_PAIRS = (("“", "”"), ("‘", "’"), ("«", "»"), ("(", ")"), ("[", "]"), ('"', '"'))


def _any(words: str) -> str:
    return f"(?:{'|'.join(words.split())})"


_S = r"[ \n\u00a0]"
_SPELT = _any(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety half"
)
_SCALE = _any("dozen hundred thousand million billion trillion bn mn m k thirds? quarters? fifths? tenths?")
_UNIT = _any(
    r"per\scent percent % ‰ °[CF]? € euros? dollars? cents? pounds? pence francs? rou?bles? dinars? yen yuan rupees? "
    r"(?:kilo|centi|milli)?met(?:re|er)s? miles? feet foot inch(?:es)? yards? km/h [km]ph km²? [cm]?m acres? "
    r"hectares? ha (?:kilo|milli)?grams? kilos? kg tonnes? tons? barrels? lit(?:re|er)s? [kMG]Wh? "
    r"(?:kilo|mega|giga)?watts? degrees(?:\s(?:Celsius|Fahrenheit))? "
    r"seconds? minutes? hours? days? nights? weeks? months? years? decades? centur(?:y|ies)"
)
_QUANTITY = (
    rf"(?:[-−]?(?:\b[A-Z]{{1,3}})?[$€£¥]{_S}?\d+(?:[.,]\d+)*|(?<![\w.,])[-−]?\d+(?:[.,]\d+)*"
    rf"|\b(?i:an?(?={_S}{_SCALE}\b)|{_SPELT}(?:-{_SPELT})?)(?!\w))(?:(?:{_S}|-)?(?:an?{_S})?{_SCALE}\b)*"
    rf"(?:(?:{_S}|-)?(?:(?:square|cubic){_S})?{_UNIT}(?!\w))?(?:{_S}(?:an?|per){_S}{_UNIT}(?!\w))?(?:{_S}(?:ago|old)\b)?"
)
_YEAR = r"(?:1\d|20)\d\d\b(?![.,]\d)"
_MONTH = rf"{_any('January February March April May June July August September October November December')}\b"
_WEEKDAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b"
_IN_MONTH = rf"(?:{_MONTH}|{_any('Jan Feb Mar Apr Jun Jul Aug Sept? Oct Nov Dec')}\b\.?)"
_DAYS = r"\d{1,2}(?:st|nd|rd|th)?(?:[-–]\d{1,2})?\b(?![:.,]\d)"
_DATE = (
    rf"\b(?:{_WEEKDAY},?{_S})?(?:{_DAYS}{_S}(?:of{_S})?{_IN_MONTH}|{_IN_MONTH}{_S}{_DAYS})(?:,?{_S}{_YEAR})?"
    rf"|\b(?:{_MONTH}|(?i:spring|summer|autumn|winter)){_S}(?:of{_S})?(?:{_YEAR}|(?:last|this|next){_S}year\b)"
)
_CLOCK = (
    rf"\b\d{{1,2}}(?:[:.]\d\d)?(?:{_S}?(?:[ap]\.m\.?|[AaPp][Mm]\b|o[’']clock\b)|(?={_S}(?:GMT|UTC)))"
    rf"(?:{_S}(?:GMT|UTC|BST|CES?T|E[SD]T)\b)?"
)
_WHOLE = re.compile(f"{_DATE}|{_CLOCK}|{_QUANTITY}")
"""A date, time or quantity, which a span must not cut."""
_DAY = re.compile(f"{_WEEKDAY}|{_MONTH}")

_LEANING = re.compile(
    r"\W*(?:(?:and|but|so|then|yet|still|however)\W+)?(?:the\s(?:two|three|latter|pair|same)|s?he|it|they|him|his"
    r"|hers?|its|their|this|that|these|those|such|both)(?![\w-])",
    re.IGNORECASE,
)


def complete(text: str, sentence: Span, span: Span) -> Span:
    """The span, widened within its sentence so that it does not cut a word, date, time or quantity.

    A single capitalised word is extended to the whole name. Punctuation at the ends is dropped. Quotation marks and
    brackets are kept only in pairs. A span without a word becomes the whole sentence.
    """
    low, high = max(sentence[0], span[0] - _AROUND), min(sentence[1], span[1] + _AROUND)
    start, end = max(span[0], low), min(span[1], high)
    words = list(_words(text, low, high, end))
    wholes = [match.span() for match in _WHOLE.finditer(text, low, high)]
    touched = [(first, last) for first, last in [*words, *wholes] if first < end and last > start]
    if start >= end or not touched:
        return sentence
    if len(touched) == 1 and touched[0] in words:
        touched = _name(text, words, words.index(touched[0]))
    widened = min(first for first, _ in touched), max(last for _, last in touched)
    return _in_pairs(text, sentence, widened, (start, end))


def leans(text: str, sentence: Span) -> bool:
    """Whether a sentence begins with a word that points back, such as "He", "That plan" or "The two"."""
    return _LEANING.match(text, *sentence) is not None


def _words(text: str, low: int, high: int, wanted: int) -> Iterator[Span]:
    """The words in ``text[low:high]``, without punctuation around them. An ’s from ``wanted`` on is left out."""
    for match in _WORD.finditer(text, low, high):
        word = match.group().lstrip(_EDGES)
        kept = word.rstrip(_EDGES)
        if re.fullmatch(r"(?:[^\W\d_]\.)+[^\W\d_]", kept) and word[len(kept) :].startswith("."):
            kept += "."  # U.S.
        start = match.end() - len(word)
        end = start + len(kept)
        if kept.endswith(("’s", "'s")) and start < wanted <= end - 2:
            end -= 2
        if start < end:
            yield start, end


def _name(text: str, words: Sequence[Span], at: int) -> list[Span]:
    """The word, and the words beside it that belong to the same name, such as "Ana" beside "Vukić"."""
    first = last = at
    while first > 1 and _joined(text, words[first - 1], words[first]):  # the first word of a sentence is capitalised
        first -= 1
    while last + 1 < len(words) and _joined(text, words[last], words[last + 1]):
        last += 1
    return list(words[first : last + 1]) if last - first < _LONGEST_NAME else [words[at]]


def _joined(text: str, first: Span, second: Span) -> bool:
    """Whether two neighbouring words are capitalised and neither is a month or a weekday."""
    both = text[slice(*first)], text[slice(*second)]
    return text[first[1] : second[0]] in (" ", "\n", ". ") and all(
        word[0].isupper() and not _DAY.fullmatch(word) for word in both
    )


def _in_pairs(text: str, sentence: Span, span: Span, given: Span) -> Span:
    """The span with quotation marks and brackets in pairs only.

    If the missing half is directly beside the span, it is added. Otherwise the span is cut at the single half, and the
    side with more of ``given`` is kept. With several single halves, cutting could lose the answer, so the span stays as
    it is. A pair directly around the span is added if ``given`` included one of its halves.
    """
    (start, end), cut = span, False
    for opening, closing in _PAIRS:
        lone = _lone(text, start, end, opening, closing)
        before = start > sentence[0] and text[start - 1] == opening
        behind = end < sentence[1] and text[end] == closing
        if not lone and before and behind and (given[0] < start or given[1] > end):
            start, end = start - 1, end + 1
        while lone and text[lone[-1]] == opening and end < sentence[1] and text[end] == closing:
            lone.pop()
            end += 1
        while lone and text[lone[0]] == closing and start > sentence[0] and text[start - 1] == opening:
            lone.pop(0)
            start -= 1
        if len(lone) + cut > 1:
            return span
        if lone:
            cut = True
            sides = (start, lone[0]), (lone[0] + 1, end)
            start, end = max(sides, key=lambda side: min(side[1], given[1]) - max(side[0], given[0]))
            start, end = end - len(text[start:end].lstrip(_EDGES)), start + len(text[start:end].rstrip(_EDGES))
    return start, end


def _lone(text: str, start: int, end: int, opening: str, closing: str) -> list[int]:
    """Positions of halves without their other half. A ’ without a ‘ is an apostrophe."""
    opened: list[int] = []
    closed: list[int] = []
    for at in range(start, end):
        if text[at] == closing and opened:
            opened.pop()
        elif text[at] == opening:
            opened.append(at)
        elif text[at] == closing and closing != "’":
            closed.append(at)
    return closed + opened
