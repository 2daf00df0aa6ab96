"""Make HTML from articles and spans with pure functions: slice, escape each slice, then mark it.

Article text is not trusted. All text from an article or a question goes through ``escape``. Nothing else
in the project turns such text into HTML.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape as _escape_html
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from index.reading.passages import paragraphs

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Iterable, Sequence

    from index.reading.articles import Article
    from index.storage.rows import ArticleInfo
    from qa import Answer, Evidence, Hit
    from qa.bounds import Span

MAX_CLIPPINGS = 5
"""The answering sentence and up to four more."""

READ_WITH = "Read with the marked sentence"
"""The title of a marked context. style.css makes screen readers say it."""

_MONTHS = "January February March April May June July August September October November December".split()
_TEMPLATE_SIGNS = {"`": "&#96;", "$": "&#36;", "{": "&#123;", "}": "&#125;"}
_REORDERING = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Characters that change the direction of the text after them."""
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and lone surrogates, which a file name in an unknown encoding contains."""


@dataclass(frozen=True, slots=True)
class Clipping:
    """A sentence of an article, ``article.text[start:end]``, and what to mark; see ``clipping_at``."""

    article: Article
    start: int
    end: int
    exact: tuple[Span, ...] = ()
    """The exact answers within the sentence, in order and without overlap. Empty if the whole sentence answers."""
    context: Span | None = None
    """The neighbouring sentence that is needed to understand this one."""

    @property
    def sentence(self) -> str:
        return self.article.read(self.start, self.end)

    @property
    def sentences(self) -> list[Span]:
        """The sentence and its context, in the text's order."""
        return sorted([(self.start, self.end), *([self.context] if self.context else [])])

    @property
    def answers(self) -> list[str]:
        """The exact answers, or else the sentence."""
        return [self.article.read(start, end) for start, end in self.exact] or [self.sentence]


def clipping_at(
    article: Article, start: int, end: int, exact: Iterable[Span] = (), context: Span | None = None
) -> Clipping:
    """A clipping with the valid spans. Overlapping answers are merged.

    An answer must be inside the sentence and the context outside it. Other spans are left out.
    """
    answers: list[Span] = []
    for first, last in sorted(exact):
        if not start <= first < last <= end:
            continue
        if answers and first < answers[-1][1]:
            answers[-1] = (answers[-1][0], max(answers[-1][1], last))
        else:
            answers.append((first, last))
    if answers == [(start, end)]:
        answers = []
    if context and not (0 <= context[0] < context[1] <= len(article.text)):
        context = None
    if context and context[0] < end and start < context[1]:
        context = None
    return Clipping(article, start, end, tuple(answers), context)


def clipping_of_hit(hit: Hit) -> Clipping:
    return Clipping(hit.article, hit.start, hit.end)


def clipping_of_evidence(evidence: Evidence) -> Clipping:
    hit = evidence.hit
    return clipping_at(hit.article, hit.start, hit.end, evidence.spans, evidence.context)


# Text


def escape(text: str) -> str:
    """Text as HTML that only shows it, for use inside an element.

    Characters that would reorder the text around them are shown as their code points.
    """
    return _REORDERING.sub(_show_character, _escape(text))


def attribute(text: str) -> str:
    """Text for an attribute in double quotes, on one line."""
    return _escape(plain(text))


def clean(text: str) -> str:
    """Text that can be written as UTF-8 and shown. Control characters become U+FFFD."""
    return _CONTROLS.sub("\ufffd", text)


def _escape(text: str) -> str:
    safe = _escape_html(clean(text), quote=True)
    for sign, entity in _TEMPLATE_SIGNS.items():  # gradio's templates look for these
        safe = safe.replace(sign, entity)
    return safe


def _show_character(match: re.Match[str]) -> str:
    return f'<span class="unseen">U+{ord(match.group()):04X}</span>'


def plain(text: str) -> str:
    """Text on one line without characters that reorder or control it, for attributes and citations."""
    return " ".join(_CONTROLS.sub(" ", _REORDERING.sub("", text)).split())


