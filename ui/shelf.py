"""The HTML of the library: the opening, the front page, the searchable list, and reports of changes; and the
examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qa.question import fold
from ui.render import attribute, byline, day, escape, inline, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from index.storage.rows import ArticleInfo

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qa import answer

if TYPE_CHECKING:
    from index.library import Library


MAX_ROWS = 200
"""The most articles in the list. A longer list does not help and is slow to draw; searching finds the others."""

FRONT_PAGE_ARTICLES = 8

ADDING = (
    '<p class="note">Text files, .txt or .md. A first line such as <code>date 2022-01-31 The title</code> '
    "gives an article its date and title.</p>"
)


def search(articles: Iterable[ArticleInfo], words: str) -> list[ArticleInfo]:
    """The articles whose title, source, date and file name contain all words, compared by ``qa.question.fold``."""
    folded = fold(words).split()
    return [article for article in articles if all(word in _label(article) for word in folded)]


def _label(article: ArticleInfo) -> str:
    dates = f"{article.date.isoformat()} {day(article.date)}" if article.date else ""
    return fold(" ".join((article.title, article.source or "", dates, article.path)))


def masthead(count: int) -> str:
    """The name of the page, and buttons for its two rooms: ask and library."""
    return (
        '<div class="masthead"><p class="name">Clippings</p>'
        '<p class="motto">Ask your articles. See where they say so.</p>'
        '<nav aria-label="Rooms">'
        '<button type="button" data-room="ask" aria-current="page">Ask</button>'
        f'<button type="button" data-room="library">Library <span class="count">{count:,}</span></button>'
        "</nav></div>"
    )


def opening(articles: Sequence[ArticleInfo], examples: Sequence[str]) -> str:
    """The start of the conversation pane: an invitation to ask, or to add the first article."""
    if not articles:
        return (
            '<div class="opening"><h2>Your library is empty</h2>'
            "<p>Add the first article, as a file or as pasted text, and ask it a question.</p>"
            '<button type="button" class="primary" data-room="library">Add an article</button></div>'
        )
    items = "".join(
        f'<li><button type="button" class="example" data-event="example" data-question="{attribute(question)}">'
        f"{inline(question)}</button></li>"
        for question in examples
    )
    list_html = f'<h3 class="more">For example</h3><ul class="examples">{items}</ul>' if items else ""
    return (
        '<div class="opening"><h2>Ask your articles a question</h2>'
        f"<p>{_extent(articles)} You get the answer with the sentence that says so. "
        f"If no article has the answer, Clippings says so.</p>{list_html}</div>"
    )


def _extent(articles: Sequence[ArticleInfo]) -> str:
    dates = [article.date for article in articles if article.date]
    count = number(len(articles), "article", "articles")
    if not dates or min(dates) == max(dates):
        return f"{count} in the library."
    return f"{count} in the library, from {day(min(dates))} to {day(max(dates))}."


def front_page(articles: Sequence[ArticleInfo]) -> str:
    """The start of the article pane: the latest articles, to open and read."""
    if not articles:
        return '<div class="blank"><p>Articles open here, at the sentence that answers.</p></div>'
    items = "".join(f"<li>{_open_button(article)}</li>" for article in articles[:FRONT_PAGE_ARTICLES])
    return (
        f'<section class="front" aria-label="Latest articles"><h2>Latest in your library</h2><ul>{items}</ul></section>'
    )


def _open_button(article: ArticleInfo) -> str:
    about = byline(article) or '<span class="undated">date and source unknown</span>'
    return (
        f'<button type="button" class="open" data-event="open" data-article="{article.id}">'
        f'<span class="title">{inline(article.title)}</span><span class="about">{about}</span></button>'
    )


def shelf(articles: Sequence[ArticleInfo], words: str = "") -> str:
    """The library's articles that match the words, each with buttons to open and to remove it."""
    if not articles:
        return '<p class="note">No articles yet.</p>'
    matches = search(articles, words)
    if not matches:
        return f'<p class="note">No article matches “{inline(words.strip())}”.</p>'
    rows = "".join(_row(article) for article in matches[:MAX_ROWS])
    hidden = len(matches) - MAX_ROWS
    more = f'<p class="note">{number(hidden, "more article", "more articles")}: search to find them.</p>'
    count = number(len(matches), "article", "articles")
    return f'<p class="note">{count}</p><ul class="shelf">{rows}</ul>{more if hidden > 0 else ""}'


