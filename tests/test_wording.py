"""What a question asks for: its kind, and whether it asks for several."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.wording import Kind, asks_for_several, explains, kind, lacks

ASKED = {
    Kind.DATE: [
        "When did the bridge reopen?",
        "when did the bridge reopen",
        "serbia entered talks when",
        "Since when has KFOR been in Kosovo?",
        "What year did Kosovo declare independence?",
        "In which year were the pillars built?",
        "On what day of the week did Vučić call a meeting?",
        "global dairy alliance wants freer trade by what year",
        "What was the date of the launch?",
        "how long ago was the deal reached",
        "How far back do the records go?",
        "Until which month were the roads blocked?",
        "What time does the ferry leave?",
        "When's the next ferry to Ansel?",
        "When, exactly, did the talks in Brussels end?",
        "Do you know when the bridge reopened?",
        "name the year in which the bridge reopened",
    ],
    Kind.NUMBER: [
        "How many farms are hit?",
        "how much did the works cost",
        "How long was the bridge closed?",
        "The bridge was closed for how long?",
        "nuwater toowoomba bore water how much a year",
        "How old is the mayor?",
        "How wet was March 2006 at Wollogorang?",
        "What percentage of the crop was lost?",
        "What share of the money came from the European Union?",
        "At what temperature do the blossoms die?",
        "What price did the Shorthorn fetch?",
        "What did the works cost?",
        "What does the telescope weigh?",
        "What's the average weight of a mud crab?",
        "what is Serbia's population",
        "What was the death toll?",
        "When the bridge collapsed, how many people died?",
        "avg weight of the mud crabs sold in darwin",
        "kosovo population",
        "How big a share did they take?",
        "Roughly how far is Jarinje from Pristina?",
    ],
    Kind.PERSON: [
        "Who is the mayor?",
        "who's the cooperative's head",
        "To whom did Vukić speak?",
        "Whose plates were taken off?",
        "By whom was the deal negotiated?",
        "the bridge was reopened by who",
        "After Cook was knocked out, who was the rookie that started in his place?",
        "Name the man who accused Kosovo",
    ],
    Kind.PLACE: [
        "Where did the men park their trucks?",
        "where's the uranium deposit",
        "In which city did the two leaders meet?",
        "What country is the company from?",
        "Which Chinese city has busy roads that are now deserted?",
        "What is the capital of Kosovo?",
        "Which of the countries recognised it first?",
        "What parts of the globe do the eggs come from?",
        "Which part of Serbia was flooded?",
        "home town of the champion",
        "What is the name of the village where it began?",
        "name the countries that recognise kosovo",
    ],
    Kind.REASON: [
        "Why did Serbs block the roads?",
        "why's it harder to spot bird flu in asia? csiro training",
        "What caused the fire?",
        "what was the main reason for the delay",
        "How come the launch was scrubbed?",
        "For what reason was the launch scrubbed?",
        "What finally made the premier drop the sale?",
        "What led to the closure of the border?",
        "What did the mayor say was behind the collapse?",
        "The ferry sank off Port Ansel. Why?",
        "What was to blame for the outage?",
        "What was behind the delay?",
        "connect australia package purpose",
    ],
    Kind.MANNER: [
        "How did the engineers repair the pier?",
        "how does the new rule work",
        "How was the cable mended?",
        "How will drivers get their plates?",
        "How to get a temporary plate",
        "Besides tariffs, how do they protect growers?",
        "How badly was the harvest hit?",
        "The cable was mended how?",
    ],
    Kind.EVENT: [
        "What happened in Jarinje on Monday?",
        "what's happening at the border",
        "What exactly happened to the middle pier?",
        "What did Kosovo do with the plates?",
        "What has Serbia done since the talks?",
        "What did the government decide?",
        "What are the Serbs in the north doing?",
        "What became of the arrangement of 2016?",
        "What did the report say happened on Friday?",
        "What will the teenagers do next?",
    ],
    Kind.THING: [
        "What is KFOR?",
        "Which news agency reported on the fighter jets?",
        "What did Kosovo ask drivers to take off?",
        "Which country's minister resigned?",
        "Which group was behind the attack?",
        "Which state politician wanted the charge?",
        "What event delighted Australians?",
        "Which researcher says country drivers remember old safety ads?",
        "What is the name of the group?",
        "Did Rowling mean to publish the book when she finished it?",
        "Is the price of wheat going up?",
        "weed killed off by native fungus",
        "What is the status of the saola?",
        "What kind of deal was reached?",
        "",
        "?",
    ],
}


@pytest.mark.parametrize(("question", "asked"), [(q, asked) for asked, questions in ASKED.items() for q in questions])
def test_the_kind_is_told_from_the_words(question: str, asked: Kind) -> None:
    assert kind(question) is asked


@pytest.mark.parametrize(("question", "asked"), [(q, asked) for asked, questions in ASKED.items() for q in questions])
def test_the_kind_needs_no_capitals_and_no_mark_at_the_end(question: str, asked: Kind) -> None:
    assert kind(question.casefold().rstrip("?").replace("'", "’")) is asked


@pytest.mark.parametrize(
    "question",
    [
        "Which countries do not recognise Kosovo?",
        "which countries recognise kosovo",
        "From which countries did the growers come?",
        "Which two states border the river?",
        "What are the three conditions of the deal?",
        "What are the names of the crossings?",
        "What were Serbia's demands?",
        "Who were the members of the delegation?",
        "Who are the three founders?",
        "Name the crossings that were blocked",
        "name both leaders",
        "List the towns",
        "list everyone who signed",
        "Which people were arrested?",
        "Which women won?",
        "Which news agencies reported on it?",
        "Which northern municipalities have Serb mayors?",
        "What crops will the women grow?",
        "What measures did the government announce?",
        "Which of the crossings are closed?",
        "the consortium is made up of which companies",
    ],
)
def test_several_are_asked_for(question: str) -> None:
    assert asks_for_several(question)


@pytest.mark.parametrize(
    "question",
    [
        "Which series won?",
        "What is the status of the talks?",
        "Which news agency reported on it?",
        "Which sports club won?",
        "Which farmers group protested?",
        "What was the cause of the fire?",
        "How many countries recognise Kosovo?",
        "Which country borders the sea?",
        "Which country borders Serbia?",
        "which mayor says the turbines will be built",
        "Which academic reckons the trade is dull?",
        "What are Galloways, the woolly cattle?",
        "what are CRCs in australian research",
        "What causes floods?",
        "What makes the bridge special?",
        "Who opposes the deals?",
        "Who is the head of the growers?",
        "Which of the two bridges is older?",
        "Which bus was hit?",
        "What led so many growers to sell?",
        "Name the mayor",
        "Where are the crossings?",
        "",
    ],
)
def test_one_answer_is_asked_for(question: str) -> None:
    assert not asks_for_several(question)


def test_explaining_kinds_are_answered_by_clauses() -> None:
    assert [each for each in Kind if explains(each)] == [Kind.REASON, Kind.MANNER, Kind.EVENT]


def test_what_an_article_lacks_can_be_said_of_every_kind() -> None:
    assert [lacks(each) for each in Kind] == [
        "date or time",
        "number",
        "name",
        "place",
        "reason",
        "account of how",
        "account of what happened",
        "answer",
    ]


@given(st.text() | st.lists(st.sampled_from("which what how who name are were of the two part is ? , in s".split())))
def test_any_text_is_a_question(question: str | list[str]) -> None:
    asked = question if isinstance(question, str) else " ".join(question)
    assert kind(asked) in Kind
    assert asks_for_several(asked) in (True, False)
