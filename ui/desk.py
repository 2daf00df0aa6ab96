"""What a person can do on the page, without gradio: ask, open, look through the library, add, remove.

This is a boundary: it catches ``ClippingsError`` and puts its message where the person looks.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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
"""Older turns leave the page; they are kept nowhere else."""

MAX_SPANS = 100
"""Exact answers of one sentence that are taken from the page."""

_SPAN = re.compile("([0-9]{1,9})-([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Reply:
    """What asking changes on the page."""

    turns: tuple[str, ...]
    """The rendered turns of this conversation. They live in this page's session only."""
    page: str | None
    """What to show in the article's place, or ``None`` to leave what is there."""
    article: int | None
    """The id of that article, if it is one."""
    taken: bool
    """Whether the question was taken, so that the box may be emptied."""


class Desk:
    """One library, and what the page does with it; shared by all sessions, so it keeps nothing of any."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._listed: tuple[int, list[ArticleInfo]] = (-1, [])

    def articles(self) -> list[ArticleInfo]:
        """The library's articles, the latest first; listed anew only when they have changed."""
        generation = self.library.generation
        if self._listed[0] != generation:
            self._listed = (generation, self.library.articles())
        return self._listed[1]

    def holds(self, number: int) -> bool:
        """Whether the article of this id is in the library still."""
        return any(article.id == number for article in self.articles())

    def ask(self, question: str, turns: Sequence[str], since: str = "", until: str = "", source: str = "") -> Reply:
        """Answer one question by itself, and add the turn to the conversation."""
        try:
            first_day, last_day = parse_day(since, "From"), parse_day(until, "To")
            said = answer(
                question,
                self.library,
                k=render.MAX_CLIPPINGS,
                since=first_day,
                until=last_day,
                source=source or None,
            )
        except ClippingsError as error:
            return Reply((*turns, render.notice(question, str(error)))[-MAX_TURNS:], None, None, taken=False)
        told = (*turns, render.turn(said, _narrowed(first_day, last_day, source)))[-MAX_TURNS:]
        if not said.found or not said.evidence:
            return Reply(told, render.nothing_marked(), None, taken=True)
        first = render.clipping_of_evidence(said.evidence[0])
        return Reply(told, render.article_page(first.article, first), first.article.id, taken=True)

    def open(self, place: Mapping[str, object]) -> tuple[str, int | None]:
        """The article at a place that ``render.place`` wrote, marked there, and its id."""
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
        """Add files to the library one by one, yielding what to show; each is askable at once."""
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
        """Add a pasted article; returns what to show, and whether it was added."""
        try:
            result = add_text(text, self.library.path, title=title, date=date, source=source)
        except (ClippingsError, OSError) as error:
            return shelf.report([], [str(error)]), False
        if not (result.added or result.changed):
            return shelf.report([], _remarks(result)), False
        return shelf.report([f"Added {title.strip() or 'the article'}. Ask it something."], _remarks(result)), True

    def remove(self, place: Mapping[str, object]) -> str:
        """Move an article's file to .trash and take it out of the library; returns what to show."""
        article = self._article(place)
        if article is None:
            return shelf.report([], ["This article has left the library already."])
        try:
            remove([article.path], self.library.path)
        except (ClippingsError, OSError) as error:
            return shelf.report([], [str(error)])
        return shelf.report([f"Removed {article.title}. Its file is in .trash, in the corpus folder."])

    def _article(self, place: Mapping[str, object]) -> Article | None:
        number = _int(place.get("article"))
        return self.library.article(number) if number is not None and self.holds(number) else None


def parse_day(text: str | None, label: str) -> datetime.date | None:
    """A day as typed, YYYY-MM-DD, or None where nothing is. Raises QuestionError on anything else."""
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
    """To which articles a question was put, in words; nothing if to all. The controls may be folded away."""
    parts = [
        f"from {source}" if source else "",
        f"since {render.day(since)}" if since else "",
        f"until {render.day(until)}" if until else "",
    ]
    return " ".join(filter(None, parts))


def _remarks(report: BuildReport) -> list[str]:
    """What a report has to say about files that were skipped, or not fully understood."""
    remarks = [why for _, why in report.skipped]
    return remarks + [f"{Path(name).name}: {what}" for name, what in report.warnings]


def _int(value: object) -> int | None:
    """A number that came from the page, or None if it is none."""
    try:
        return int(str(value))
    except ValueError:
        return None


def _spans(value: object) -> list[Span]:
    """Spans as ``render.place`` writes them, or none if anything else came from the page."""
    words = str(value or "").split()
    found = [span for word in words if (span := _SPAN.fullmatch(word))]
    if len(found) != len(words) or len(found) > MAX_SPANS:
        return []
    return [(int(span[1]), int(span[2])) for span in found]
