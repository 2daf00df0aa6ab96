"""What a question asks for, told from its words: a date, a number, a name, a place or an explanation, one or several.

Only words are looked at, so that questions without capitals or a question mark are told as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum


class Kind(StrEnum):
    """What a question asks for."""

    DATE = "date"
    NUMBER = "number"
    PERSON = "person"
    PLACE = "place"
    REASON = "reason"
    MANNER = "manner"
    EVENT = "event"
    THING = "thing"
    """Anything else."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_LACKED = {
    Kind.DATE: "date or time",
    Kind.NUMBER: "number",
    Kind.PERSON: "name",
    Kind.PLACE: "place",
    Kind.REASON: "reason",
    Kind.MANNER: "account of how",
    Kind.EVENT: "account of what happened",
    Kind.THING: "answer",
}
_NOUNS = {
    Kind.REASON: _set("reason cause motive grounds purpose excuse explanation justification"),
    Kind.DATE: _set(
        "year day date month time period century decade week weekday weekend hour season deadline birthday"
    ),
    Kind.NUMBER: _set(
        "age amount average cost depth distance duration fare fee fraction height length magnitude number percent "
        "percentage population price proportion quantity rate salary share size speed sum temperature toll tonnage "
        "total turnout value volume weight width"
    ),
    Kind.PLACE: _set(
        "area birthplace capital city continent country county destination district harbour hometown island location "
        "municipality nation place port province region site spot state suburb territory town venue village whereabouts"
    ),
}
_COMPOUNDS = _set(
    "agency airline association bank board body club coach company council councillor court department farmer firm "
    "governor government group hall hospital leader league manager mayor minister ministry mp newspaper official "
    "parliament party plate police politician premier president school secretary senator singer star team union "
    "university worker zone"
)
"""Nouns that the one before them only describes, as in "state politician" or "news agency"."""

_ASKING = _set("who whom whose when where why how what which")
_MARKS = _set(", ; : . ? !")
_VERBS = _set(
    "am are can can't could couldn't did didn't do does doesn't don't had has hasn't have haven't is isn't may might "
    "must shall should was wasn't were weren't will won't would wouldn't"
)
_SAYING = _set("say says said tell told know known explain mention clear thinks reckons")
_PREPOSITIONS = _set(
    "about after against among around as at before behind between by during for from in inside into near of off on "
    "onto over per since through to toward towards under until up upon via with within without"
)
_DETERMINERS = _set("the a an this that these those his her its their our your my some any all no")
_PHRASE_ENDS = (
    _ASKING | _MARKS | _VERBS | _PREPOSITIONS | _DETERMINERS | _set("he she it they we you i and or because if")
)
_LEADING = _PREPOSITIONS | _set(
    "and anyone but can could do exactly explain describe me now or please so someone us you"
)
_ORDERS = _set("name list give identify mention cite")

_HOW_DATE = _set("recently soon early late")
_HOW_NUMBER = _set(
    "big close cold dear deep expensive far fast frequently heavy high hot large long low many much near often old "
    "quickly rapidly regularly small steep strong tall thick warm wet wide young"
)
_CAUSING = re.compile(
    r"(?:\w+ly |has |had )*(?:caus|prompt|provok|spark|trigger|motivat|explains|led to|drove|ma[dk]es? (?!up))"
    r"|(?:did .*|does .*)?(?:is|was|lies|lay) behind\b|(?:is|was|did|does)\b.* blame\b"
)
_HAPPENING = re.compile(
    r"(?:\w+ly |else |exactly |has |had |have |is |was |did |will |would |may |might |could )*"
    r"(?:happen|t(?:ook|ake|aking|aken) place|occurred|bec[ao]me of|going on|went wrong)|.*\bsa(?:y|ys|id) happened\b"
)
_DOING = re.compile(
    r".* (?:do|doing|done|decided?)"
    rf"(?: [,.?]| (?:{'|'.join(_PREPOSITIONS | _ASKING)}|if|because|next|instead|wrong)\b)"
)
_WEIGHING = re.compile(r".*\b(?:costs?|fetch|weigh|worth|(?:sell|sold|go) for)\b")