def inline(text: str) -> str:
    """Text of an article within the page's own text. Its direction does not affect the text around it."""
    return f"<bdi>{escape(text)}</bdi>"


def slices(text: str, start: int, end: int, clipping: Clipping | None) -> str:
    """``text[start:end]`` as HTML, with the parts of the clipping marked."""
    if clipping is None:
        return escape(text[start:end])
    html, at = [], start
    for first, last in _within(start, end, clipping.sentences):
        html += [escape(text[at:first]), marked(lambda a, b: text[a:b], first, last, clipping)]
        at = last
    return "".join([*html, escape(text[at:end])])


def marked(said: Callable[[int, int], str], start: int, end: int, clipping: Clipping) -> str:
    """A part of the clipping's sentence or of its context, as a mark.

    ``said`` gives what is shown of a span of the article: the file's text, or what it says without its markup.
    """
    if not clipping.start <= start < clipping.end:
        return f'<mark class="context" title="{READ_WITH}">{escape(said(start, end))}</mark>'
    html, at = [], start
    for first, last in _within(start, end, clipping.exact):
        html += [escape(said(at, first)), f'<mark class="exact">{escape(said(first, last))}</mark>']
        at = last
    return f'<mark class="sentence">{"".join([*html, escape(said(at, end))])}</mark>'


def _within(start: int, end: int, spans: Iterable[Span]) -> list[Span]:
    """The parts of the spans that are in ``[start, end)``."""
    clipped = [(max(start, first), min(end, last)) for first, last in spans]
    return [(first, last) for first, last in clipped if first < last]


def day(date: datetime.date) -> str:
    """A date for readers: 26 September 2021."""
    return f"{date.day} {_MONTHS[date.month - 1]} {date.year}"


def number(count: int, singular: str, plural: str) -> str:
    """A count with its noun: 1 article, 2 articles."""
    return f"{count:,} {singular if count == 1 else plural}"


# Where a clipping comes from


def byline(article: Article | ArticleInfo) -> str:
    """The source and the date of an article, if they are known."""
    parts = [f'<span class="source">{inline(article.source)}</span>'] if article.source else []
    if article.date:
        parts.append(_time(article.date))
    return ' <span class="dot" aria-hidden="true">·</span> '.join(parts)


def _time(date: datetime.date) -> str:
    return f'<time datetime="{date.isoformat()}">{day(date)}</time>'


def origin(article: Article) -> str:
    """The title, source and date of an article, on one line."""
    about = byline(article)
    title = f'<span class="title">{inline(article.title)}</span>'
    return f'{title} <span class="dot" aria-hidden="true">·</span> {about}' if about else title


def citation(clipping: Clipping) -> str:
    """The sentence, title, source and date, as plain text to paste."""
    article = clipping.article
    parts = [plain(article.title), plain(article.source or "")]
    parts.append(day(article.date) if article.date else "")
    sentence = plain(clipping.sentence)
    if not sentence.startswith(("“", '"', "„", "«")):
        sentence = f"“{sentence}”"
    return f"{sentence} ({', '.join(part for part in parts if part)})"


def place(clipping: Clipping) -> str:
    """The attributes that say which clipping a button opens, and which clipping an open article shows."""
    return (
        f'data-article="{clipping.article.id}" data-start="{clipping.start}" data-end="{clipping.end}" '
        f'data-exact="{_numbers(clipping.exact)}" '
        f'data-context="{_numbers([clipping.context] if clipping.context else [])}"'
    )


def _numbers(spans: Iterable[Span]) -> str:
    return " ".join(f"{start}-{end}" for start, end in spans)


