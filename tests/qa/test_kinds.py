"""Kinds of answers beside a fact: yes-no, overviews, lists of articles, talk, and questions that go on from others."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest

from index import build, open_index
from index.library import Library
from qa import answer
from tests.conftest import BRIDGE, write

FIRST = """\
date 2022-11-02 Bridge over the Lim to close for repairs
source: Test Wire
author: Mara Petrović

The stone bridge over the Lim will be closed for repairs, the town council decided on Tuesday.
"""
ROAD = """\
date 2022-12-20 Mountain road blocked by snow
source: Test Post
author: Jovan Ilić

Snow has blocked the mountain road, and no lorry has passed since Sunday.

Dogs are not allowed in the shelter, but cats are.

Lorries may not use these roads until the thaw:

- the pass above Lim
- the gorge road
- Mill Street in the old town

Lorry LK-208 stands at the pass.
"""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, two_articles: Path) -> Iterator[Library]:
    """Four articles about one town, to be asked only."""
    home = tmp_path_factory.mktemp("town")
    harvest = (two_articles / "corpus" / "harvest.txt").read_text(encoding="utf-8")
    build(write(home / "corpus", bridge=BRIDGE, harvest=harvest, closing=FIRST, road=ROAD), home / "index")
    opened = open_index(home / "index")
    yield opened
    opened.close()


def test_a_yes_no_question_is_shown_the_whole_statement(town: Library) -> None:
    said = answer("Are dogs allowed in the shelter?", town)
    assert (said.kind, said.polarity) == ("yes-no", None)
    assert said.text == "Dogs are not allowed in the shelter, but cats are."
    assert said.evidence[0].hit.text == said.text


def test_a_list_is_answered_with_all_its_items(town: Library) -> None:
    said = answer("Which roads may lorries not use until the thaw?", town)
    assert said.text == "the pass above Lim; the gorge road; Mill Street in the old town"
    (first, *others), text = said.evidence, said.evidence[0].hit.article.text
    assert [text[start:end] for start, end in first.spans] == said.text.split("; ")
    assert first.context
    assert text[slice(*first.context)] == "Lorries may not use these roads until the thaw:"
    assert not any(first.hit.start <= other.hit.start < first.hit.end for other in others)


def test_a_code_that_stands_nowhere_is_not_answered_from_its_neighbour(town: Library) -> None:
    assert answer("Where does lorry LK-208 stand?", town).evidence[0].text == "at the pass"
    said = answer("Where does lorry LK-209 stand?", town)
    assert (said.found, said.evidence, said.candidates) == (False, (), ())
    assert said.reason == "I found no sentence that answers this. No sentence mentions “LK-209”."


def test_a_weekday_is_resolved_by_the_articles_date(town: Library) -> None:
    said = answer("When did the council decide to close the bridge over the Lim?", town)
    assert said.evidence[0].hit.article.path == "closing.txt"
    assert (said.kind, said.date) == ("fact", datetime.date(2022, 11, 1))


def test_an_overview_has_the_articles_in_the_order_of_date(town: Library) -> None:
    said = answer("Give me a timeline of the repairs of the bridge over the Lim", town)
    assert (said.kind, said.found, said.text) == ("overview", True, "")
    assert [evidence.hit.article.path for evidence in said.evidence][:2] == ["bridge.txt", "closing.txt"]
    assert said.evidence[0].hit.text.startswith("The stone bridge over the Lim reopened to traffic on Friday")


@pytest.mark.parametrize(
    ("question", "said", "date"),
    [
        ("Who wrote the story about the snow on the mountain road?", "Jovan Ilić", None),
        ("Which paper reported that the mountain road was blocked by snow?", "Test Post", None),
        ("When was the article about the closing of the bridge published?", "2022-11-02", datetime.date(2022, 11, 2)),
    ],
)
def test_a_question_about_an_article_is_answered_by_its_header(
    question: str, said: str, date: datetime.date | None, town: Library
) -> None:
    reply = answer(question, town)
    assert (reply.kind, reply.text, reply.date) == ("fact", said, date)
    (first,) = reply.evidence
    assert first.hit.article.text[first.start : first.end] == said
    assert first.hit.end <= first.hit.article.body_start
    assert said in first.hit.text


@pytest.mark.parametrize(
    ("question", "paths"),
    [
        ("Which articles are about plums?", {"harvest.txt"}),
        ("What do you have from December 2022?", {"road.txt"}),
        ("Which articles did Jovan Ilić write?", {"road.txt"}),
    ],
)
def test_a_question_for_articles_gets_articles(question: str, paths: set[str], town: Library) -> None:
    said = answer(question, town)
    assert said.kind == "articles"
    assert {article.path for article in said.articles} == paths
    assert [row["file"] for row in said.to_dict()["articles"]] == [article.path for article in said.articles]


def test_what_only_the_header_says_is_answered_from_there(town: Library) -> None:
    said = answer("who wrote about the bridge being closed", town)
    best = (said.evidence or said.candidates)[0]
    assert best.hit.text == "author: Mara Petrović"
    assert best.hit.article.text[best.start : best.end] == "Mara Petrović"


def test_talk_is_answered_without_clippings(town: Library) -> None:
    said = answer("Hello there!", town)
    assert (said.kind, said.found, said.evidence, said.nearest) == ("talk", False, (), ())
    assert said.text.startswith("I look for answers in your articles")


def test_a_question_goes_on_from_an_earlier_one(town: Library) -> None:
    said = answer("And how many farms?", town, history=("What has the frost destroyed around Valjevo?",))
    assert said.question == "And how many farms?"
    assert said.understood == "What has the frost destroyed around Valjevo? And how many farms?"
    found = [evidence.hit.text for evidence in (*said.evidence, *said.candidates)] + [hit.text for hit in said.nearest]
    assert "About 600 farms are hit." in found[:3]


def test_talk_between_questions_is_talk(town: Library) -> None:
    assert answer("thanks!", town, history=("How large is the plum crop?",)).kind == "talk"


def test_a_question_that_goes_on_is_read_by_its_own_words(town: Library) -> None:
    said = answer("And when did it reopen?", town, history=("Where does the stone bridge stand?",))
    best = (said.evidence or said.candidates)[0]
    assert best.hit.text.startswith("The stone bridge over the Lim reopened to traffic on Friday")
    assert best.text.endswith("Friday")


def test_a_question_of_its_own_is_not_changed_by_earlier_ones(town: Library) -> None:
    question = "Who is the mayor that spoke about the bridge over the Lim?"
    assert answer(question, town, history=("How large is the plum crop?",)).understood == question
