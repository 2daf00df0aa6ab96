"""Read the header of an article: front matter, a dated first line, lines such as "Source: …", or just a title."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from index.reading.dates import is_stamp, read_date
from index.reading.titles import LONGEST, author_of, goes_on, is_title, is_title_above

if TYPE_CHECKING:
    import yaml

UNDATED = " Kept without a date."
"""The end of the warning about a date that cannot be read."""

_NAMES = {
    "title": "title headline",
    "date": "date published publishedat publishedon publishedtime publisheddate datepublished publishdate pubdate "
    "posted created createdat updated updatedat modified lastmodified lastmod lastupdated",
    "author": "author authors byline by writtenby",
    "source": "source publisher publication site sitename",
    "url": "url link canonicalurl",
}
_FIELDS = {name: (key, rank) for key, names in _NAMES.items() for rank, name in enumerate(names.split())}
"""The field that each key states, and its rank: of two keys for the same field, the one of lower rank counts."""
_CHANGED = _FIELDS["updated"][1]
"""From this rank on, a date says when the article was changed. It counts only if no other is stated."""

_YAML_KEY = re.compile(r"^([\"']?)([^\W\d_][\w -]{0,40}?)\1[ \t]*:(?=[ \t]|$)", re.MULTILINE)
_TOML_KEY = re.compile(r"^([\"']?)([^\W\d_][\w -]{0,40}?)\1[ \t]*=", re.MULTILINE)
_TOML_TABLE = re.compile(r"^\[[^\n,]+\][ \t]*(?:#.*)?$", re.MULTILINE)
_TOML_STRING = re.compile(r'"""(.*?)"""|\'\'\'(.*?)\'\'\'|"((?:[^"\\\n]|\\.)*)"|\'([^\'\n]*)\'', re.DOTALL)
_TEMPLATE = re.compile(r"\{\{[^{}]*\}\}|\{%[^%]*%\}")
_PROSE = re.compile(r"^[^\s#\]})\"'-]", re.MULTILINE)
"""A line that may be prose: not indented, and no list, comment or end of a list."""
_CONTENT = re.compile(r"^(?=[ \t]*[^\s#])", re.MULTILINE)
"""The start of a line that is not blank and no comment."""
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
"""An anchor and a tag before a value in YAML."""
_MAX_FRONT_MATTER = 64_000
"""Longer front matter, or a longer value in it, is not given to the YAML and TOML libraries."""

_DATED_LINE = re.compile(
    r"[ \t]*date[ \t]*:?[ \t]+(\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4})[ \t]+(?!\d\d?:\d\d)(?=\S)", re.IGNORECASE
)
_KEY_LINE = re.compile(r"[ \t]*([^\W\d_][\w -]{0,30}?)[ \t]*:[ \t]+(?=\S)")
_ATX = re.compile(r"[ \t]*#{1,6}[ \t]+(?=\S)")
_ATX_END = re.compile(r"[ \t]+#+[ \t]*$")
_SETEXT = re.compile(r"[ \t]{0,3}(?:={2,}|-{3,})[ \t]*$")
_BESIDE = re.compile(r"[ \t]+[|·•—–][ \t]+")
_CHANGING = re.compile(r"(?:last )?(?:updated?|modified)\b", re.IGNORECASE)
_UPDATED = re.compile(r"(?:(?:last|first) )?(?:updated?|modified|published|posted)\b", re.IGNORECASE)
_WHOLE_DATE = re.compile(r"\d{4}.*\d[/.-]?\d|\d.*\d{4}")
_MAX_LINES = 12
"""The most lines of a header without front matter."""
_DATED_NAME = re.compile(r"(?:.*/)?(\d{4}-\d\d-\d\d)-[^/]+$")


class _Value(NamedTuple):
    """A value in the article's text. ``words`` is it without escapes, each of a list with commas between."""

    words: str
    start: int
    end: int


