"""Split an article into sentences and passages, as half-open character offsets into its text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from index.reading.articles import Article
from index.reading.markup import blanked
from index.reading.tokens import TokenCounter

PASSAGE_TOKENS = 160
"""Default budget of a passage, in tokens of the passage vocabulary (about 120 English words)."""

_BLANK_LINES = re.compile(r"\n[^\S\n]*\n\s*")
_UNIT_START = re.compile(r"[ \t]*(?:#{1,6} |[-*•>] |\d{1,3}[.)] |\|)")
_SENTENCE_END = re.compile(r"[.!?…:;][\"'”’»)\]]*$")
_SPACES = "".join(char for char in map(chr, range(0x80, 0x3001)) if char.isspace())
_PLAIN = str.maketrans(dict.fromkeys('"“”„«»‘' + _SPACES, " "))
_CLOSING = re.compile(r"[\"”’»')\]]*")
_QUOTE_END = re.compile(r"[?!.…,][\"”’»']+$")
_QUOTED_QUESTION_END = re.compile(r"[?!…,][\"”’»']+$")
_SAID = re.compile(
    r"(?:(?:(?:Mr|Mrs|Ms|Dr|Gen|Sen|[A-Z])\.|[\w’'-]+) ){1,4}"
    r"(?:said|says|asked|asks|added|told|wrote|tweeted|replied)\b"
)
_TIME_END = re.compile(r"\d ?[ap]\.m\.$")
_AFTER_TIME = re.compile(r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b|(?:[A-Z][a-z]{2,3}\.|[A-Z][a-z]{2,8}) \d")
_BEFORE_NUMBER = re.compile(r"(?<!\w)(?:approx|ca|vols?|ch|art|figs?|nos?|pp?)\.$", re.IGNORECASE)
_ZONE = re.compile(
    r"(?:GMT|UTC|BST|CES?T|WES?T|EES?T|[ECMP][SD]T|A[ECW][SD]T|[IJK]ST|MSK|NZ[SD]T|SAST)\b(?! [A-Z])"
    r"|[ECMP]T(?=[,;)]| [a-z(])"
    r"|(?!(?:This|That|Last|Next|Some|Every|Each|Any|Another|First|Full|Half|By|At)\b)(?:[A-Z][\w’']+ ){1,3}time\b"
)
MAX_SENTENCE_CHARS = 500
"""A longer sentence is cut: nothing would be found in a transcript that is one sentence of 25,000 characters."""
_PIECE_CHARS = (200, 400)
"""The least and the most characters of the pieces, but for the last one."""
_BREAKS = tuple(map(re.compile, (r"[.!?;:—–]\s", r"\n", r",\s", r"\s")))
"""Where long sentences are cut, the best places first."""
_AT_ONCE = 10_000
"""The most characters that sentencex gets: its time grows with their square for some texts."""
_WRAP_WIDTH = (45, 110)
"""Shortest and longest width, in characters, of lines that were wrapped by hand."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, ``article.text[start:end]``, without white space at its ends."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Passage:
    """Consecutive sentences within a token budget. ``article.text[start:end]`` is their text."""

    start: int
    end: int
    sentences: tuple[Sentence, ...]


def split(article: Article, counter: TokenCounter, budget: int = PASSAGE_TOKENS) -> list[Passage]:
    """Split an article's body into passages of whole sentences.

    Passages are in order and do not overlap. Together they hold every sentence of the body once.
    A passage has at most ``budget`` tokens, unless a single sentence is longer. The title is in no passage.
    """
    sentences = split_sentences(article.text, article.body_start, article.markdown)
    texts = [article.read(s.start, s.end) for s in sentences]
    return [
        Passage(sentences[i].start, sentences[j - 1].end, tuple(sentences[i:j]))
        for i, j in _pack(counter.count_batch(texts), budget)
    ]


def split_sentences(text: str, start: int = 0, markdown: bool = False) -> list[Sentence]:
    """The sentences of ``text[start:]``. Every character that is not white space is in exactly one.

    In Markdown, the marks are not looked at: a link's target holds no end of a sentence.

    sentencex finds the boundaries inside a paragraph. A blank line always ends a sentence. A sentence of more than
    ``MAX_SENTENCE_CHARS`` is cut.
    """
    sentences: list[Sentence] = []
    blocks = (piece for span in paragraphs(text, start) for piece in _pieces(text, *span, _AT_ONCE, (1, _AT_ONCE)))
    for block_start, block_end in blocks:
        block = text[block_start:block_end]
        cuts = _cuts(blanked(text, block_start, block_end, markdown))
        for begin, end in zip([0, *cuts], [*cuts, len(block)], strict=True):
            piece = block[begin:end]
            stripped = piece.strip()
            if stripped:
                at = block_start + begin + len(piece) - len(piece.lstrip())
                spans = _pieces(text, at, at + len(stripped), MAX_SENTENCE_CHARS, _PIECE_CHARS)
                sentences += [Sentence(low, high) for low, high in spans]
    return sentences


