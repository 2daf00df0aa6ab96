"""Tell a title from what else stands at the top of an article: the lead, a byline, a menu, a caption, a time."""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.reading.dates import MONTH, is_stamp

LONGEST = 200
"""The most characters of a title."""
_LONGEST_SENTENCE = 50
"""A line that ends with a full stop is a title only up to this length. A longer one is the lead."""
_LONGEST_ABOVE = 120
"""The same for a title with text directly below it."""
_SHORTEST_PROSE = 40
_RAGGED = 5
"""How much shorter than it could be a line of wrapped text may be."""

_OPENS = re.compile(r"[\w\"'“‘«„‹([$€£¥¿¡…@&.#+-]")
_OPENS_MARKUP = re.compile(r"[-+.#] |\[[^\]]*\][(\[:]|- ?$|--|&lt;|\.\.|#\W")
_ENDS_SENTENCE = re.compile(r"[.…][\"'”’»)\]]*$")
_ENDS_ABBREVIATION = re.compile(r"(?:\b[A-Z]\.){2,}$|\b(?:Inc|Co|Corp|Ltd|Jr|Sr|St|Bros|etc|No|vs)\.$")
_GOES_ON = re.compile(
    r"[,;:–—-]$|\b(?:a|an|the|and|or|but|of|in|on|at|to|for|from|by|with|as|that|which|who|whose|than|is|are|was|were|has"
    r"|have|had|be|been|will|would|its|his|her|their|this|these|it|he|she|they|mr|mrs|ms|dr)$",
    re.IGNORECASE,
)
_SEVERAL_SENTENCES = re.compile(r"[a-z)”’\"][.!?][\"'”’)]* +\S.*[.!?]$")
_ASIDE = re.compile(
    r"(?:file )?(?:photo(?:graph)?|image|picture|graphic|illustration|caption|credit|video)s?(?: credit| by| courtesy|"
    r" caption)?[ \t]*(?::|/|(?<= by)|(?<=courtesy)|\()"
    r"|(?:(?:last|first) )?(?:updated?|published|modified|posted)(?: on| at)?[ \t]*:"
    r"|(?:skip to|share (?:this|on|via)|follow us|sign (?:in|up)|log (?:in|out)|subscribe|click here|read more"
    r"|listen to this|print this|all rights reserved|copyright (?:©|\d|by\b)|©|\(c\)|https?:|www\.)(?:\b|\s|/|$)",
    re.IGNORECASE,
)
_MENU = frozenset(
    "home news world uk us sport sports business politics opinion culture tech technology science health weather video "
    "videos live menu search share tweet print email facebook twitter whatsapp linkedin reddit save comment comments "
    "advertisement subscribe login register contact about latest breaking local national international features arts "
    "entertainment lifestyle travel magazine newsletter newsletters sections trending next previous and more top "
    "stories".split()
)
"""Words of menus and of the rows of buttons above an article. A line of nothing else is one."""
_DATELINE = re.compile(
    r"[^\W\d_][\w.’' -]{1,40}(?:, [A-Z][\w. ]{1,25})? ?\([A-Z][\w ./-]{1,30}\) ?(?:—|–|--?) "
    rf"|[A-Z][A-Z.’' -]{{2,40}}(?:, [A-Z][\w. ]{{1,25}})?, (?i:{MONTH}) ?\d{{1,2}}[^\n]{{0,40}}?(?:—|–|--?) "
)
_BYLINE = re.compile(
    r"(?:(?:written|reported|reporting|story|words|text|posted) )?by:? +(?P<names>\S.*)", re.IGNORECASE
)
_IN_BYLINES = frozenset(
    "and in at of for the with de da di du del la le van von der den ten bin al el our staff special senior chief "
    "foreign political science sports business health writer writers reporter reporters correspondent editor "
    "editors".split()
)
_NO_NAMES = frozenset(
    "a an the all any day night land sea air now then no my your his her their its popular way".split()
)
"""By Any Means, By the Numbers: no names."""


def is_title(line: str) -> bool:
    """Whether a line that stands alone above an article's text looks like its title."""
    line = line.strip()
    if len(line) > LONGEST or not any(char.isalpha() for char in line):
        return False
    if not _OPENS.match(line) or _OPENS_MARKUP.match(line) or line[-1] in ",;:|":
        return False
    ends = _ENDS_SENTENCE.search(line) and not line.endswith(("…", "...")) and not _ENDS_ABBREVIATION.search(line)
    if (ends and len(line) > _LONGEST_SENTENCE) or _SEVERAL_SENTENCES.search(line):
        return False
    if _ASIDE.match(line) or _DATELINE.match(line) or is_stamp(line) or author_of(line):
        return False
    return not _is_menu(line)


def goes_on(line: str) -> bool:
    """Whether the last word of a line says that the next line goes on from it."""
    return _GOES_ON.search(line.strip()) is not None


def is_title_above(line: str, below: Sequence[str]) -> bool:
    """Whether a line is the title of the text directly below it, and not the first line of wrapped text.

    Args:
        line: the first line.
        below: the lines down to the next blank one.
    """
    line, following = line.strip(), below[0].strip()
    if not is_title(line) or len(line) > _LONGEST_ABOVE or _ENDS_SENTENCE.search(line) or goes_on(line):
        return False
    if len(following) < max(_SHORTEST_PROSE, len(line)) or not re.match(r"[\"'“‘«(]*[^\W_a-z]", following):
        return False
    if following[0].islower() or not re.search(r"[\w)%][\"”’]?[.!?][\"'”’)]*(?:\s|$)", "\n".join(below)):
        return False
    # Text is wrapped where the next word does not fit. Below a title, it would have fitted.
    widest = max(len(each.rstrip()) for each in below)
    return len(line) + len(following.split()[0]) + _RAGGED < widest


def author_of(line: str) -> str | None:
    """The names in a byline such as "By Jane Doe and John Roe, Reuters"; None if the line is not one."""
    byline = _BYLINE.fullmatch(line.strip())
    if not byline or len(line) > 110:
        return None
    names = byline["names"]
    words = re.findall(r"[^\s,/&|;]+", names)
    if not words:
        return None
    if words[0].lower() in _NO_NAMES and not re.search(r"\b(?:press|agency|agencies|staff|editors?)\b", names.lower()):
        return None
    named = [word for word in words if word[0].isupper()]
    if any(not word[0].isupper() and word.strip("()").lower() not in _IN_BYLINES for word in words):
        return None
    sentence = names.endswith((".", "!", "?", ":")) and not re.search(r"\b(?:[A-Z]|Jr|Sr)\.$", names)
    return names if not sentence and (named or words[-1].lower() in _IN_BYLINES) else None


def _is_menu(line: str) -> bool:
    """Whether a line is a menu such as "Home | News | Sport", or a row of buttons."""
    words = re.findall(r"[\w’']+", line.lower())
    pieces = [piece for piece in re.split(r"\s*[|›»>·•]\s*|\s/\s|\s{3,}|\t", line) if piece]
    return all(word in _MENU for word in words) or (len(pieces) > 2 and all(len(each.split()) < 4 for each in pieces))