_PLURAL = re.compile(
    r"[\w-]+(?:[^aeiouys']|[aeo]y|[^s]ie|[eoa])s|people|(?:\w*[^u])?men|women|children|teeth|feet|.*wives"
)
_NO_PLURAL = _set("news series species gas christmas sports arms headquarters politics grounds united overseas always")
"""They end like plurals and name one thing, or describe another noun as in "sports club"."""
_DESCRIBING = re.compile(r"\w+(?:ern|an|ish|ese|al|ic|ous|ful|ive|able|est|ing)|other|new|old|big|main|major|small")
_SEVERAL = _set("two three four five six seven eight nine ten several both many")
_VERBS_IN_S = _set(
    "happens lies keeps becomes comes goes remains follows links counts puts holds causes makes earns gives sets"
)


def kind(question: str) -> Kind:
    """What a question asks for; ``Kind.THING`` if its words do not tell."""
    words = _words(question)
    if len(words) > 1 and words[0] in _ORDERS and words[1] not in _ASKING:
        start, end = _phrase(words, 1)
        found = _kind_of(words[start:end][-1:])
        return Kind.PERSON if found is Kind.THING and words[end] in ("who", "whose") else found
    at = _asking(words)
    if at is None:
        start, end = _phrase(words, 0)
        return Kind.THING if words[0] in _VERBS else _kind_of(words[start:end][-2:])
    rest = words[at + 1 :]
    if words[at] == "how":
        return _kind_of_how(rest)
    if words[at] in ("what", "which"):
        return _kind_of_what(rest)
    return {"when": Kind.DATE, "where": Kind.PLACE, "why": Kind.REASON}.get(words[at], Kind.PERSON)


def explains(kind: Kind) -> bool:
    """Whether the answer is a clause or a sentence, rather than a name, a number or a date."""
    return kind in (Kind.REASON, Kind.MANNER, Kind.EVENT)


def lacks(kind: Kind) -> str:
    """What an article that does not answer gives none of, to stand after "gives no"."""
    return _LACKED[kind]


def asks_for_several(question: str) -> bool:
    """Whether more than one answer is asked for, as in "which countries" or "name the …s"; not for how many."""
    words = _words(question)
    if words[0] in _ORDERS:
        return words[0] == "list" or _is_plural(words, 1, subject=False)
    at = _asking(words)
    if at is None or words[at] not in ("who", "what", "which"):
        return False
    rest = [*words[at + 1 :], "?"]
    if rest[0] in ("are", "were"):  # "what are the demands" asks for each, "what are Galloways" for what they are
        named = rest[1] in _DETERMINERS | _SEVERAL or rest[1].endswith("'s")
        return named and _is_plural(rest, 1, subject=False)
    if rest[0] == "of":  # "which of the two was older" asks for one, "which of the bridges are closed" for several
        return not {"are", "were", "have"}.isdisjoint(rest)
    if words[at] == "who" or (words[at] == "what" and (rest[0] in _VERBS_IN_S or rest[1] in _DETERMINERS)):
        return False
    return _is_plural(rest, 0, subject=True)


def _words(question: str) -> list[str]:
    """The words in lower case and the marks between them, a mark at the end; "who's" is "who is"."""
    plain = question.casefold().replace("’", "'")
    for short, full in (("s", "is"), ("re", "are"), ("d", "did"), ("ll", "will")):
        plain = re.sub(rf"\b(who|what|where|when|why|how)'{short}\b", rf"\1 {full}", plain)
    return [*re.findall(r"[^\W_]+(?:['.,/-][^\W_]+)*(?:(?<=s)')?|[,;:.?!]", plain), "?"]


