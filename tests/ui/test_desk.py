"""What the page can do, without the page: asking, opening, adding, removing."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from index import add, open_index
from index.library import Library
from index.reading.articles import Article, parse_article
from tests.browser_support import ARTICLES, BRIDGE, GUSTAV, HERON, WHO, Filled
from ui import render
from ui.desk import Desk


@pytest.fixture
def own(tmp_path: Path, filled: Filled) -> Iterator[Library]:
    """A library of the test's own, to change."""
    library = filled(tmp_path, ARTICLES)
    yield library
    library.close()


def test_a_conversation_is_the_callers_and_is_kept_nowhere(own: Library) -> None:
    desk = Desk(own)
    mine = desk.ask(WHO, ()).turns
    yours = desk.ask("When was the terminal opened?", ()).turns

    assert len(mine) == len(yours) == 1
    assert "watchman" not in yours[0].html
    assert len(desk.ask(WHO, mine).turns) == 2


def test_a_question_goes_on_from_the_turn_before_it(own: Library) -> None:
    desk = Desk(own)
    turns = desk.ask(WHO, ()).turns
    reply = desk.ask("And when?", turns)
    assert [turn.question for turn in reply.turns] == [WHO, "And when?"]
    assert f"Taken as: {WHO} And when?" in reply.turns[1].html
    assert "on its own" in desk.ask("And when?", ()).turns[0].html


def test_talk_opens_no_article(own: Library) -> None:
    reply = Desk(own).ask("hello", ())
    assert (reply.page, reply.article, reply.taken) == (None, None, True)
    assert "I look for answers in your articles" in reply.turns[0].html


def test_a_refused_question_stays_in_the_box_and_opens_nothing(own: Library) -> None:
    reply = Desk(own).ask("x" * 100_000, ())

    assert not reply.taken
    assert reply.page is None
    assert "100,000" in reply.turns[0].html
    assert len(reply.turns[0].html) < 2000


def test_a_reply_says_to_which_articles_the_question_was_put(own: Library) -> None:
    desk = Desk(own)
    narrowed = desk.ask(WHO, (), since="2023-01-01", until="2023-12-31", source="Harbour Gazette").turns[0].html
    assert "Only articles from Harbour Gazette since 1 January 2023 until 31 December 2023 were searched." in narrowed
    assert "were searched" not in desk.ask(WHO, ()).turns[0].html


def test_a_place_from_the_page_is_not_trusted(own: Library) -> None:
    desk = Desk(own)
    id_ = str(desk.articles()[0].id)

    assert desk.open({}) == desk.open({"article": "1; DROP"}) == desk.open({"article": "999"})
    assert desk.open({})[1] is None
    for start_, end in (("-5", "7"), ("7", "99999999"), ("9", "3"), ("x", None)):
        page, shown = desk.open({"article": id_, "start": start_, "end": end})
        assert shown == int(id_)
        assert "<mark" not in page


def shelved(text: str) -> tuple[Desk, Article]:
    """A desk over one article, without an index."""
    article = dataclasses.replace(parse_article(text.encode(), "a.txt"), id=7)
    library: Any = SimpleNamespace(generation=1, articles=lambda: [article], article=lambda number: article)
    return Desk(library), article


ANA = "T\n\nAna won. She wept and sang."
MARKED_ANA = (
    '<mark class="context" title="Read with the marked sentence">Ana won.</mark> <mark class="sentence">She '
    '<mark class="exact">wept</mark> and <mark class="exact">sang</mark>.</mark>'
)


def test_opening_a_card_marks_what_it_marked() -> None:
    desk, article = shelved(ANA)
    said = render.clipping_at(article, 12, 30, [(25, 29), (16, 20)], (3, 11))
    sent = dict(re.findall(r'data-(\w+)="([^"]*)"', render.place(said)))

    assert sent == {"article": "7", "start": "12", "end": "30", "exact": "16-20 25-29", "context": "3-11"}
    assert desk.open({**sent, "event": "open"}) == (render.article_page(article, said), 7)
    assert f'<p dir="auto">{MARKED_ANA}</p>' in desk.open(sent)[0]


