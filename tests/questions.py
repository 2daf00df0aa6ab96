"""Files of questions whose answers are known: of two paragraphs of their own, and of the two articles in conftest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CONTEXTS = [
    "The bridge was built in 1566. It has one arch. Its architect was Hayruddin.",
    "Penguins live in the south. The emperor penguin weighs up to 40 kilograms.",
]


def squad(path: Path) -> Path:
    """A file of two paragraphs, three questions that they answer and one that they do not."""

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


COST: dict[str, Any] = {
    "id": "c1",
    "question": "What did the works cost?",
    "file": "bridge.txt",
    "answer": "3.4 million euros",
    "sentence": "The works cost 3.4 million euros.",
    "kind": "number",
}
HEADS: dict[str, Any] = {
    "id": "c2",
    "question": "who is quoted",
    "file": "harvest.txt",
    "answer": "Petar Ilić",
    "sentence": "The cooperative’s head, Petar Ilić, expects a crop of 9,000 tonnes instead of the usual 25,000.",
    "kind": "who",
    "also": [
        {"file": "bridge.txt", "sentence": "“We waited long for this day,” Vukić told the crowd.", "answer": "Vukić"}
    ],
}
TUNNEL: dict[str, Any] = {
    "id": "c3",
    "question": "How long is the tunnel?",
    "impossible": True,
    "kind": "detail-missing",
    "note": "none is spoken of",
}


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    """A file with a question on each line."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def changed(path: Path, **values: object) -> Path:
    """The SQuAD-form file with other values in its first question."""
    data = json.loads(path.read_text(encoding="utf-8"))
    data["data"][0]["paragraphs"][0]["qas"][0] |= values
    path.write_text(json.dumps(data), encoding="utf-8")
    return path
