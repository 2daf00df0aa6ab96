"""An exact answer in its natural bounds, and the clause around it.

Spans are ``[start, end)`` in characters of the text. What is given beyond the sentence does not count.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from qa.quantities import NUMBER_WORDS, QUANTITY
from qa.wording import Kind

Span = tuple[int, int]

_S = r"[ \n\u00a0]"
_MARKS = r"\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0dff\u0e31-\u0e4e"
_CHARS = rf"[\w{_MARKS}&]+"  # accents and vowel signs may be characters of their own
_WORD = re.compile(
    r"(?:[^\W\d_]\.){2,}"
    r"|(?:Mrs?|Ms|Dr|St|Jr|Sr|Inc|Ltd|Corp|Gen|Col|Sgt|Prof|Rev|Sen|Rep|Gov|Mt|Ft)\.|[A-Z]\.(?=[ -]?[A-Z])"
    rf"|{_CHARS}(?:(?:['’](?!s\b)|[‐‑-]|(?<=\d)[.,:–/](?=\d)){_CHARS})*(?P<own>['’]s\b)?"
)
"""An answer may end before the ``own`` of a word: in “Kurti’s government”, “Kurti” is an answer."""

_YEAR = r"(?:1\d|20)\d\d\b(?![.,]\d)"
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)\b(?:\.(?=\s?\d))?"
)
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_DAYS = rf"{_DAY}(?:(?:[-–]|{_S}(?:to|and|or){_S}){_DAY})?\b(?![:.,]\d)"
_WEEKDAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_DATE = (
    rf"\b(?:{_WEEKDAY},?{_S})?(?:{_DAYS}{_S}(?:of{_S})?{_MONTH}(?:{_S}{_YEAR})?|{_MONTH}{_S}{_DAYS}(?:,?{_S}{_YEAR})?)"
    rf"|\b(?:(?:[Ee]arly|[Mm]id|[Ll]ate)[ -])?(?:(?:{_MONTH}|[Ss]pring|[Ss]ummer|[Aa]utumn|[Ww]inter)"
    rf"{_S}(?:(?:of{_S})?{_YEAR}|(?:last|this|next){_S}year\b)|{_YEAR})"
)
_CLOCK = r"\b\d{1,2}(?:[:.]\d\d)?"
_ZONE = rf"{_S}(?:GMT|UTC|BST|CES?T|E[SD]T|local{_S}time|in{_S}the{_S}(?:morning|afternoon|evening))\b"
_TIME = rf"{_CLOCK}{_S}?(?:[ap]\.m\.?|[AaPp][Mm]\b|o[’']clock\b)(?:{_ZONE})?|{_CLOCK}{_ZONE}"

_DATED = re.compile(rf"{_DATE}|{_TIME}|\b{_WEEKDAY}\b(?:{_S}(?:morning|afternoon|evening|night)\b)?")
_AROUND = 300
"""Characters on either side of a span that may belong to it: a sentence may be endless."""
_LONG = 8
"""Words of a span beyond which only the date in it answers when something was."""

_WHOLE = re.compile(rf"{_DATE}|{_TIME}|\bNo\.{_S}?\d+|{QUANTITY}")
"""What is shown whole or not at all."""

_NO_NAMES = NUMBER_WORDS.union(
    "a about above across after against all along also although among an and another any around as asked at because "
    "before behind below beneath beside besides between beyond both but by despite down during each earlier either "
    "even every few following for from had has have he her here his how however if in inside instead into is it its "
    "just last later like many meanwhile more most much my near neither next no nor not now of off on once one only "
    "onto or other our out outside over past per perhaps several she since so some still such than that the their "
    "them then there these they this those though through throughout to today tomorrow tonight toward towards two "
    "under unless until up upon via was we were what when where which while who whose why with within without "
    "yesterday yet you your monday tuesday wednesday thursday friday saturday sunday january february march july "
    "september october november december".split()
)
"""Capitalised or not, they are no part of a name; the months that are also first names may be."""
_PARTICLES = frozenset("de del della der den des di da dos du la le van von bin ibn al el y &".split())
_NAMED_OF = frozenset(
    "academy agency association bank battle bay board bureau cape centre center chamber church city college commission "
    "council court department duchess duke federation gulf house institute isle kingdom league ministry museum office "
    "order organisation organization republic sea society state states strait tower treaty union university".split()
)
"""Names go on beyond "of" after these: "Republic of Kosovo", but "Petar Ilić of Valjevo" names a man."""
_TITLES = frozenset(
    "ambassador captain chairman chairwoman chancellor chief colonel commissioner constable detective director dr "
    "foreign general governor inspector judge justice king lord major mayor minister mr mrs ms premier president prime "
    "prince princess professor queen secretary senator sergeant sir spokesman spokeswoman treasurer".split()
)
_NEIGHBOURS = 4
"""More capitalised words than this on one side are a headline or a list, not a name."""
_PAIRS = {"“": "”", "‘": "’", "«": "»", "(": ")", "[": "]", '"': '"'}

SAYING = r"\b(?:said|says|told|tells|added|adds|warned|argued|claimed|explained|wrote|announced|replied|insisted)\b"
_OPENING = (
    r"\b(?:because|due\sto|owing\sto|thanks\sto|so\sthat|in\sorder\sto|after|when|if|while|although|though|unless"
    r"|since(?!\s\w*\d)|by\s\w+ing|(?<!such\s)(?<!well\s)(?<!many\s)(?<!much\s)(?<!known\s)(?<!seen\s)(?<!same\s)"
    r"as(?=\s(?:the|it|he|she|they|we|its|his|her|their|this|more|many|some|(?-i:[A-Z])\w+)\b))\b"
)
_OPENER = re.compile(rf"{_OPENING}|\bto\s(?=[a-z]+\b)(?!(?:the|an?|its?|his|her|their|this|that|be)\s)", re.IGNORECASE)
_DASH = re.compile(r"\s[–—-]\s|—")
_CLOSING = re.compile(
    rf";|,[”\"’]?\s(?:(?:but|which|who|whose|where)\b|{_OPENING}|(?!and\b|or\b|that\b)(?:[\w’'.-]+\s){{0,6}}?{SAYING}"
    rf"|(?:the|an?|its|their)\s(?:[\w’'.-]+,?\s){{1,8}}?{SAYING}\W*$)",
    re.IGNORECASE,
)


def natural(text: str, sentence: Span, span: Span, kind: Kind) -> Span:
    """The span, widened within its sentence until no word, number with its unit, date or name is cut.

    Punctuation and white space at its ends are dropped; quotation marks and brackets stay in pairs. A span
    without a word or a quantity gives the sentence. Of a long span the first date is enough, where a date is asked for.
    """
    low, high = max(sentence[0], span[0] - _AROUND), min(sentence[1], span[1] + _AROUND)
    start, end = max(span[0], low), min(span[1], high)
    if kind is Kind.DATE and len(text[start:end].split()) > _LONG:
        dated = _DATED.search(text, start, end)
        start, end = dated.span() if dated else (start, end)
    words = list(_WORD.finditer(text, low, high))
    wholes = list(_WHOLE.finditer(text, low, high))
    touched = [match for match in [*words, *wholes] if match.start() < end and match.end() > start]
    if start >= end or not touched:
        return sentence
    first = min(match.start() for match in touched)
    last = max(_end(match, end) for match in touched)
    at = [n for n, word in enumerate(words) if word.start() < last and word.end() > first]
    left, right = at[0], at[-1]
    if kind is not Kind.NUMBER and not _is_headline(words):
        inside = {
            n for n, word in enumerate(words) if any(whole.start() <= word.start() < whole.end() for whole in wholes)
        }
        left, right = (_name_end(text, words, at, inside, kind, step) for step in (-1, 1))
    first = min(first, words[left].start())
    last = max(last, _end(words[right], max(last, words[right].start())))
    return _in_pairs(text, sentence, (first, last), (start, end))


def clause(text: str, sentence: Span, span: Span) -> Span:
    """The clause around a span, from the word that opens it, without the full stop; the sentence if in doubt.

    It contains all words of the span.
    """
    low, high = sentence
    words = [word for word in _WORD.finditer(text, low, high) if word.start() < span[1] and word.end() > span[0]]
    if not words:
        return sentence
    start, end = words[0].start(), words[-1].end()
    dashes = [dash for dash in _DASH.finditer(text, low, high) if not start < dash.end() < end]
    before = [dash.end() for dash in dashes if dash.end() <= start]
    after = [dash.start() for dash in dashes if dash.start() >= end]
    if len(before) + len(after) > 1 and not len(before) == len(after) == 1:
        before, after = [], []  # what stands between two dashes is no clause's end
    parted = [found.end() for found in re.finditer(r";|:\s", text[low:start])]
    left = max([low, *before, *(low + at for at in parted)])
    for opener in _OPENER.finditer(text, left, end):
        at = opener.start()
        beside = text[at : at + 2].casefold() != "to" or at + len("to ") >= start
        if at <= start and "," not in text[at:start] and beside:
            left = at
    closing = _CLOSING.search(text, end, high)
    right = min([high, *after, *([closing.start()] if closing else [])])
    count = len(_WORD.findall(text, left, right))
    if count < 3 or count == len(_WORD.findall(text, low, high)):
        return sentence
    inside = [*_WORD.finditer(text, left, right), *_WHOLE.finditer(text, left, right)]
    found = min(match.start() for match in inside), max(match.end() for match in inside)
    return _in_pairs(text, sentence, found, (left, right))


def _end(match: re.Match[str], wanted: int) -> int:
    """Where a match ends, or ends before its ’s if no more is wanted."""
    own = match.start("own") if match.re is _WORD else -1
    return own if own >= wanted else match.end()


def _is_headline(words: Sequence[re.Match[str]]) -> bool:
    """Whether nearly all words have capitals, which then tell nothing about names."""
    return len(words) > 3 and sum(word.group()[:1].isupper() for word in words) > 0.8 * len(words)


def _name_end(
    text: str, words: Sequence[re.Match[str]], span: Sequence[int], inside: set[int], kind: Kind, step: int
) -> int:
    """Where a name at the end of ``span``, its words' places, ends in the direction of ``step``; -1 is to the left.

    What has two names already is taken for whole; only a title before it, or an "of", leads on.
    """
    reached = span[0] if step < 0 else span[-1]
    own = [n for n in span if _may_be_named(words, n, inside) and _plain(words[n]) not in _TITLES]
    for _ in range(_NEIGHBOURS + 1):
        following = _next_in_name(text, words, reached, inside, kind, step, whole=len(own) > 1 and reached in span)
        if following is None:
            return reached
        reached = following
    return span[0] if step < 0 else span[-1]


def _next_in_name(
    text: str, words: Sequence[re.Match[str]], at: int, inside: set[int], kind: Kind, step: int, *, whole: bool
) -> int | None:
    """The nearest word with a capital beside the word ``at``, perhaps beyond "of" or "van der"; None if none."""
    if not _may_be_named(words, at, inside):
        return None
    between: list[str] = []
    for far in range(at + step, at + 4 * step, step):
        if not 0 <= far < len(words):
            return None
        before, after = sorted((far, far - step))
        if words[before]["own"] or text[words[before].end() : words[after].start()] not in (" ", "\n", "\u00a0"):
            return None
        word = _plain(words[far])
        if _may_be_named(words, far, inside):
            if between:
                of = between in (["of"], ["of", "the"]) and _plain(words[min(at, far)]) in _NAMED_OF
                joined = of or all(part in _PARTICLES for part in between)
            elif word in _TITLES:  # of the name to the right of it
                named = step < 0 or kind is Kind.PERSON or _plain(words[at]) in _TITLES
                joined = named and kind is not Kind.PLACE and (step < 0 or not whole)
            else:
                joined = not whole
            return far if joined else None
        between = [*between, word] if step > 0 else [word, *between]
    return None


def _plain(word: re.Match[str]) -> str:
    return word.group().casefold().rstrip(".")


def _may_be_named(words: Sequence[re.Match[str]], at: int, inside: set[int]) -> bool:
    """Whether a word looks like a part of a name; the sentence's first word has to look more so."""
    word = re.sub("^(?:al|el|as|ash|ul|an|ar|az|d|l)[-’']", "", words[at].group())
    if at in inside or not word[:1].isupper() or word.casefold() in _NO_NAMES:
        return False
    return at > 0 or not word.endswith(("ly", "ing")) or word == "King"


def _in_pairs(text: str, sentence: Span, found: Span, given: Span) -> Span:
    """With the quotation marks and brackets at the edge whose partner is inside or was given."""
    start, end = found
    for opening, closing in _PAIRS.items():
        before = start > sentence[0] and text[start - 1] == opening
        behind = end < sentence[1] and text[end] == closing
        opened = text[start:end].count(opening)
        closed = len(re.findall(rf"{re.escape(closing)}(?!\w)", text[start:end]))  # ’ in a word is no mark
        lone = opened % 2 if opening == closing else opened - closed
        if before and behind and not lone and (given[0] < start or given[1] > end):
            start, end = start - 1, end + 1
        elif before and (lone < 0 or (lone and opening == closing)):
            start -= 1
        elif behind and lone > 0:
            end += 1
    return start, end