@dataclass(slots=True)
class Header:
    """The header fields of an article. Offsets point into its text."""

    title_start: int = 0
    title_end: int = 0
    body_start: int = 0
    date: date | None = None
    source: str | None = None
    url: str | None = None
    author: str | None = None
    warnings: list[str] = field(default_factory=list)
    _dates: list[tuple[int, str, str]] = field(default_factory=list)
    _ranks: dict[str, int] = field(default_factory=dict)

    def state(self, name: str, value: _Value, where: str) -> None:
        """Store what one key states. Of two for the same field, the one of lower rank counts, then the first."""
        key, rank = _FIELDS[name]
        words = " ".join(value.words.split())
        if not words:
            return
        if key == "date":
            self._dates.append((rank, words, where))
        elif rank < self._ranks.get(key, len(_FIELDS)):
            self._ranks[key] = rank
            if key == "title":
                self.title_start, self.title_end = value.start, value.end
            else:
                setattr(self, key, re.sub(r"^by:?\s+", "", words, flags=re.IGNORECASE) if key == "author" else words)

    def settle_date(self, name: str) -> None:
        """Choose the date among those stated. If none can be read, the first is told of."""
        stated = sorted(self._dates, key=lambda each: each[0])
        told = ""
        for rank, words, where in stated:
            if told and rank >= _CHANGED > stated[0][0]:
                break
            try:
                self.date = read_date(words)
                return
            except ValueError as error:
                told = told or f"{where}: {words[:40]!r} {error}; write it as YYYY-MM-DD.{UNDATED}"
        if told:
            self.warnings.append(told)
        elif dated := _DATED_NAME.match(name):
            try:
                self.date = date.fromisoformat(dated.group(1))
            except ValueError:
                return


def read_header(text: str, name: str) -> Header:
    """Read the header of an article.

    Args:
        text: the whole file.
        name: the file's path. If nothing else states the date, a name such as ``2014-03-03-title.md`` does.
    """
    header = Header()
    at = _next_line(text, 0, "\ufeff")
    end = _read_front_matter(text, at, header)
    if end is not None:
        header.body_start = end
        at = _next_line(text, end)
    dated = _DATED_LINE.match(text, at)
    if dated:
        header.state("date", _Value(dated.group(1), *dated.span(1)), "first line")
        header.title_start, header.title_end = _trim(text, dated.end(), _end(text, at))
        header.body_start = _read_lines_below(text, _end(text, at), header)
    elif header.title_end == 0:
        block_end = _read_block(text, at, header)
        if block_end is not None:
            header.body_start = block_end
            at = _next_line(text, block_end)
        if header.title_end == 0:
            _read_title(text, at, header)
    header.settle_date(name)
    return header


def states(line: str) -> bool:
    """Whether a line of a header states title, date, author or source, in any form of header."""
    key = _YAML_KEY.match(line) or _TOML_KEY.match(line)
    stated, rank = _FIELDS.get(_plain(key.group(2)), ("", 0)) if key else ("", 0)
    if stated:
        return stated != "url" and (stated != "date" or rank < _CHANGED)
    return _stated_by(line, 0, len(line)) is not None


# Front matter


def _read_front_matter(text: str, at: int, header: Header) -> int | None:
    """Read YAML between ``---`` lines or TOML between ``+++``. Returns where it ends, or None if there is none."""
    rule, start = text[at : _end(text, at)].rstrip(), _end(text, at) + 1
    if rule not in ("---", "+++"):
        return None
    toml = rule == "+++"
    key_line = _TOML_KEY if toml else _YAML_KEY
    opened = next((key_line.match(text, line.start()) for line in _CONTENT.finditer(text, start)), None)
    closing = re.compile(r"^\+\+\+[ \t]*$" if toml else r"^(?:---|\.\.\.)[ \t]*$", re.MULTILINE).search(text, start)
    if closing and opened and opened.start() < closing.start() and _is_data(text, start, closing.start(), toml):
        table = _TOML_TABLE.search(text, start, closing.start()) if toml else None
        _read_entries(text, start, table.start() if table else closing.start(), toml, header)
        return min(closing.end() + 1, len(text))
    if opened and _plain(opened.group(2)) in _FIELDS:
        header.warnings.append(f"front matter: no line with {rule} ends it; put one above the article's text.")
    return None


def _is_data(text: str, start: int, end: int, toml: bool) -> bool:
    """Whether lines that begin with a key are front matter, and not prose between two rules."""
    key_line = _TOML_KEY if toml else _YAML_KEY
    keys = {match.start(): _plain(match.group(2)) for match in key_line.finditer(text, start, end)}
    prose = [match.start() for match in _PROSE.finditer(text, start, end) if match.start() not in keys]
    if toml:
        prose = [at for at in prose if text[at] != "["]
    known = any(key in _FIELDS for key in keys.values())
    if not prose or (known and all(text[at - 2 : at] != "\n\n" for at in prose)):
        return True
    return _parsed(text[start:end], toml) is not None


