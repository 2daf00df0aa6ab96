"""The actions of the page, without gradio: ask, open, list the library, add, remove.

``ClippingsError`` is caught here, and its message is shown on the page.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from index import add, add_text, remove
from index.errors import ClippingsError, QuestionError
from qa import answer
from ui import render, shelf

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from index import BuildReport
    from index.library import Library
    from index.reading.articles import Article
    from index.storage.rows import ArticleInfo
    from qa.bounds import Span

MAX_TURNS = 50
"""The most turns on the page. Older ones are dropped; they are not stored anywhere else."""

MAX_SPANS = 100
"""The most exact answers of one sentence that the page may send."""

_SPAN = re.compile("([0-9]{1,9})-([0-9]{1,9})")


class Turn(NamedTuple):
    """One question of a conversation, and its rendered answer."""

    question: str
    html: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a question changes on the page."""

    turns: tuple[Turn, ...]
    """The turns of this conversation. They exist only in this page's session."""
    page: str | None
    """HTML for the article pane, or ``None`` to leave it as it is."""
    article: int | None
    """The id of the article in ``page``, if there is one."""
    taken: bool
    """Whether the question was accepted. The question box is then emptied."""


class Desk:
    """One library and the actions on it. All sessions share it, so it does not store anything about a session."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._listed: tuple[int, list[ArticleInfo]] = (-1, [])

    def articles(self) -> list[ArticleInfo]:
        """The library's articles, the latest first. They are read again only if they have changed."""
        generation = self.library.generation
        if self._listed[0] != generation:
            self._listed = (generation, self.library.articles())
        return self._listed[1]

    def holds(self, number: int) -> bool:
        """Whether the article with this id is still in the library."""
        return any(article.id == number for article in self.articles())

    def ask(self, question: str, turns: Sequence[Turn], since: str = "", until: str = "", source: str = "") -> Reply:
        """Answer one question, after the earlier ones that it goes on from, and add the turn to the conversation."""
        try:
            first_day, last_day = parse_day(since, "From"), parse_day(until, "To")
            result = answer(
                question,
                self.library,
                k=render.MAX_CLIPPINGS,
                since=first_day,
                until=last_day,
                source=source or None,
                history=[turn.question for turn in turns if turn.question.strip()],
            )
        except ClippingsError as error:
            refused = Turn("", render.notice(question, str(error)))
            return Reply((*turns, refused)[-MAX_TURNS:], None, None, taken=False)
        turn = Turn(question, render.turn(result, _narrowed(first_day, last_day, source)))
        new_turns = (*turns, turn)[-MAX_TURNS:]
        if result.kind in ("talk", "articles"):
            return Reply(new_turns, None, None, taken=True)
        shown = result.evidence or result.candidates
        if not shown:
            return Reply(new_turns, render.nothing_marked(), None, taken=True)
        first = render.clipping_of_evidence(shown[0])
        return Reply(new_turns, render.article_page(first.article, first), first.article.id, taken=True)

    def open(self, place: Mapping[str, object]) -> tuple[str, int | None]:
        """The HTML and the id of the article at a place from ``render.place``, marked there."""
        article = self._article(place)
        if article is None:
            return render.article_gone(), None
        start, end = _int(place.get("start")), _int(place.get("end"))
        clipping = None
        if start is not None and end is not None and 0 <= start < end <= len(article.text):
            context = _spans(place.get("context"))
            clipping = render.clipping_at(
                article, start, end, _spans(place.get("exact")), context[0] if context else None
            )
        return render.article_page(article, clipping), article.id

    def add_files(self, paths: Sequence[str]) -> Iterator[str]:
        """Add files to the library one by one, yielding the HTML to show. Each file can be searched at once."""
        good: list[str] = []
        bad: list[str] = []
        for done, path in enumerate(map(Path, paths)):
            yield shelf.progress(done, len(paths), path.name)
            try:
                result = add([path], self.library.path)
            except (ClippingsError, OSError) as error:
                bad.append(f"{path.name}: {error}")
                continue
            bad += _remarks(result)
            if result.added or result.changed:
                good.append(f"Added {path.name}. Ask it something.")
            elif result.unchanged:
                good.append(f"{path.name} is already in the library.")
        yield shelf.report(good, bad)

    def add_pasted(self, text: str, title: str = "", date: str = "", source: str = "") -> tuple[str, bool]:
        """Add a pasted article. Returns the HTML to show, and whether it was added."""
        try:
            result = add_text(text, self.library.path, title=title, date=date, source=source)
        except (ClippingsError, OSError) as error:
            return shelf.report([], [str(error)]), False
        if not (result.added or result.changed):
            return shelf.report([], _remarks(result)), False
        return shelf.report([f"Added {title.strip() or 'the article'}. Ask it something."], _remarks(result)), True

    def remove(self, place: Mapping[str, object]) -> str:
        """Move an article's file to .trash and remove it from the library. Returns the HTML to show."""
        article = self._article(place)
        if article is None:
            return shelf.report([], ["This article is no longer in the library."])
        try:
            remove([article.path], self.library.path)
        except (ClippingsError, OSError) as error:
            return shelf.report([], [str(error)])
        return shelf.report([f"Removed {article.title}. Its file is in .trash, in the corpus folder."])

    def _article(self, place: Mapping[str, object]) -> Article | None:
        number = _int(place.get("article"))
        return self.library.article(number) if number is not None and self.holds(number) else None


def parse_day(text: str | None, label: str) -> datetime.date | None:
    """A typed day, YYYY-MM-DD, or None for an empty text. Raises QuestionError for anything else."""
    typed = (text or "").strip()
    if not typed:
        return None
    try:
        return datetime.date.fromisoformat(typed)
    except ValueError as error:
        raise QuestionError(
            f"{label}: {typed[:40]!r} is not a date; write it as YYYY-MM-DD, like 2022-01-31."
        ) from error


def _narrowed(since: datetime.date | None, until: datetime.date | None, source: str) -> str:
    """A description of the articles that a question was restricted to; empty if it was not. The controls that show
    this may be folded."""
    parts = [
        f"from {source}" if source else "",
        f"since {render.day(since)}" if since else "",
        f"until {render.day(until)}" if until else "",
    ]
    return " ".join(filter(None, parts))


def _remarks(report: BuildReport) -> list[str]:
    """The messages of a report: reasons for skipped files, and warnings."""
    remarks = [why for _, why in report.skipped]
    return remarks + [f"{Path(name).name}: {warning}" for name, warning in report.warnings]


def _int(value: object) -> int | None:
    """A number from the page, or None if the value is not a number."""
    try:
        return int(str(value))
    except ValueError:
        return None


def _spans(value: object) -> list[Span]:
    """Spans from the page in the form of ``render.place``, or an empty list if the value has another form."""
    words = str(value or "").split()
    matches = [match for word in words if (match := _SPAN.fullmatch(word))]
    if len(matches) != len(words) or len(matches) > MAX_SPANS:
        return []
    return [(int(match[1]), int(match[2])) for match in matches]
