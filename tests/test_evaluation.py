"""The measures, on small cases with exact values; and a whole evaluation of a small file."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from index.errors import ClippingsError
from index.library import Library
from qa.__main__ import main
from qa.evaluation import (
    answered_at,
    auc,
    evaluate,
    index_of,
    mrr,
    rank_of_gold,
    read_questions,
    recall,
    summary,
    table,
)
from tests.conftest import BRIDGE


def test_recall_and_mrr() -> None:
    ranks = [1, 2, 4, math.inf]
    assert recall(ranks, 1) == 0.25
    assert recall(ranks, 5) == 0.75
    assert mrr(ranks) == (1 + 1 / 2 + 1 / 4 + 0) / 4


def test_ties_count_against_us() -> None:
    gold = np.array([False, True, False, False])
    assert rank_of_gold(np.array([0.9, 0.5, 0.5, 0.1]), gold) == 3
    assert rank_of_gold(np.array([0.1, 0.5, 0.4, 0.1]), gold) == 1
    assert rank_of_gold(np.array([0.9, 0.5, 0.5, 0.1]), np.zeros(4, bool)) == math.inf


def test_the_best_of_several_gold_sentences_counts() -> None:
    assert rank_of_gold(np.array([0.9, 0.5, 0.8]), np.array([False, True, True])) == 2


def test_auc_is_the_chance_of_the_right_order() -> None:
    assert auc([0.9, 0.8], [0.1, 0.2]) == 1.0
    assert auc([0.9, 0.1], [0.5]) == 0.5
    assert auc([0.5], [0.5]) == 0.5
    assert math.isnan(auc([], [0.5]))


def test_answered_at_a_share_of_false_answers() -> None:
    wrong = [i / 100 for i in range(100)]  # 0.00 … 0.99
    assert answered_at([0.995, 0.985, 0.5], wrong, 0.01) == pytest.approx(2 / 3)
    assert answered_at([0.995, 0.945, 0.5], wrong, 0.05) == pytest.approx(2 / 3)
    assert answered_at([0.995], wrong, 0.0) == 1.0


CONTEXTS = [
    "The bridge was built in 1566. It has one arch. Its architect was Hayruddin.",
    "Penguins live in the south. The emperor penguin weighs up to 40 kilograms.",
]


def squad(path: Path) -> Path:
    def qa(number: int, question: str, context: str, answer: str) -> dict[str, object]:
        return {
            "id": f"q{number}",
            "question": question,
            "answers": [{"text": answer, "answer_start": context.index(answer)}],
        }

    bridge, penguins = CONTEXTS
    data = {
        "data": [
            {
                "title": "t",
                "paragraphs": [
                    {
                        "context": bridge,
                        "qas": [
                            qa(1, "When was the bridge built?", bridge, "1566"),
                            qa(2, "Was Hayruddin its architect?", bridge, "Hayruddin"),
                            {"id": "q3", "question": "How long is the tunnel?", "answers": [], "is_impossible": True},
                        ],
                    },
                    {"context": penguins, "qas": [qa(4, "How much does an emperor penguin weigh?", penguins, "40")]},
                ],
            }
        ]
    }
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def test_a_file_is_measured_over_its_own_paragraphs(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.json"
    foreign.write_text(json.dumps([{"question": "Who won the tennis final in Paris?"}]))
    (figures,) = evaluate([squad(tmp_path / "small.json"), foreign])
    assert figures.articles == 2
    assert figures.ranks == {"dense alone": [1, 1, 1], "BM25 alone": [1, 1, 1], "fused": [1, 1, 1]}
    assert figures.passage_ranks == [1, 1, 1]
    assert len(figures.answerable) == 3
    assert len(figures.unanswerable) == 2
    values = summary(figures)
    assert values["sentence"]["fused"] == {"R@1": 1.0, "R@5": 1.0, "R@10": 1.0, "MRR": 1.0}
    assert values["abstention"]["AUC"] == 1.0
    assert "small: 3 questions over 2 articles" in table(figures)


@pytest.mark.parametrize("export", [True, False])
def test_the_articles_are_encoded_as_a_build_would_encode_them(export: bool, tmp_path: Path) -> None:
    library = index_of(read_questions(squad(tmp_path / "small.json")), tmp_path, export)
    assert library.encoder.recipe.exported is export
    assert [info.path for info in library.articles()] == ["000000.txt", "000001.txt"]
    library.close()


def test_questions_without_gold_are_counted_and_named(tmp_path: Path) -> None:
    path = squad(tmp_path / "small.json")
    data = json.loads(path.read_text())
    question = data["data"][0]["paragraphs"][0]["qas"][0]
    question["answers"][0]["answer_start"] = CONTEXTS[0].index(" It has")  # the space between two sentences
    path.write_text(json.dumps(data))
    (figures,) = evaluate([path])
    assert figures.without_gold == ["q1"]
    assert len(figures.ranks["fused"]) == 2
    assert "left out: 1: q1" in table(figures)


def test_contexts_may_be_the_articles_of_an_index(library: Library, tmp_path: Path) -> None:
    answer = "212 of its\nblocks"
    answers = [{"text": answer, "answer_start": BRIDGE.index(answer)}]
    qa = {"id": "a", "question": "How many blocks were replaced?", "answers": answers}
    path = tmp_path / "ours.json"
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": BRIDGE, "qas": [qa]}]}]}))
    (figures,) = evaluate([path], library)
    assert figures.ranks["fused"] == [1]
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": "Another text.", "qas": [qa]}]}]}))
    with pytest.raises(ClippingsError, match="is no article of"):
        list(evaluate([path], library))


@pytest.mark.parametrize("text", ["no json", '{"data": 3}', '[{"answer": "a"}]', '{"data": [{"paragraphs": [{}]}]}'])
def test_a_file_of_another_form_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(ClippingsError, match="holds no questions in SQuAD form"):
        list(evaluate([path]))


def test_newlines_of_other_systems_shift_no_answer(tmp_path: Path) -> None:
    path = squad(tmp_path / "small.json")
    data = json.loads(path.read_text())
    paragraph = data["data"][0]["paragraphs"][0]
    paragraph["context"] = paragraph["context"].replace(". ", ".\r\n")
    answer = paragraph["qas"][1]["answers"][0]
    answer["answer_start"] = paragraph["context"].index("Hayruddin")
    path.write_text(json.dumps(data))
    (figures,) = evaluate([path])
    assert figures.without_gold == []
    assert figures.ranks["fused"] == [1, 1, 1]


def test_what_was_not_measured_is_null_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = squad(tmp_path / "small.json")
    data = json.loads(path.read_text())
    del data["data"][0]["paragraphs"][0]["qas"][2]  # the unanswerable one
    path.write_text(json.dumps(data))
    assert main(["evaluate", "--json", str(path)]) == 0
    said = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert said["abstention"]["AUC"] is None