def card(clipping: Clipping, *, with_sentence: bool = True, lead: bool = False) -> str:
    """A clipping to click. The sentence with its origin opens the article, a second button copies the citation.

    The lead shows the sentence with its context.
    """
    sentences = clipping.sentences if lead else [(clipping.start, clipping.end)]
    quoted = f'<span class="quote" dir="auto">{_in_a_row(clipping, sentences)}</span>' if with_sentence else ""
    return (
        f'<div class="clipping{" lead" if lead else ""}">'
        f'<button type="button" class="open" data-event="open" {place(clipping)}>'
        f'{quoted}<span class="origin">{origin(clipping.article)}</span></button>'
        f'<button type="button" class="copy" data-citation="{attribute(citation(clipping))}" '
        'aria-label="Copy as a citation" title="Copy as a citation">Copy</button></div>'
    )


def _in_a_row(clipping: Clipping, sentences: Sequence[Span]) -> str:
    """Sentences of the clipping on one line, with … between them if the article has more text there."""
    text = clipping.article.text
    through = clipping.article.through(sentences[0][0], sentences[-1][1])

    def said(start: int, end: int) -> str:
        return through.text[slice(*through.in_text((start, end)))]

    html = marked(said, *sentences[0], clipping)
    for (_, before), (start, end) in pairwise(sentences):
        gap = " … " if text[before:start].strip() else " "
        html += f"{gap}{marked(said, start, end, clipping)}"
    return html


# The conversation


def sureness(confidence: float) -> str:
    """The confidence of an answer in words."""
    if confidence >= 0.85:
        return "Very sure"
    if confidence >= 0.6:
        return "Fairly sure"
    if confidence >= 0.35:
        return "Not very sure: read the clipping"
    return "Unsure: read the clipping before you rely on it"


def turn(answer: Answer, narrowed: str = "") -> str:
    """One question with its answer. ``narrowed`` describes the articles that were searched, if not all."""
    body = _BODIES.get(answer.kind, _found if answer.evidence else _not_found)(answer)
    if answer.understood not in ("", answer.question):
        body = f'<p class="note">Taken as: {escape(answer.understood)}</p>{body}'
    notes = [f"Only articles {narrowed} were searched."] if narrowed else []
    if answer.undated_excluded:
        left_out = number(answer.undated_excluded, "article", "articles")
        notes.append(f"{left_out} without a date left out, because you set dates.")
    return _turn(answer.question, body + "".join(f'<p class="note">{escape(note)}</p>' for note in notes))


def notice(question: str, message: str) -> str:
    """One question that could not be used, and why."""
    return _turn(question, f'<p class="refused" role="alert">{escape(message)}</p>')


def _turn(question: str, body: str) -> str:
    shown = question if len(question) <= 400 else f"{question[:400]} …"
    heading = f'<h2 class="question" dir="auto">{escape(shown)}</h2>' if shown.strip() else ""
    return f'<article class="turn">{heading}{body}</article>'


def _talk(answer: Answer) -> str:
    return f'<p class="unsaid">{escape(answer.text)}</p>'


def _articles(answer: Answer) -> str:
    items = "".join(f"<li>{card(Clipping(article, *_title(article)))}</li>" for article in answer.articles)
    count = number(len(answer.articles), "article", "articles")
    return f'<p class="answer">{count}</p><ul class="clippings">{items}</ul>'


def _title(article: Article) -> Span:
    """The title, or the beginning of the text."""
    start, end = article.title_start, article.title_end
    return (start, end) if start < end else (article.body_start, min(len(article.text), article.body_start + 80))


def _overview(answer: Answer) -> str:
    return _cards("In the order of date", [clipping_of_evidence(evidence) for evidence in answer.evidence])


def _unsure(answer: Answer) -> str:
    candidates = [clipping_of_evidence(evidence) for evidence in answer.candidates]
    nearest = [clipping_of_hit(hit) for hit in answer.nearest[: MAX_CLIPPINGS - len(candidates)]]
    doubt = f'<p class="unsaid">{escape(answer.reason)}</p>'
    return f"{doubt}{_cards('It may be one of these', candidates)}{_cards('What comes nearest', nearest)}"


