"""What is found in a question: its kind, whether it asks for several, its names, and whether it leans on another."""

from __future__ import annotations

import pytest

from qa.question import Kind, read_question

KINDS = [
    ("When did the bridge reopen?", Kind.DATE),
    ("in what year was it closed", Kind.DATE),
    ("How many farms are hit?", Kind.NUMBER),
    ("The bridge was closed for how long?", Kind.NUMBER),
    ("What percentage of the crop was lost?", Kind.NUMBER),
    ("who's the cooperative's head", Kind.PERSON),
    ("By whom was the deal negotiated?", Kind.PERSON),
    ("Where did the men park their trucks?", Kind.PLACE),
    ("In which city did they meet?", Kind.PLACE),
    ("Why did Serbs block the roads?", Kind.REASON),
    ("How did the engineers repair the pier?", Kind.MANNER),
    ("What did the mayor open?", Kind.THING),
    ("???", Kind.THING),
]
SEVERAL = [
    "Which countries are members?",
    "What are the names of the crossings?",
    "Which two states border the river?",
    "Name the crossings that were blocked",
    "list everyone who signed",
]
ONE = [
    "Which country borders Serbia?",
    "Which news agency reported on it?",
    "What is the status of the talks?",
    "What was the cause of the floods?",
    "How many countries recognise Kosovo?",
    "Name the mayor",
]
LEANING = [
    "and when?",
    "Why?",
    "why did he say that?",
    "What about them?",
    "And what happened then?",
    "How so?",
    "how old is it",
    "WHY DID SHE SAY SO?",
    "???",
]
STANDING = [
    "Who accused Kosovo?",
    "frost",
    "What did the US say?",
    "What did the WHO do then?",
    "Why did May go?",
    "Who said “to be or not to be”?",
    "But when did the bridge open?",
    "when did they discover penicillin",
    "how much does it cost to park there",
]


@pytest.mark.parametrize(("text", "kind"), KINDS)
def test_the_kind(text: str, kind: Kind) -> None:
    assert read_question(text).kind is kind


@pytest.mark.parametrize("text", [*SEVERAL, *ONE])
def test_whether_several_are_asked_for(text: str) -> None:
    assert read_question(text).several is (text in SEVERAL)


@pytest.mark.parametrize("text", [*LEANING, *STANDING])
def test_whether_it_leans_on_another(text: str) -> None:
    assert read_question(text).leans_on_another is (text in LEANING)


def test_words_names_and_phrases() -> None:
    question = read_question('What did Ana Vukić say of the "middle pier" on 4 March?')
    assert question.names == ("Ana", "Vukić", "4", "March")
    assert question.phrases == ("middle pier",)
    assert question.terms == ("ana", "vukic", "say", "middl", "pier", "4", "march")
    assert read_question("Who is he?").terms == ("who", "is", "he")  # nothing carries meaning: all of them
