"""Quantities in answers: where one stands in a text, what it amounts to, and whether two answers say the same."""

from __future__ import annotations

import math
import re

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = {"dozen": 12.0, "hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_SHORT = {"k": 1e3, "m": 1e6, "mn": 1e6, "bn": 1e9, "tn": 1e12}
_FRACTIONS = {"half": 0.5, "third": 1 / 3, "quarter": 0.25, "fifth": 0.2, "tenth": 0.1}
_VALUES = {word: float(n) for n, word in enumerate(_ONES)} | {word: 20.0 + 10 * n for n, word in enumerate(_TENS)}
NUMBER_WORDS = frozenset([*_VALUES, *_FRACTIONS])
"""Words that begin a number."""

_S = r"[ \n\u00a0]"
_SPELT = (
    rf"(?i:\b(?:(?:{'|'.join(_TENS)})(?:-(?:{'|'.join(_ONES[1:10])}))?|{'|'.join(_ONES)}|half(?:{_S}an?)?"
    rf"|an?(?={_S}(?:{'|'.join(_SCALES)}|{'|'.join(_FRACTIONS)})\b))\b)"
)
_NUMBER = (
    rf"(?:[-−]?(?:\b[A-Z]{{1,3}})?[$€£¥]{_S}?\d+(?:[.,]\d+)*|(?<![\w.,])[-−]?\d+(?:[.,]\d+)*|{_SPELT})"
    rf"(?:[ -]?(?:{'|'.join(_SHORT)})\b)?(?:{_S}and{_S}a{_S}(?:half|quarter)\b)?"
    rf"(?:(?:{_S}|-)(?:{'|'.join(_SCALES)})\b)*"
)
_UNIT = (
    r"(?:%|‰|[€£](?!\d)|°[CF]?|(?:(?:square|cubic|nautical|metric|working|light|US|Australian|Canadian)[ -])?"
    r"(?:per\scent|percent|percentage\spoints?|dollars?|euros?|pounds?|cents?|pence|francs?|rou?bles?|dinars?|yen|yuan"
    r"|rupees?|(?:kilo|centi|milli)?met(?:re|er)s?|miles?|feet|foot|inch(?:es)?|yards?|km/h|[km]ph|km²?|[cm]?m|knots|ha"
    r"|acres?|hectares?|(?:kilo|milli)?grams?|kilos?|kg|tonnes?|tons?|ounces?|(?:mega|kilo|milli)?lit(?:re|er)s?|bales?"
    r"|barrels?|(?:mega|kilo|giga)?watts?|[MGk]Wh?|degrees(?:\sCelsius|\sFahrenheit)?|seconds?|minutes?|hours?|days?"
    rf"|nights?|weeks?|fortnights?|months?|years?|decades?|century|centuries|halves|(?:{'|'.join(_FRACTIONS)})s?)\b)"
)
_RANGE = rf"(?<!from ){_NUMBER}(?:{_S}(?:to|or){_S}|[-–]){_NUMBER}(?={_S}?{_UNIT})"
QUANTITY = (
    rf"(?:\bbetween{_S}{_NUMBER}{_S}and{_S}{_NUMBER}|{_RANGE}|{_NUMBER})(?:(?:{_S}|-)?{_UNIT})?"
    rf"(?:{_S}(?:an?|per){_S}(?:{_UNIT}|head|person|share)\b)?(?:{_S}(?:ago|old)\b)?"
)
"""A pattern: a number or a range, with its currency, multiplier and unit, and what it is reckoned by."""

_AMOUNT = re.compile(
    r"(?:(?:about|around|some|nearly|almost|roughly|approximately|exactly|just|only|over|under|up to|at (?:least|most)"
    r"|(?:more|less|fewer) than|an estimated|an average of|a total of|as (?:many|much) as|the|all) )*"
    r"(?P<minus>-|−|minus )?(?:(?:us|a|c|nz|hk)?(?P<currency>[$€£¥]) ?)?"
    rf"(?:(?P<figure>\d+(?:\.\d+)?)(?: ?(?P<short>{'|'.join(_SHORT)})\b)?|(?P<spelt>{_SPELT}))"
    rf"(?: and a (?P<more>half|quarter)\b)?(?P<scales>(?:[ -](?:{'|'.join(_SCALES)})\b)*)(?P<rest>.*)"
)
_CURRENCIES = {"$": "dollar", "€": "euro", "£": "pound", "¥": "yen"}
_SAME_UNIT = dict(
    pair.split(":")
    for pair in (
        "c:cent celsius:°c centimetre:cm children:child feet:foot g:gram ha:hectare kilo:kg kilogram:kg kilometer:km "
        "kilometre:km liter:litre lives:life m:metre men:man meter:metre millimetre:mm people:person women:woman"
    ).split()
)
_NOT_COUNTED = re.compile(
    r"\b(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?|(?:mon|tues|wednes|thurs|fri|satur|sun)day|ago|o'clock|gmt|utc)\b"
    r"|(?<![a-z])[ap]\.?m\b|\d(?:st|nd|rd|th|s)\b|\d[:/]\d"
)
"""Dates, times of day and ordinals."""
_BEHIND_UNIT = frozenset(
    "a after an and are as at away because before by deep during each earlier east every for from had has have he high "
    "in is it later long north of old on or per since south than that the they to was were west when which while who "
    "wide with".split()
)
_MONEY = re.compile(r" (?:\w+ )?(?:dollars?|euros?|pounds?|francs?|rou?bles?|dinars?|yen|yuan|rupees?)\b")
_NEGATIONS = frozenset("cannot neither never no none nor not without".split())


def quantity(text: str) -> tuple[float, str] | None:
    """The amount and its unit, in lower case and the singular, of an answer that is one quantity; otherwise None.

    The unit is "" if none is given, "%" for shares in a hundred, "dollar/kg" for a rate. Words such as "about"
    are passed over. Dates, times of day, years and ranges are no quantities.
    """
    plain = _plain(text)
    found = _AMOUNT.match(plain)
    if not found or _NOT_COUNTED.search(plain) or re.match(r"(?:the )?(?:1[5-9]|20)\d\d$|the \d{4} ", text):
        return None  # the last is more likely a year
    number = float(found["figure"]) if found["figure"] else _spelt(found["spelt"])
    number += _FRACTIONS.get(found["more"], 0.0)
    for scale in re.findall(r"\w+", found["scales"]):
        number *= _SCALES[scale]
    words = re.findall(r"°[cf]?|\d+|[^\W\d_]+(?:'[^\W\d_]+)?|[^\s-]", found["rest"])
    if found["short"] == "m" and not found["currency"] and not _MONEY.match(found["rest"]):
        words = ["m", *words]  # "500m" is a distance, "€500m" and "500m euros" are not
    else:
        number *= _SHORT.get(found["short"], 1.0)
    if words and words[0].removesuffix("s") in _FRACTIONS:
        number *= _FRACTIONS[words.pop(0).removesuffix("s")]
    elif found["spelt"] == "one" and words[:1] == ["of"]:
        return None  # "one of the ministers"
    if any(word.isdecimal() or word in NUMBER_WORDS for word in words):
        return None
    unit = _unit(words, _CURRENCIES.get(found["currency"], ""))
    return None if unit is None else (-number if found["minus"] else number, unit)


def same_answer(one: str, other: str) -> bool:
    """Whether two answers say the same: equal quantities, or all words of one in the other.

    Case, articles, punctuation, and how numbers up to twenty are written make no difference; a "not" does.
    """
    counted, also_counted = quantity(one), quantity(other)
    if counted and also_counted:
        units = {counted[1], also_counted[1]} - {""}
        return math.isclose(counted[0], also_counted[0]) and len(units) < 2
    words, others = _words(one), _words(other)
    if not words or not others:
        return one.split() == other.split()
    return (words <= others or others <= words) and not (words ^ others) & _NEGATIONS


def _words(text: str) -> set[str]:
    """The words that tell, without articles; numbers as figures."""
    words = re.findall(r"\d+(?:\.\d+)?|[^\W\d]+(?:'[^\W\d]+)?|%", _plain(text))
    return {f"{_VALUES[word]:g}" if word in _VALUES else word for word in words} - {"the", "a", "an"}


def _spelt(words: str) -> float:
    """A number below a hundred as spelt, "half an", or the "a" of "a million"."""
    if words.startswith("half"):
        return _FRACTIONS["half"]
    return sum(_VALUES[word] for word in re.split("[ -]", words)) if words not in ("a", "an") else 1.0


def _unit(words: list[str], currency: str) -> str | None:
    """The unit that the words behind a number begin with, "" if none; None if they are a longer text."""
    end = 0
    while end < len(words) and words[end] not in _BEHIND_UNIT and re.match(r"[\w%°]", words[end]):
        if end and words[end].endswith("ed"):
            break  # "five people killed"
        end += 1
    if end > 3:
        return None
    unit = currency or (_singular(words[end - 1]) if end else "")
    if end > 1 and words[end - 2] in ("square", "cubic", "nautical"):
        unit = f"{words[end - 2]} {unit}"
    by = words[end : end + 2]
    return f"{unit}/{_singular(by[1])}" if len(by) == 2 and by[0] in ("a", "an", "per", "/") else unit


def _singular(word: str) -> str:
    """A unit in the singular and in one spelling, as far as an ending tells."""
    if word.endswith("ies"):
        word = word[:-3] + "y"
    elif word.endswith(("ches", "shes", "xes", "sses")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    return _SAME_UNIT.get(word, word)


def _plain(text: str) -> str:
    """Lower-case text with one kind of apostrophe, dash and space, "%" for "per cent", and 9000 for "9,000"."""
    plain = text.casefold().translate(str.maketrans("’‘–\u00a0", "''- "))
    plain = re.sub(r"\bper ?cent\b", "%", re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", " ".join(plain.split())))
    return plain.strip(" .,;:!?…\"“”«»()[]'")