def _pieces(text: str, start: int, end: int, most: int, size: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """The span, or if it is longer than ``most`` its pieces of the given size, without white space at their ends."""
    while end - start > most:
        low, high = start + size[0], start + size[1]
        found = (next(reversed([*pattern.finditer(text, low, high)]), None) for pattern in _BREAKS)
        cut = next((match.end() for match in found if match), high)
        yield start, start + len(text[start:cut].rstrip())
        start = cut + len(text[cut:end]) - len(text[cut:end].lstrip())
    if start < end:
        yield start, end


def _cuts(block: str) -> list[int]:
    """Where a paragraph's second and later sentences begin.

    sentencex treats everything between quotation marks as one sentence, but a quotation may hold several.
    So it gets the paragraph without quotation marks, and the marks are assigned to sentences here.
    It panics at "plan B\u00a0.", so all white space is replaced by plain spaces.
    """
    import sentencex  # late: only building needs a splitter

    plain, end = block.translate(_PLAIN), len(block.rstrip())
    cuts: list[int] = []
    last = 0
    for boundary in sentencex.get_sentence_boundaries("en", plain):
        cut = boundary["start_index"]
        while cut > last and plain[cut - 1].isspace():
            cut -= 1
        # Marks that touch the sentence before close it. Marks after the white space open the next one.
        closing = _CLOSING.match(block, cut)
        cut = closing.end() if closing and cut else cut
        if last < cut < end and not any(goes_on(block, cut) for goes_on in _GOING_ON):
            cuts.append(cut)
            last = cut
    return cuts


def _goes_on_after_quote(block: str, cut: int) -> bool:
    """Whether a sentence goes on after the quotation in it has ended: “Who pays?” he asked."""
    before, rest = block[max(0, cut - 8) : cut], block[cut : cut + 80].lstrip()
    if rest[:1].islower():
        return _QUOTE_END.search(before) is not None
    return _QUOTED_QUESTION_END.search(before) is not None and _SAID.match(rest) is not None


def _goes_on_after_time(block: str, cut: int) -> bool:
    """Whether the sentence goes on after "p.m." with a time zone or a day: 6:04 p.m. Indian time, 8 p.m. Thursday."""
    rest = block[cut : cut + 80].lstrip()
    timed = _TIME_END.search(block[max(0, cut - 8) : cut]) is not None
    return timed and (_ZONE.match(rest) is not None or _AFTER_TIME.match(rest) is not None)


def _goes_on_after_abbreviation(block: str, cut: int) -> bool:
    """Whether the full stop is within a name, or ends an abbreviation before a number: KDE.NEWS, approx. 3."""
    if block[cut - 1] == "." and block[cut].isalnum():
        return True
    return _BEFORE_NUMBER.search(block[max(0, cut - 8) : cut]) is not None and block[cut:].lstrip()[:1].isdigit()


_GOING_ON = (_goes_on_after_quote, _goes_on_after_time, _goes_on_after_abbreviation)


def paragraphs(text: str, start: int = 0) -> list[tuple[int, int]]:
    """Spans of the paragraphs of ``text[start:]``: each line is one, except that wrapped lines are joined."""
    spans: list[tuple[int, int]] = []
    blocks: list[tuple[int, int]] = []
    for gap in _BLANK_LINES.finditer(text, start):
        blocks.append((start, gap.start()))
        start = gap.end()
    blocks.append((start, len(text)))
    for begin, end in blocks:
        lines = _lines(text, begin, end)
        current = -1
        for number, (line_start, line_end) in enumerate(lines):
            goes_on = number > 0 and _goes_on(text, lines[number - 1], (line_start, line_end))
            if goes_on and current >= 0:
                spans[-1] = (spans[-1][0], line_end)
            else:
                spans.append((line_start, line_end))
                current = len(spans) - 1
    return spans


def _lines(text: str, begin: int, end: int) -> list[tuple[int, int]]:
    """Spans of the non-blank lines, without white space at their ends."""
    lines = []
    while begin < end:
        newline = text.find("\n", begin, end)
        stop = end if newline < 0 else newline
        line = text[begin:stop]
        if line.strip():
            lines.append((stop - len(line.lstrip()), begin + len(line.rstrip())))
        begin = stop + 1
    return lines


def _goes_on(text: str, above: tuple[int, int], below: tuple[int, int]) -> bool:
    """Whether a line continues the one above it, as in text wrapped at a column."""
    width = above[1] - above[0]
    if _UNIT_START.match(text, below[0], below[1]):
        return False
    if text[below[0] : below[1]].lstrip()[:1].islower():
        return True
    if not _WRAP_WIDTH[0] <= width <= _WRAP_WIDTH[1]:
        return False
    first_word = text[below[0] : below[1]].split(maxsplit=1)[0]
    # A wrapped line breaks where the next word no longer fits. A paragraph can end anywhere.
    return width + 1 + len(first_word) > 64 or not _SENTENCE_END.search(text[above[0] : above[1]].rstrip())


def _pack(counts: Sequence[int], budget: int) -> list[tuple[int, int]]:
    """Group consecutive sentences into ranges [i, j) of about equal size within the budget."""
    ranges: list[tuple[int, int]] = []
    remaining = sum(counts)
    i = 0
    while i < len(counts):
        passages_left = max(1, -(-remaining // budget))
        target = remaining / passages_left
        j, size = i + 1, counts[i]
        while j < len(counts) and size + counts[j] <= budget and size + counts[j] / 2 <= target:
            size += counts[j]
            j += 1
        ranges.append((i, j))
        remaining -= size
        i = j
    return ranges
