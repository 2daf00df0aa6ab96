"""Misspelt words of a question are read as words of the articles; names, codes and real words stay."""

from __future__ import annotations

import pytest

from index import Library
from qa import answer, retrieve
from qa.reader import load_reader
from qa.spelling import corrected


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("what did the brigde cost", "what did the bridge cost"),
        ("How many frams are hit?", "How many farms are hit?"),
        ("Where was the blosom destroyed?", "Where was the blossom destroyed?"),
        ("Who pays for the bridge?", "Who pays for the bridge?"),
        ("Was the fridge repaired?", "Was the fridge repaired?"),  # another word, though one letter away
        ("What did Vukovic say?", "What did Vukovic say?"),  # more than one slip away
        ("Who uses brigde-7?", "Who uses brigde-7?"),
        ('Who said "brigde"?', 'Who said "brigde"?'),
    ],
)
def test_only_slips_are_corrected(typed: str, read: str, library: Library) -> None:
    assert corrected(typed, library.follow(), load_reader()) == read


def test_an_answer_says_how_a_misspelt_question_was_taken(library: Library) -> None:
    reply = answer("What did the repair of the brigde cost?", library)
    assert (reply.text, reply.question) == ("3.4 million euros", "What did the repair of the brigde cost?")
    assert reply.understood == "What did the repair of the bridge cost?"


def test_retrieve_reads_slips_too(library: Library) -> None:
    (hit,) = retrieve("how many frams are hit", library, k=1)
    assert hit.text == "About 600 farms are hit."