@pytest.mark.parametrize(
    ("exact", "context"),
    [
        (None, None),
        ("", ""),
        ("x", "x"),
        ("16-20 x", "3-11 3"),  # one that is none spoils the rest
        ("20-16", "11-3"),
        ("-3-20", "-3-11"),
        ("11-20 29-31", "0-0"),  # outside the sentence
        ("12-30", "12-30"),  # all of it
        ("9999999999-99999999999", "3-9999999999"),
        ("9" * 5000 + "-3", "3-" + "9" * 5000),
        ("16-20 " * 101, "3-999"),
        ("１６-２０", "３-１１"),  # digits, but not ours
        ("16.0-20.0", "3e0-11"),
        (["16-20"], {"3": 11}),
        (16.5, True),
    ],
)
def test_nonsense_in_a_place_marks_the_sentence_alone(exact: object, context: object) -> None:
    desk, _ = shelved(ANA)
    page, shown = desk.open({"article": "7", "start": "12", "end": "30", "exact": exact, "context": context})

    assert shown == 7
    assert '<p dir="auto">Ana won. <mark class="sentence">She wept and sang.</mark></p>' in page


@pytest.mark.parametrize(("start", "end"), [("0", "9" * 5000), ("1e3", "30"), (None, "30"), ("30", "12"), ([], {})])
def test_without_a_sentence_nothing_is_marked(start: object, end: object) -> None:
    desk, article = shelved(ANA)
    place = {"article": "7", "start": start, "end": end, "exact": "16-20", "context": "3-11"}

    assert desk.open(place) == (render.article_page(article), 7)


def test_files_are_added_one_by_one_and_each_refusal_names_its_file(own: Library, tmp_path: Path) -> None:
    good = tmp_path / "new.txt"
    good.write_text(f"A heron moved in\n\n{GUSTAV}\n")
    binary = tmp_path / "picture.txt"
    binary.write_bytes(bytes(range(256)) * 20)
    paper = tmp_path / "paper.pdf"
    paper.write_bytes(b"%PDF-1.7")
    desk = Desk(own)
    *_, told = steps = list(desk.add_files([str(good), str(binary), str(paper), str(tmp_path / "gone.txt")]))

    assert [step.count("<progress") for step in steps] == [1, 1, 1, 1, 0]
    assert told.count('class="good"') == 1
    assert told.count('class="bad"') == 3
    assert "Added new.txt." in told
    for name in ("picture.txt", "paper.pdf", "gone.txt"):
        assert f'<li class="bad">{name}: ' in told
    assert str(tmp_path) not in told
    assert "Gustav" in desk.ask(HERON, ()).turns[0].html
    assert (own.corpus / "new.txt").is_file()
    assert "new.txt is already in the library." in list(desk.add_files([str(good)]))[-1]


def test_a_pasted_article_is_askable_at_once_and_its_file_is_in_the_corpus(own: Library) -> None:
    desk = Desk(own)
    text = GUSTAV
    told, added = desk.add_pasted(text, "A heron moved in", "2024-02-03", "Marsh Post")

    assert added
    assert "Added A heron moved in." in told
    reply = desk.ask(HERON, (), since="2024-01-01", source="Marsh Post")
    page = re.sub('<mark class="exact">(.*?)</mark>', r"\1", reply.page or "")
    assert f'<mark class="sentence">{text}</mark>' in page
    assert len(list(own.corpus.iterdir())) == 4


@pytest.mark.parametrize(("text", "date", "message"), [("  ", "", "paste"), ("Some text.", "May", "May")])
def test_a_pasted_article_that_cannot_be_taken_is_refused(own: Library, text: str, date: str, message: str) -> None:
    told, added = Desk(own).add_pasted(text, "T", date)

    assert not added
    assert message in told
    assert 'class="bad"' in told


def test_removing_moves_the_file_to_the_trash(own: Library) -> None:
    desk = Desk(own)
    (bridge,) = (row for row in desk.articles() if row.path == "bridge.txt")
    told = desk.remove({"article": str(bridge.id)})

    assert "Removed The bridge at Low Marsh." in told
    assert (own.corpus / ".trash" / "bridge.txt").read_text() == BRIDGE
    assert not (own.corpus / "bridge.txt").exists()
    assert [row.path for row in desk.articles()] == ["fire.txt", "cheese.md"]
    assert "is no longer in the library" in desk.remove({"article": str(bridge.id)})
    assert "changed or removed" in desk.open({"article": str(bridge.id)})[0]


def test_additions_by_others_are_seen_without_a_restart(own: Library, tmp_path: Path) -> None:
    new = tmp_path / "heron.txt"
    new.write_text(f"A heron moved in\n\n{GUSTAV}\n")
    desk = Desk(own)
    assert len(desk.articles()) == 3

    other = open_index(own.path)  # as another process would have it
    add([new], other.path)
    other.close()

    assert len(desk.articles()) == 4
    assert "Gustav" in (desk.ask(HERON, ()).page or "")