def _asking(words: Sequence[str]) -> int | None:
    """Where the asking word stands, if there is one that does not merely open a subordinate clause."""
    starts = [0] + [at + 1 for at, word in enumerate(words[:-2]) if word in _MARKS]
    found = []
    for at, word in enumerate(words):
        if word not in _ASKING:
            continue
        start = max(start for start in starts if start <= at)
        opens = all(before in _LEADING | _SAYING for before in words[start:at])
        follows = words[at + 1]
        if opens and (start == 0 or words[start - 1] in ".?!"):
            first_of_two = word in ("when", "where") and follows not in _VERBS and "," in words[at:]
            weakness = 2 if first_of_two else 0  # "When the bridge fell, how many died?"
        elif (opens and start == starts[-1]) or word in ("how", "what", "why") or follows in _MARKS:
            weakness = 1
        else:
            weakness = 1 if word == "which" and follows not in _PHRASE_ENDS else 3
        found.append((weakness, at))
    if not found:
        return None
    weakness, at = min(found)
    if words[0] in _VERBS and weakness > 0 and words[at - 1] not in _SAYING:
        return None  # "Did he resign when the bridge fell?" asks for yes or no
    return at


def _phrase(words: Sequence[str], start: int) -> tuple[int, int]:
    """Where the noun phrase at ``start`` begins, without its article, and ends, perhaps behind a verb."""
    while words[start] in _DETERMINERS:
        start += 1
    end = start
    while words[end] not in _PHRASE_ENDS:
        end += 1
    return start, end


def _kind_of_how(rest: Sequence[str]) -> Kind:
    if rest[0] == "come":
        return Kind.REASON
    if rest[0] in _HOW_DATE or list(rest[:2]) in (["long", "ago"], ["far", "back"]):
        return Kind.DATE
    return Kind.NUMBER if rest[0] in _HOW_NUMBER else Kind.MANNER


def _kind_of_what(rest: Sequence[str]) -> Kind:
    """By what follows "what" or "which"."""
    said = " ".join(rest)
    if _CAUSING.match(said):
        return Kind.REASON
    if _HAPPENING.match(said):
        return Kind.EVENT
    start, end = _phrase(rest, 1 if rest[0] == "of" else 0)
    if rest[0] not in _VERBS:
        if rest[start] in ("part", "parts") and rest[end] == "of":
            within, end = _phrase(rest, end + 1)
            named = rest[within - 1] == "of" or rest[within] in ("world", "globe")  # "which part of Serbia"
            return Kind.PLACE if named else _kind_of(rest[within:end])
        return _kind_of(rest[start:end])
    if _DOING.match(said):
        return Kind.EVENT
    if _WEIGHING.match(said):
        return Kind.NUMBER
    if rest[0] in ("is", "was", "are", "were"):
        start, end = _phrase(rest, 1)
        if rest[end - 1] in ("name", "names") and rest[end] == "of":
            start, end = _phrase(rest, end + 1)
        return _kind_of(rest[start:end][-1:]) if rest[start] not in _NOUNS[Kind.REASON] else Kind.REASON
    return Kind.THING


def _kind_of(phrase: Sequence[str]) -> Kind:
    """By the first noun that tells, unless it only describes another one."""
    for word, after in zip(phrase[:3], [*phrase[1:], ""], strict=False):
        if word in _SAYING:
            break
        forms = {word, word.removesuffix("s"), re.sub("ies$", "y", word)}
        for found, nouns in _NOUNS.items():
            if forms & nouns and after.removesuffix("s") not in _COMPOUNDS:
                return found
    return Kind.THING


def _is_plural(words: Sequence[str], start: int, *, subject: bool) -> bool:
    """Whether the noun phrase at ``start`` names several; if it may be a ``subject``, its verb may stand in it.

    A later word in -s is the noun only if a verb must follow it: in "which country borders Serbia" it is the verb.
    """
    start, end = _phrase(words, start)
    is_first = True
    for word, after in zip(words[start:end], words[start + 1 :], strict=False):
        if word in _SEVERAL and is_first:
            return True
        if word in _NO_PLURAL or _DESCRIBING.fullmatch(word):
            continue
        if _PLURAL.fullmatch(word) and after.removesuffix("s") not in _COMPOUNDS:
            if not subject:
                return after in _PHRASE_ENDS - _VERBS
            return after in _VERBS | _MARKS or after.endswith("ed") or (is_first and after not in _DETERMINERS)
        if word in _SAYING or word.endswith("ed"):
            return False
        is_first = False
    return False