def _found(answer: Answer) -> str:
    first, *more = [clipping_of_evidence(evidence) for evidence in answer.evidence[:MAX_CLIPPINGS]]
    text = "; ".join(map(escape, first.answers))
    if answer.date:
        text += f' <span class="day">({escape(f"{answer.date:%A}")}, {day(answer.date)})</span>'
    return (
        f'<p class="answer{"" if first.exact else " whole"}" dir="auto">{text}</p>'
        f"{card(first, with_sentence=bool(first.exact or first.context), lead=True)}"
        f'<p class="sure">{sureness(answer.confidence)}</p>'
        f"{_cards('More clippings', more)}"
    )


def _not_found(answer: Answer) -> str:
    reason = escape(answer.reason)
    nearest = [clipping_of_hit(hit) for hit in answer.nearest[:MAX_CLIPPINGS]]
    return f'<p class="unsaid">{reason}</p>{_cards("What comes nearest", nearest)}'


_BODIES: dict[str, Callable[[Answer], str]] = {
    "fact": _found,
    "yes-no": _found,
    "overview": _overview,
    "articles": _articles,
    "talk": _talk,
    "candidates": _unsure,
}


def _cards(heading: str, clippings: Sequence[Clipping]) -> str:
    if not clippings:
        return ""
    items = "".join(f"<li>{card(clipping)}</li>" for clipping in clippings)
    return f'<h3 class="more">{heading}</h3><ul class="clippings">{items}</ul>'


def conversation(turns: Iterable[str], opening: str) -> str:
    """The turns so far, or the opening if there are none."""
    turns_html = "".join(turns)
    clear = '<button type="button" class="quiet clear" data-event="clear">Clear the conversation</button>'
    content = turns_html + clear if turns_html else opening
    return f'<div class="talk" role="log" aria-label="Conversation" aria-live="polite">{content}</div>'


# The article


def article_page(article: Article, clipping: Clipping | None = None) -> str:
    """The whole article, with the clipping's sentence, exact answers and context marked."""
    text = article.text
    title = slices(text, article.title_start, article.title_end, clipping) or escape(article.title)
    body = [_paragraph(text, start, end, clipping) for start, end in paragraphs(text, article.body_start)]
    author = f"By {inline(article.author)}" if article.author else ""
    about = [part for part in (byline(article), author, _link(article.url)) if part]
    attributes = place(clipping) if clipping else f'data-article="{article.id}"'
    return (
        f'<article class="page" {attributes}>'
        f'<header><h1 tabindex="-1" dir="auto">{title}</h1>'
        f'<p class="byline">{" <span class=dot aria-hidden=true>·</span> ".join(about)}</p></header>'
        f'<div class="body">{"".join(body)}</div>'
        f'<footer class="file">{inline(article.path)}</footer></article>'
    )


def _link(url: str | None) -> str:
    """A link to the original, or nothing if the URL is not http or https."""
    try:
        on_the_web = urlsplit(url or "").scheme in ("http", "https")
    except ValueError:  # as for http://[x
        on_the_web = False
    if not url or not on_the_web:
        return ""
    return f'<a href="{attribute(url)}" target="_blank" rel="noopener noreferrer">Original</a>'


def _paragraph(text: str, start: int, end: int, clipping: Clipping | None) -> str:
    short = end - start <= 60 and text[end - 1].isalnum() and end < len(text.rstrip())
    kind = ' class="subhead"' if short else ""
    return f'<p dir="auto"{kind}>{slices(text, start, end, clipping)}</p>'


def nothing_marked() -> str:
    """The article pane when nothing answers. A marked sentence there would look like an answer."""
    return (
        '<div class="blank"><p>Nothing is marked, because no sentence answers the question.</p>'
        "<p>A clipping from the conversation opens here.</p></div>"
    )


def article_gone() -> str:
    """The article pane when the article is no longer in the library."""
    return (
        '<div class="blank"><p>This article has been changed or removed since.</p>'
        "<p>Ask again to see what the articles say now.</p></div>"
    )
