"""The HTML of the library: the opening, the front page, the searchable list, and reports of changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qa.question import fold
from ui.render import attribute, byline, day, escape, inline, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from index.storage.rows import ArticleInfo

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
