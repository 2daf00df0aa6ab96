"""A whole evaluation of small files: each question asked once, of a reader that knows the answers by heart."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from index.encoding.windows import PassageText
from index.errors import ClippingsError
from index.library import Library
from qa.__main__ import main
from qa.bounds import Span
from qa.measuring import evaluation
from qa.measuring.evaluation import evaluate
from qa.measuring.report import Figures, Result, summary
from qa.reader import Reader, Reading
from tests.questions import CONTEXTS, COST, HEADS, TUNNEL, changed, lines, squad

WEIGHT = "How much does an emperor penguin weigh?"


class Scripted(Reader):
    """Knows, for each question, how well some words answer it; any sentence without them it holds no answer."""

    def __init__(self, answers: dict[str, dict[str, float]]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def read(self, question: str, windows: Sequence[PassageText], several: bool = False) -> list[list[Reading]]:
        self.asked.append(question)
        return [[self._read(question, window.text, span, several) for span in window.sentences] for window in windows]

    def _read(self, question: str, text: str, sentence: Span, several: bool) -> Reading:
        for answer, score in self.answers.get(question, {}).items():
            words = answer.split("; ") if several else [answer.partition("; ")[0]]
            places = [text.find(word, *sentence) for word in words]
            if min(places) >= 0:
                return Reading(tuple((at, at + len(word)) for at, word in zip(places, words, strict=True)), score)
        return Reading((sentence,), -20.0)


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """In the place of the one that ships."""
    answers = {
        "When was the bridge built?": {"56": 20.0},  # within 1566
        "Was Hayruddin its architect?": {"architect was Hayruddin": 20.0},
        WEIGHT: {"40 kilograms": 20.0},
        COST["question"]: {"3.4": 20.0},
        HEADS["question"]: {"Vukić told": 20.0},
    }
    scripted = Scripted(answers)
    monkeypatch.setattr(evaluation, "load_reader", lambda: scripted)
    return scripted


def measured(path: Path, *others: Path, library: Library | None = None, limit: int | None = None) -> Figures:
    (figures,) = evaluate([path, *others], library, limit)
    return figures


def of(result: Result) -> tuple[str, str, float, float]:
    return result.id, result.text, result.em, result.f1


def test_an_index_of_paragraphs_is_closed_if_measuring_fails(
    tmp_path: Path, reader: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ClippingsError("This cannot be measured.")

    closed: list[Library] = []
    monkeypatch.setattr(evaluation, "measure", fail)
    monkeypatch.setattr(Library, "close", lambda library: closed.append(library))
    with pytest.raises(ClippingsError):
        measured(squad(tmp_path / "small.json"))
    assert len(closed) == 1


def test_a_file_is_measured_over_its_own_paragraphs(tmp_path: Path, reader: Scripted) -> None:
    foreign = tmp_path / "foreign.json"
    foreign.write_text(json.dumps([{"question": "Who won the tennis final in Paris?"}]))
    figures = measured(squad(tmp_path / "small.json"), foreign)
    assert (figures.name, figures.articles, figures.without_gold) == ("small", 2, ())
    assert [result.id for result in figures.unanswerable] == ["q3", "0"]
    first = {"dense alone": 1, "BM25 alone": 1, "fused": 1, "+ reader": 1}
    assert [(one.ranks, one.passage_rank, one.right) for one in figures.answerable] == [(first, 1, True)] * 3
    assert [one.kind for one in figures.results] == ["date", "thing", "", "number", ""]
    assert [of(one) for one in figures.answerable] == [
        ("q1", "1566", 1, 1),
        ("q2", "architect was Hayruddin", 0, 2 * 1 / (3 + 1)),
        ("q4", "40 kilograms", 0, 2 * 1 / (2 + 1)),
    ]
    assert [(one.em_given, one.f1_given) for one in figures.answerable] == [(1, 1), (0, 1 / 2), (0, 2 / 3)]
    assert all(math.isnan(one.f1) and not one.ranks for one in figures.unanswerable)
    assert reader.asked == [one.question for one in figures.results]  # each once


def test_reading_changes_the_order_and_the_fused_one_is_kept(tmp_path: Path, reader: Scripted) -> None:
    reader.answers[WEIGHT] = {"Penguins": 20.0, "40": 10.0}
    (result,) = (one for one in measured(squad(tmp_path / "small.json")).answerable if one.id == "q4")
    assert (result.ranks["fused"], result.ranks["+ reader"], result.passage_rank) == (1, 2, 1)
    assert (result.text, result.right) == ("Penguins", False)
    assert (result.em_given, result.f1_given) == (0, 0)  # both are in the passage


def test_several_answers_are_measured_as_they_are_shown(tmp_path: Path, reader: Scripted) -> None:
    reader.answers["What are the names of the builders?"] = reader.answers["Who built it?"] = {"1566; bridge": 20.0}
    several = measured(changed(squad(tmp_path / "several.json"), question="What are the names of the builders?"))
    assert (several.results[0].text, several.results[0].f1) == ("bridge; 1566", 2 / 3)
    assert several.results[0].f1_given == 2 / 3
    one = measured(changed(squad(tmp_path / "one.json"), question="Who built it?"))
    assert (one.results[0].text, one.results[0].f1_given) == ("1566", 1)


def test_the_reader_may_be_given_the_right_passage(
    library: Library, tmp_path: Path, reader: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qa.retriever.WITHIN", 100.0)  # read the plums too
    path = lines(tmp_path / "ours.jsonl", COST)
    reader.answers[COST["question"]] = {"9,000 tonnes": 60.0, "3.4": 10.0}
    (result,) = measured(path, library=library).results
    assert (result.text, result.right, result.em, result.f1) == ("9,000 tonnes", False, 0, 0)
    assert (result.em_given, result.f1_given) == (1, 1)
    assert reader.asked == [COST["question"]]

    asked = 'What did the works cost for the "plum blossom"?'  # nothing of the right article is a candidate
    reader.answers[asked] = {"3.4": 10.0}
    (result,) = measured(lines(path, COST | {"question": asked}), library=library).results
    assert result.ranks["fused"] == result.ranks["+ reader"] == result.passage_rank == math.inf
    assert result.ranks["dense alone"] < math.inf
    assert (result.f1, result.em_given) == (0, 1)
    assert reader.asked[1:] == [asked, asked]  # the right passage is read for itself


def test_a_question_may_find_nothing(library: Library, tmp_path: Path, reader: Scripted) -> None:
    path = lines(tmp_path / "ours.jsonl", COST | {"question": 'What did the "tunnel works" cost?'})
    (result,) = measured(path, library=library).results
    assert (result.text, result.found, result.confidence, result.right) == ("", False, 0, False)
    assert (result.ranks["fused"], result.ranks["+ reader"], result.passage_rank) == (math.inf,) * 3
    assert (result.em, result.f1) == (0, 0)


def test_lines_ask_about_the_articles_of_an_index(library: Library, tmp_path: Path, reader: Scripted) -> None:
    path = lines(tmp_path / "ours.jsonl", COST, HEADS, TUNNEL)
    figures = measured(path, library=library)
    assert (figures.name, figures.articles) == ("ours", 2)
    cost, heads = figures.answerable
    assert of(cost) == ("c1", "3.4 million euros", 1, 1)
    assert of(heads) == ("c2", "Vukić told", 0, 2 / 3)
    assert (cost.ranks["+ reader"], heads.ranks["+ reader"]) == (1, 1)  # gold in another article counts as well
    assert (cost.f1_given, heads.f1_given < 2 / 3) == (1, True)  # it is the first gold's passage that is given
    values = summary(figures)
    assert list(values["kinds"]["answerable"]) == ["number", "who"]
    assert values["kinds"]["unanswerable"] == {
        "detail-missing": {"questions": 1, "falsely_answered": float(figures.unanswerable[0].found)}
    }
    with pytest.raises(ClippingsError, match=r"ours\.jsonl asks about the articles of a folder; give --library"):
        measured(path)


def test_questions_without_gold_are_counted_and_named(tmp_path: Path, reader: Scripted) -> None:
    between = [{"text": "It", "answer_start": CONTEXTS[0].index(" It has")}]  # the space between two sentences
    figures = measured(changed(squad(tmp_path / "small.json"), answers=between))
    assert figures.without_gold == ("q1",)
    assert [one.id for one in figures.results] == ["q2", "q3", "q4"]
    assert measured(changed(squad(tmp_path / "small.json"), answers=[])).without_gold == ("q1",)


def test_a_file_may_have_its_own_kinds(tmp_path: Path, reader: Scripted) -> None:
    figures = measured(changed(squad(tmp_path / "small.json"), kind="year"))
    assert [one.kind for one in figures.results] == ["year", "thing", "", "number"]


def test_a_limit_is_kept(tmp_path: Path, reader: Scripted) -> None:
    assert [one.id for one in measured(squad(tmp_path / "small.json"), limit=2).results] == ["q1", "q3"]


def test_questions_without_contexts_need_articles(library: Library, tmp_path: Path, reader: Scripted) -> None:
    foreign = tmp_path / "foreign.json"
    foreign.write_text(json.dumps([{"question": "Who won the tennis final in Paris?"}]))
    with pytest.raises(ClippingsError, match="None of these files has contexts to ask about; give --library INDEX"):
        measured(foreign)
    figures = measured(foreign, library=library)
    assert (figures.name, len(figures.unanswerable)) == ("questions without articles", 1)


def test_what_was_not_measured_is_null_in_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], reader: Scripted
) -> None:
    path, kept = squad(tmp_path / "small.json"), tmp_path / "rows.jsonl"
    data = json.loads(path.read_text())
    del data["data"][0]["paragraphs"][0]["qas"][2]  # the unanswerable one
    path.write_text(json.dumps(data))
    assert main(["evaluate", "--json", "--rows", str(kept), str(path)]) == 0
    said = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert said["abstention"]["AUC"] is None
    assert said["at_threshold"]["falsely_answered"] is None
    found = [json.loads(line, parse_constant=pytest.fail) for line in kept.read_text(encoding="utf-8").splitlines()]
    assert [(row["file"], row["id"], row["text"], row["answers"]) for row in found] == [
        ("small", "q1", "1566", ["1566"]),
        ("small", "q2", "architect was Hayruddin", ["Hayruddin"]),
        ("small", "q4", "40 kilograms", ["40"]),
    ]


def test_rows_keep_what_is_null_and_where_they_cannot_be_written(
    library: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str], reader: Scripted
) -> None:
    path = lines(tmp_path / "ours.jsonl", COST | {"question": 'What did the "tunnel works" cost?'}, TUNNEL)
    kept, index = tmp_path / "rows.jsonl", str(library.path)
    assert main(["evaluate", "--library", index, "--rows", str(kept), str(path)]) == 0
    first, second = (json.loads(line, parse_constant=pytest.fail) for line in kept.read_text().splitlines())
    assert (first["ranks"]["+ reader"], first["f1"]) == (None, 0)
    assert (second["kind"], second["ranks"], second["f1"]) == ("detail-missing", {}, None)
    assert "ours: 1 questions over 2 articles" in capsys.readouterr().out
    assert main(["evaluate", "--library", index, "--rows", str(tmp_path), str(path)]) == 1
    assert "cannot be written" in capsys.readouterr().err