def _read_entries(text: str, start: int, end: int, toml: bool, header: Header) -> None:
    """Read the keys that are known, each by itself, so that what is broken elsewhere does no harm."""
    keys = list((_TOML_KEY if toml else _YAML_KEY).finditer(text, start, end))
    for key, following in zip(keys, [*(each.start() for each in keys[1:]), end], strict=True):
        name = _plain(key.group(2))
        if name not in _FIELDS:
            continue
        value = _parsed_value(text, key, following, toml)
        if value is None:
            value = _value_of_line(text, key.end(), _FIELDS[name][0])
        if value is None:
            told = f"front matter: its {key.group(2)} cannot be read; write it on one line, in quotes."
            header.warnings.append(told)
        else:
            header.state(name, value, "front matter")


def _parsed(data: str, toml: bool) -> Any:
    """A mapping as the library reads it: a dictionary, or a node of YAML with its places. None if it is broken."""
    if len(data) > _MAX_FRONT_MATTER:
        return None
    if toml:
        try:
            return tomllib.loads(data)
        except (ValueError, RecursionError):
            return None
    import yaml  # late: only front matter needs it

    try:
        # Not load: nothing is made of it, no alias expanded, and every node has its place. YAML takes no tabs.
        node = yaml.compose(data.replace("\t", " "), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        return None
    return node if isinstance(node, yaml.MappingNode) else None


def _parsed_value(text: str, key: re.Match[str], end: int, toml: bool) -> _Value | None:
    """The value of a key, as the library reads it. None if it cannot, or if the value has no words of its own."""
    parsed = _parsed(text[key.start() : end], toml)
    if parsed is None:
        return None
    if not toml:
        return _yaml_value(text, parsed.value[0][1], key.start())
    value = next(iter(parsed.values()))
    values = value if isinstance(value, list) else [value]
    items = [each.get("name") if isinstance(each, dict) else each for each in values]
    if any(isinstance(each, dict | list | None) for each in items):
        return None
    string = _TOML_STRING.match(text, _trim(text, key.end(), end)[0], end)
    span = string.span(string.lastindex or 0) if string else _trim(text, key.end(), end)
    return _Value(", ".join(map(str, items)), *_trim(text, *span))


def _yaml_value(text: str, node: yaml.Node, base: int) -> _Value | None:
    """The words of a node: a scalar, a list of them, or a mapping with a name. Nothing deeper is read."""
    nodes = [_named(each) for each in (node.value if node.id == "sequence" else [node])]
    if any(each.id != "scalar" for each in nodes):
        return None
    null = "tag:yaml.org,2002:null"
    words = [each.value for each in nodes if each.tag != null]
    if not words:
        return _Value("", base, base)
    start, end = nodes[0].start_mark.index + base, nodes[-1].end_mark.index + base
    properties = _PROPERTIES.match(text, start)
    start = properties.end() if properties else start
    if nodes[0].style in ("|", ">"):
        start = text.index("\n", start)
    if len(nodes) == 1 and nodes[0].style in ("'", '"'):
        start, end = start + 1, end - 1
    return _Value(", ".join(words), *_trim(text, start, end))


def _named(node: yaml.Node) -> yaml.Node:
    """The name in a mapping such as ``{name: Jane Doe, url: …}``. Any other node as it is."""
    pairs = node.value if node.id == "mapping" else []
    return next((value for key, value in pairs if key.value == "name"), node)


def _value_of_line(text: str, start: int, field_name: str) -> _Value | None:
    """The rest of a line that the library cannot read, such as one with a second colon, without quotes around it."""
    start, end = _trim(text, start, _end(text, start))
    value = text[start:end]
    if not value or value[0] in ("|>" if field_name == "title" else "|>[") or _TEMPLATE.fullmatch(value):
        return None
    if value[0] == "{" and not value.startswith("{{") and field_name != "title":
        return None  # a mapping
    if len(value) > 1 and value[0] in "\"'" and value[-1] == value[0] and value[0] not in value[1:-1]:
        start, end = start + 1, end - 1
    return _Value(text[start:end], start, end)


# Header lines and titles


def _stated_by(text: str, start: int, end: int) -> list[tuple[str, _Value]] | None:
    """What a line outside front matter states, key by key; None if it is not a line of a header."""
    start, end = _trim(text, start, end)
    if start == end or end - start > LONGEST:
        return None
    pair = _KEY_LINE.match(text, start, end)
    name = _plain(pair.group(1)) if pair else ""
    if pair and name in _FIELDS:
        value = text[pair.end() : end]
        fits = {
            "title": True,
            "date": len(value) <= 60 and _WHOLE_DATE.search(value) is not None,
            "url": " " not in value,
        }.get(_FIELDS[name][0], len(value) <= 100 and not (len(value) > 40 and value.endswith(".")))
        return [(name, _Value(value, pair.end(), end))] if fits else None
    stated: list[tuple[str, _Value]] = []
    for low, high in _pieces(text, start, end):
        piece = text[low:high]
        author = author_of(piece)
        if author:
            stated.append(("author", _Value(author, high - len(author), high)))
        elif is_stamp(piece):
            if _WHOLE_DATE.search(piece):
                stated.append(("updated" if _CHANGING.match(piece) else "published", _Value(piece, low, high)))
            elif not _UPDATED.match(piece):  # a time alone
                return None
        else:
            return None
    return stated


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts of a line such as "By Jane Doe | 3 March 2014"."""
    for match in _BESIDE.finditer(text, start, end):
        yield start, match.start()
        start = match.end()
    yield start, end


def _read_block(text: str, at: int, header: Header) -> int | None:
    """Read a paragraph of header lines at the top of a file. Returns where it ends, or None if there is none."""
    lines = list(_paragraph(text, at))
    stated = [_stated_by(text, *line) for line in lines]
    if not stated or stated[0] is None or len(lines) > 3 * _MAX_LINES:
        return None
    if len(lines) == 1 and [name for name, _ in stated[0] if _FIELDS[name][0] in ("source", "url")]:
        return None  # one such line may be a headline
    if any(each is None and not _KEY_LINE.match(text, *line) for each, line in zip(stated, lines, strict=True)):
        return None
    end = lines[-1][1]
    if not text[end:].strip():
        return None
    for name, value in (pair for pairs in stated for pair in pairs or ()):
        header.state(name, value, "header")
    return min(end + 1, len(text))


def _read_lines_below(text: str, end: int, header: Header) -> int:
    """Read the header lines below a title: directly below, or paragraphs of them. Returns where the body begins."""
    for _ in range(_MAX_LINES):
        apart = end + 1 < len(text) and text[end + 1 : _end(text, end + 1)].strip() == ""
        lines = list(_paragraph(text, _next_line(text, end)))
        stated = [_stated_by(text, *line) for line in lines]
        count = next((number for number, each in enumerate(stated) if each is None), len(stated))
        if count == 0 or (apart and count < len(lines)) or not text[lines[count - 1][1] :].strip():
            break
        for name, value in (pair for pairs in stated[:count] for pair in pairs or ()):
            header.state(name, value, "header")
        end = lines[count - 1][1]
        if count < len(lines):
            break
    return min(end + 1, len(text))


def _read_title(text: str, at: int, header: Header) -> None:
    """Read the first line as the title if it is a heading or looks like a title, and has text below it."""
    end = _end(text, at)
    rest = text[end:]
    if not rest.strip():
        return
    below = end + 1, _end(text, end + 1)
    mark = _ATX.match(text, at, end)
    line, next_line = text[at:end], text[slice(*below)]
    if mark:
        closing = _ATX_END.search(text, mark.end(), end)
        header.title_start, header.title_end = _trim(text, mark.end(), closing.start() if closing else end)
    elif _SETEXT.match(next_line) and (is_title(line) or next_line.lstrip()[0] == "="):
        header.title_start, header.title_end = _trim(text, at, end)
        end = below[1]
    elif (
        is_title(line) and not (next_line.strip() and goes_on(line))
        if not next_line.strip() or _stated_by(text, *below) is not None
        else is_title_above(line, [text[slice(*each)] for each in _paragraph(text, below[0])])
    ):
        header.title_start, header.title_end = _trim(text, at, end)
    else:
        return
    if not text[end:].strip():
        header.title_start = header.title_end = 0
        return
    header.body_start = _read_lines_below(text, end, header)


# Lines


def _plain(key: str) -> str:
    return re.sub(r"[\s_-]", "", key).lower()


def _end(text: str, start: int) -> int:
    """Where the line ends that goes through ``start``, without its newline."""
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _next_line(text: str, at: int, skipped: str = "") -> int:
    """Where the next line begins that is not blank."""
    while at < len(text) and text[at] in f"\n \t{skipped}":
        at += 1
    return max(text.rfind("\n", 0, at) + 1, 0)


def _paragraph(text: str, at: int) -> Iterator[tuple[int, int]]:
    """The lines from a place on, up to a blank one."""
    while at < len(text) and text[at : _end(text, at)].strip():
        yield at, _end(text, at)
        at = _end(text, at) + 1


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without white space at its ends."""
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - (len(piece) - len(piece.rstrip()))