def _row(article: ArticleInfo) -> str:
    name = attribute(article.title)
    return (
        f'<li>{_open_button(article)}<span class="remove">'
        f'<button type="button" class="quiet" data-confirm aria-label="Remove {name}">Remove</button>'
        '<span class="sure-remove" hidden><span>Move the file to .trash?</span>'
        f'<button type="button" class="danger" data-event="remove" data-article="{article.id}">Remove</button>'
        '<button type="button" class="quiet" data-keep>Keep</button></span></span></li>'
    )


# Reports


def progress(done: int, total: int, name: str) -> str:
    """The progress of adding files."""
    return (
        f'<div class="status" role="status"><progress max="{total}" value="{done}"></progress>'
        f"<p>Adding {done + 1} of {total}: {inline(name)}</p></div>"
    )


def report(good: Sequence[str], bad: Sequence[str] = ()) -> str:
    """A list of what was done and what failed."""
    lines = [f'<li class="good">{escape(line)}</li>' for line in good]
    lines += [f'<li class="bad">{escape(line)}</li>' for line in bad]
    return f'<ul class="status" role="status">{"".join(lines)}</ul>'


# Examples


log = logging.getLogger(__name__)
MAX_EXAMPLES = 4
FILE = Path(__file__).with_name("examples.txt")


@dataclass(frozen=True, slots=True)
class Sample:
    """A question, the path of the article that answers it, and words from the answering sentence."""

    question: str
    path: str
    words: str


def read_samples(file: Path = FILE) -> list[Sample]:
    """The samples of a file. Each line is a question, a path and words, separated by tabs; # begins a comment."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [Sample(*line.split("\t")) for line in lines if line and not line.startswith("#")]


def answered(samples: list[Sample], library: Library) -> list[str]:
    """The questions that the library answers with the sample's sentence."""
    paths = {article.path for article in library.articles()}
    questions: list[str] = []
    for sample in samples:
        if sample.path not in paths or len(questions) == MAX_EXAMPLES:
            continue
        result = answer(sample.question, library)
        if not result.found or not result.evidence:
            continue
        hit = result.evidence[0].hit
        if hit.article.path == sample.path and sample.words in hit.text:
            questions.append(sample.question)
    return questions


class Examples:
    """The example questions of a library, checked in the background whenever its articles change."""

    def __init__(self, library: Library, samples: list[Sample] | None = None) -> None:
        self._library = library
        self._samples = read_samples() if samples is None else samples
        self._lock = threading.Lock()
        self._newest: int | None = None
        self._questions: tuple[str, ...] = ()
        # One permanent thread: a new thread for every change would open a new connection to the store each time. It is
        # not a daemon thread: a process must not end in the middle of onnxruntime.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="examples")

    def current(self) -> tuple[str, ...]:
        """The questions that are known to be answered. Starts a new check if the library has changed."""
        generation = self._library.generation
        with self._lock:
            if self._newest != generation:
                self._newest = generation
                with suppress(RuntimeError):  # the process is ending
                    self._worker.submit(self._check, generation)
            return self._questions

    def _check(self, generation: int) -> None:
        """Check the examples of a generation, unless it is no longer the newest."""
        if generation != self._newest:
            return
        questions: tuple[str, ...] = ()
        try:
            questions = tuple(answered(self._samples, self._library))
        except Exception as error:  # noqa: BLE001 - examples are optional; the next question shows the error
            log.debug("No examples: %s", error)
        with self._lock:
            if generation == self._newest:
                self._questions = questions
