"""Which text a span of the reader becomes, and which sentences lean on the one before."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qa.bounds import complete, leans

BEFORE, AFTER = "Ana Vukić opened it in May ", " The Lim 5 km Serbia."
"""Neighbouring sentences, which a span must never reach into."""


def completed(part: str, sentence: str) -> str:
    """What the part of the sentence becomes."""
    text, start = BEFORE + sentence + AFTER, len(BEFORE) + sentence.index(part)
    span = complete(text, (len(BEFORE), len(BEFORE) + len(sentence)), (start, start + len(part)))
    return text[slice(*span)]


WORDS = [
    ("ridge ov", "bridge over", "The stone bridge over the Lim reopened."),
    (", the mayor,", "the mayor", "Engineers replaced it, the mayor, Ana Vukić, said."),
    ("old", "45-year-old", "A 45-year-old man was rescued."),
    ("1998", "1998–99", "The 1998–99 war drove them out."),
    ("Paris", "Paris", "The Paris–Dakar rally was called off."),
    ("990", "1990s", "It closed in the 1990s for good."),
    ("rock", "rock’n’roll", "They played rock’n’roll all night."),
    ("Vuc", "Vuc\u030cic\u0301", "They saw Vuc\u030cic\u0301 there."),
    ("दिल्", "दिल्ली", "भारत की राजधानी दिल्ली है।"),
    ("है", "है", "भारत की राजधानी दिल्ली है।"),
    ("U.S", "U.S.", "He moved to the U.S."),
    ("cat", "cat", "They saw the cat."),
    ("government", "government", "Voters like Kurti’s government."),
    ("Kurti", "Kurti", "Voters like Kurti’s government."),
    ("Kurti’s", "Kurti’s", "Voters like Kurti’s government."),
]
CODES = [
    ("820", "KL-820", "Flight KL-820 was late."),
    ("C", "C++", "It is written in C++, they said."),
    ("Co", "Dunn&Co", "The firm Dunn&Co paid for it."),
    ("GPT", "GPT-4", "They asked GPT-4."),
    ("vucic", "@vucic_rs", "He wrote to @vucic_rs."),
    ("news", "ana.vukic@news.example.org", "Write to ana.vukic@news.example.org, she said."),
    ("example", "https://www.example.org/a-b/?c=1,2#d", "See https://www.example.org/a-b/?c=1,2#d."),
    ("example", "www.example.org", "See (www.example.org)."),
]
QUANTITIES = [
    ("3.4", "3.4 million euros", "The works cost 3.4 million euros."),
    ("euros", "3.4 million euros", "The works cost 3.4 million euros."),
    ("4", "€3.4m", "The budget of €3.4m was spent."),
    ("$", "$1.2 billion", "It raised $1.2 billion, the firm said."),
    ("5", "US$ 5bn", "They owe US$ 5bn to banks."),
    ("15", "15 per cent", "Prices rose by 15 per cent."),
    ("%", "15 %", "Prices rose by 15 % in May."),
    ("9", "9,000 tonnes", "He expects a crop of 9,000 tonnes instead of the usual 25,000."),
    ("25,000.", "25,000", "He expects a crop of 9,000 tonnes instead of the usual 25,000."),
    ("14", "14\nmonths", "It reopened after 14\nmonths of repairs."),
    ("five", "five euros", "It costs five euros and is valid for 60 days."),
    ("600", "600", "About 600 farms are hit."),
    ("Two", "Two thirds", "Two thirds of it came from Brussels."),
    ("million", "half a million euros", "They lost half a million euros."),
    ("twenty", "twenty-five thousand litres", "A tank of twenty-five thousand litres burst."),
    ("6", "$6 a kilogram", "Bananas fetch $6 a kilogram there."),
    ("four", "four years ago", "It was closed four years ago."),
    ("-5", "-5 °C", "It fell to -5 °C overnight."),
    ("Seven", "Seven", "Seven Serbs were arrested."),
    ("often", "often", "It often rains."),  # not "ten"
]
DATES = [
    ("23 April", "23 April 2021", "The deal of 23 April 2021 ran out."),
    ("2021", "23 April 2021", "The deal of 23 April 2021 ran out."),
    ("4", "Friday, 4 March 2022", "It reopened on Friday, 4 March 2022."),
    ("May", "May 4, 2022", "On May 4, 2022, growers met."),
    ("4", "4th of May", "On the 4th of May growers met."),
    ("March", "March 2022", "It reopened in March 2022."),
    ("March", "March", "It reopened in March after repairs, in 2022."),
    ("Friday", "Friday", "It reopened on Friday after 14 months."),
    ("April", "April last year", "He vanished in April last year."),
    ("7:30", "7:30 pm", "It starts at 7:30 pm."),
    ("5", "5 p.m.", "It starts at 5 p.m. on Friday."),
    ("19", "19:30 GMT", "The rocket left at 19:30 GMT."),
    ("2022", "2022-03-04", "The stamp says 2022-03-04."),
]
NAMES = [
    ("Vukić", "Ana Vukić", "The mayor, Ana Vukić, said so."),
    ("York", "New York", "The talks in New York went well."),
    ("Rowling", "J. K. Rowling", "It was J. K. Rowling who wrote it."),
    ("Vukić", "Vukić", "Yesterday Vukić spoke."),
    ("Vukić", "Vukić", "On Monday Vukić spoke."),
    ("Kosovo", "Kosovo", "The Serbs met Kosovo Prime Minister Albin Kurti."),
    ("Lim", "Lim", "Old Bridge Over The Lim Reopens After Repairs"),
]
PAIRS = [
    ("“a farce", "“a farce”", "He called it “a farce”, she said."),
    ("a farce”,", "“a farce”", "He called it “a farce”, she said."),
    ("a farce", "a farce", "He called it “a farce”, she said."),
    ("“We waited long", "We waited long", "“We waited long for this day,” Vukić told the crowd."),
    ("‘old bridge", "‘old bridge’", "They love the ‘old bridge’ there."),
    ('"old bridge', '"old bridge"', 'They love the "old bridge" there.'),
    ('the "old bridge', 'the "old bridge"', 'They love the "old bridge" there.'),
    ("dogs’ home", "dogs’ home", "They run a dogs’ home."),
    ("force (KFOR", "force (KFOR)", "The peacekeeping force (KFOR) stays."),
    ("KFOR) stays", "(KFOR) stays", "The peacekeeping force (KFOR) stays."),
    ("the force (in Kosovo", "the force", "They want the force (in Kosovo and elsewhere) to stay."),
    ("it “a", "it", "He called it “a farce”, she said."),
    ('"(yes" and (no', 'yes" and (no', 'He said "(yes" and (no to it.'),
    ("yes (un", "yes", "He said yes (unofficially he meant no)."),
    ("f(n", "DTIME(f(n))", "It is written DTIME(f(n))."),
]


@pytest.mark.parametrize(("part", "whole", "sentence"), [*WORDS, *CODES, *QUANTITIES, *DATES, *NAMES, *PAIRS])
def test_a_span_becomes(part: str, whole: str, sentence: str) -> None:
    assert completed(part, sentence) == whole


@pytest.mark.parametrize("part", ["", "—", "…"])
def test_a_span_without_words_gives_the_sentence(part: str) -> None:
    sentence = "Serbia — and Russia — do not…"
    assert completed(part, sentence) == sentence


def test_an_endless_sentence_costs_no_more_than_a_long_one() -> None:
    endless = "and 9,000 tonnes of Plums " * 40_000
    at = len(endless) // 2 // 26 * 26 + len("and ")
    start, end = complete(endless, (0, len(endless)), (at, at + 3))
    assert endless[start:end] == "9,000 tonnes"


PIECES = st.sampled_from(
    'Ana Vukić Kosovo’s 3.4 million euros $ % “ ” ( ) , ; — 4 March 2022 7:30 p.m. U.S. J. K. - ’ ‘ " five & \n '
    "1998–99 €3.4m C++ @ana".split(" ")
)
TEXTS = st.text(max_size=60) | st.lists(PIECES, max_size=20).map(" ".join) | st.lists(PIECES, max_size=20).map("".join)
PLACES = st.integers(0, 90)


@given(TEXTS, PLACES, PLACES, PLACES, PLACES)
@example("Ana Vukić, 5 km", 0, 15, 0, 90)
def test_a_span_stays_in_its_sentence_and_loses_letters_only_to_a_lone_half(
    text: str, low: int, length: int, start: int, more: int
) -> None:
    low = min(low, len(text))
    high = min(low + length, len(text))
    first, last = complete(text, (low, high), (start, start + more))
    assert low <= first <= last <= high
    letters = [at for at in range(max(low, start), min(high, start + more)) if text[at].isalnum()]
    if not set(text[low:high]) & set('“”‘’«»()[]"'):
        assert all(first <= at < last for at in letters)


LEANING = [
    "He called it reciprocity.",
    "But he said no.",
    "However, they left.",
    "It’s been closed for years.",
    "That day the roads were blocked.",
    "The two countries met in Brussels.",
    "The latter refused.",
    "“He lied to us all.”",
]
STANDING = ["The bridge reopened.", "But Serbia refused.", "In his speech, Kurti refused.", "The two-day summit ended."]


@pytest.mark.parametrize("sentence", [*LEANING, *STANDING, "", "…"])
def test_whether_a_sentence_leans_on_the_one_before(sentence: str) -> None:
    found = leans(BEFORE + sentence + AFTER, (len(BEFORE), len(BEFORE) + len(sentence)))
    assert found is (sentence in LEANING)
