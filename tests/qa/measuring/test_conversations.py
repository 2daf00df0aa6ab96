"""Whole answers are judged as a user would: by the first clipping, the words of the answer, and honest doubt."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest

from index.reading.articles import Article, parse_article
from qa.__main__ import main
from qa.answering import Answer, Evidence
from qa.measuring.conversations import Conversation, Judged, Verdict, judge, summary
from qa.retriever import Hit, Signals
from tests.conftest import BRIDGE, HARVEST

ARTICLE = parse_article(BRIDGE.encode(), "bridge.txt")
COST, UNION = "The works cost 3.4 million euros.", "Two thirds of it came from the European Union."
GOLD = (("bridge.txt", COST),)


def shown(sentence: str, article: Article = ARTICLE) -> Evidence:
    start = article.text.index(sentence)
    place = start, start + len(sentence)
    return Evidence(Hit(article, *place, 1.0, Signals(0, 0, 0, 0, 0), place), (place,))


def said(
    text: str, *sentences: str, kind: str = "fact", sure: float = 0.9, date: datetime.date | None = None
) -> Answer:
    return Answer("?", True, text, sure, tuple(map(shown, sentences)), kind=kind, date=date)


def asked(kind: str = "how-many", **more: object) -> Conversation:
    return Conversation("1", kind, ("?",), **{"answers": ("3.4 million euros",), "quotes": GOLD} | more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("question", "reply", "verdict"),
    [
        (asked(), said("3.4 million euros", COST), "right"),
        (asked(), said("about 3.4 million euros", UNION, COST), "partly"),  # the first clipping is another
        (asked(), said("Two thirds", UNION, COST), "partly"),
        (asked(), said("Two thirds", UNION), "wrong"),
        (asked(), Answer("?", False, "", 0.2), "refused"),
        (asked(), Answer("?", False, "", 0.2, kind="candidates", candidates=(shown(UNION), shown(COST))), "partly"),
        (asked("why", answers=("money",)), said("3.4", COST), "right"),  # the sentence counts
        (asked("yes-no", polarity="yes", answers=()), said(COST, COST, kind="yes-no"), "right"),
        (asked("yes-no", polarity="yes", answers=()), said("euros", COST, kind="yes-no"), "partly"),
        (asked("list", all_of=("3.4", "Union")), said("3.4; Union", COST), "right"),
        (asked("list", all_of=("3.4", "Union")), said("3.4", COST), "partly"),
        (asked("conflict", all_of=("3.4", "Union")), said("3.4", COST, UNION), "right"),
        (asked("when", date=datetime.date(2022, 3, 4)), said("Friday", COST, date=datetime.date(2022, 3, 4)), "right"),
        (asked("when", date=datetime.date(2022, 3, 4)), said("Friday", COST), "wrong"),
        (asked("latest", stale=("nine",)), said("nine", UNION, COST), "wrong"),
        (asked("library", files=frozenset(["bridge.txt"])), said("", COST, kind="articles"), "right"),
        (asked("overview", quotes=(*GOLD, ("bridge.txt", UNION))), said("", COST, UNION, kind="overview"), "right"),
        (asked("talk"), Answer("?", False, "Hello", 1.0, kind="talk"), "right"),
        (asked(unanswerable=True), Answer("?", False, "", 0.2), "right"),
        (asked(unanswerable=True), said("3.4 million euros", COST), "wrong"),
    ],
)
def test_verdicts(question: Conversation, reply: Answer, verdict: str) -> None:
    assert judge(question, reply) == verdict


def test_the_figures_count_answerable_and_unanswerable_questions_apart() -> None:
    sure, unsure = said("Two thirds", UNION), said("3.4 million euros", COST, sure=0.5)
    judged = [
        Judged(asked(), sure, Verdict.WRONG),
        Judged(asked(), unsure, Verdict.RIGHT),
        Judged(asked(unanswerable=True), sure, Verdict.WRONG),
        Judged(asked(unanswerable=True), Answer("?", False, "", 0.1), Verdict.RIGHT),
    ]
    assert summary(judged) == {
        "questions": 2,
        "right": 0.5,
        "partly": 0.0,
        "wrong": 0.5,
        "refused": 0.0,
        "wrong and sure": 2,
        "unanswerable": 2,
        "unanswerable answered": 0.5,
        "AUC": (0.5 + 0 + 1 + 1) / 4,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "articles").mkdir()
    (tmp_path / "articles" / "bridge.txt").write_text(BRIDGE)
    (tmp_path / "articles" / "harvest.txt").write_text(HARVEST)
    rows = [
        {"kind": "how-many", "turns": ["How much did the works on the bridge cost?"], "answers": ["3.4 million euros"]}
        | {"quotes": [{"file": "bridge.txt", "text": COST}]},
        {"kind": "unanswerable", "turns": ["Who won the chess championship in Reykjavik?"], "unanswerable": True},
    ]
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


@pytest.mark.usefixtures("reader")
def test_the_command_asks_a_folder_as_users_ask(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(folder), "--json", "--rows", str(folder / "rows")]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["questions"], figures["right"], figures["unanswerable answered"]) == (1, 1.0, 0.0)
    first = json.loads((folder / "rows").read_text().splitlines()[0])
    assert (first["verdict"], first["text"], first["first"]) == ("right", "3.4 million euros", COST)


def test_a_line_of_another_form_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "questions.jsonl").write_text('{"question": "Who?"}\n')
    assert main(["evaluate", str(folder)]) != 0
    assert 'questions.jsonl, line 1 is not a question with "kind" and "turns"' in capsys.readouterr().err
