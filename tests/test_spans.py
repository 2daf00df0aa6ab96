"""Natural bounds of exact answers, their clauses, sentences that lean on others, and answers that agree."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qa.leaning import leans
from qa.quantities import quantity, same_answer
from qa.spans import clause, natural
from qa.wording import Kind

BEFORE, AFTER = "Ana Vukić opened it in May ", " The Lim 5 km Serbia."
"""Neighbouring sentences, which a span must never reach into."""


def span_of(part: str, sentence: str) -> tuple[str, tuple[int, int], tuple[int, int]]:
    """A text, where the sentence stands in it, and where the part does."""
    text = BEFORE + sentence + AFTER
    start = len(BEFORE) + sentence.index(part)
    return text, (len(BEFORE), len(BEFORE) + len(sentence)), (start, start + len(part))


def natural_of(part: str, sentence: str, kind: Kind = Kind.THING) -> str:
    start, end = natural(*span_of(part, sentence), kind)
    return (BEFORE + sentence + AFTER)[start:end]


def clause_of(part: str, sentence: str) -> str:
    start, end = clause(*span_of(part, sentence))
    return (BEFORE + sentence + AFTER)[start:end]


@pytest.mark.parametrize(
    ("part", "whole", "sentence"),
    [
        ("ridge ov", "bridge over", "The stone bridge over the Lim reopened."),
        ("bridge ", "bridge", "The stone bridge over the Lim reopened."),
        (", the mayor,", "the mayor", "Engineers replaced it, the mayor, Ana Vukić, said."),
        ("old", "45-year-old", "A 45-year-old man was rescued."),
        ("1998", "1998-99", "The 1998-99 war drove them out."),
        ("1998", "1998–99", "The 1998–99 war drove them out."),
        ("990", "1990s", "It closed in the 1990s for good."),
        ("cken", "chickens", "They keep chickens, he said."),
        ("rock", "rock’n’roll", "They played rock’n’roll all night."),
        ("Vuc", "Vuc\u030cic\u0301", "They saw Vuc\u030cic\u0301 there."),
        ("&T", "AT&T", "The firm AT&T paid for it."),
        ("the bridge", "the bridge", "Ice pushed the bridge over."),
    ],
)
def test_no_word_is_cut_and_no_punctuation_left_over(part: str, whole: str, sentence: str) -> None:
    assert natural_of(part, sentence) == whole


@pytest.mark.parametrize(
    ("part", "whole", "sentence"),
    [
        ("3.4", "3.4 million euros", "The works cost 3.4 million euros."),
        ("euros", "3.4 million euros", "The works cost 3.4 million euros."),
        ("3.4", "€3.4m", "The budget of €3.4m was spent."),
        ("4", "€3.4m", "The budget of €3.4m was spent."),
        ("$", "$1.2 billion", "It raised $1.2 billion, the firm said."),
        ("5", "US$ 5bn", "They owe US$ 5bn to banks."),
        ("100", "100€", "It costs 100€ in all."),
        ("15", "15 per cent", "Prices rose by 15 per cent."),
        ("15", "15%", "Prices rose by 15%."),
        ("%", "15 %", "Prices rose by 15 % in May."),
        ("45", "45 km", "The crossing lies about 45 km north of Pristina."),
        ("9", "9,000 tonnes", "He expects a crop of 9,000 tonnes instead of the usual 25,000."),
        ("25,000.", "25,000", "He expects a crop of 9,000 tonnes instead of the usual 25,000."),
        ("9,000", "9,000", "The crop fell from 9,000 to 600 tonnes."),
        ("14", "14 months", "It reopened after 14 months of repairs."),
        ("14", "14\nmonths", "It reopened after 14\nmonths of repairs."),
        ("five", "five euros", "It costs five euros and is valid for 60 days."),
        ("60", "60 days", "It costs five euros and is valid for 60 days."),
        ("600", "600", "About 600 farms are hit."),
        ("Two", "Two thirds", "Two thirds of it came from Brussels."),
        ("million", "half a million euros", "They lost half a million euros."),
        ("twenty", "twenty-five thousand litres", "A tank of twenty-five thousand litres burst."),
        ("10", "10 to 15 km", "They walked 10 to 15 km daily."),
        ("5", "between 5 and 10 per cent", "They want between 5 and 10 per cent of it."),
        ("6", "$6 a kilogram", "Bananas fetch $6 a kilogram there."),
        ("14", "14 and a half years", "He ruled for 14 and a half years."),
        ("four", "four years ago", "It was closed four years ago."),
        ("-5", "-5 °C", "It fell to -5 °C overnight."),
        ("Seven", "Seven", "Seven Serbs were arrested."),
        ("fourteen", "fourteen hours", "It took fourteen hours."),
    ],
)
def test_a_number_keeps_its_unit(part: str, whole: str, sentence: str) -> None:
    assert natural_of(part, sentence, Kind.NUMBER) == whole


@pytest.mark.parametrize(
    ("part", "whole", "sentence"),
    [
        ("23 April", "23 April 2021", "The deal of 23 April 2021 ran out."),
        ("2021", "23 April 2021", "The deal of 23 April 2021 ran out."),
        ("March", "4 March 2022", "It reopened on 4 March 2022."),
        ("4", "Friday, 4 March 2022", "It reopened on Friday, 4 March 2022."),
        ("May", "May 4, 2022", "On May 4, 2022, growers met."),
        ("4", "4th of May", "On the 4th of May growers met."),
        ("March", "March 2022", "It reopened in March 2022."),
        ("March", "March", "It reopened in March after repairs, in 2022."),
        ("Friday", "Friday", "It reopened on Friday after 14 months."),
        ("April", "April last year", "He vanished in April last year."),
        ("2021", "early 2021", "It began in early 2021."),
        ("7:30", "7:30 pm", "It starts at 7:30 pm."),
        ("7.30", "7.30pm", "It starts at 7.30pm."),
        ("5", "5 p.m.", "It starts at 5 p.m. on Friday."),
        ("19", "19:30 GMT", "The rocket left at 19:30 GMT."),
        ("2022", "2022-03-04", "The stamp says 2022-03-04."),
    ],
)
def test_a_date_and_a_time_of_day_are_whole(part: str, whole: str, sentence: str) -> None:
    assert natural_of(part, sentence, Kind.DATE) == whole


@pytest.mark.parametrize(
    ("part", "whole", "sentence"),
    [
        ("Kurti", "Prime Minister Albin Kurti", "Prime Minister Albin Kurti said it was reciprocity."),
        ("Albin Kurti", "Prime Minister Albin Kurti", "Prime Minister Albin Kurti said it was reciprocity."),
        ("Vučić", "Serbian President Aleksandar Vučić", "In Belgrade, Serbian President Aleksandar Vučić met them."),
        ("Kurti", "Mr Kurti", "On Monday Mr Kurti argued."),
        ("Vukić", "Ana Vukić", "On Monday Ana Vukić spoke."),
        ("Vukić", "Vukić", "Yesterday Vukić spoke."),
        ("Vukić", "Vukić", "Reluctantly Vukić agreed."),
        ("Vukić", "Ana Vukić", "The mayor, Ana Vukić, said so."),
        ("Rowling", "J. K. Rowling", "J. K. Rowling wrote it."),
        ("Rowling", "J.K. Rowling", "It was J.K. Rowling who wrote it."),
        ("Leyen", "Ursula von der Leyen", "They wrote to Ursula von der Leyen first."),
        ("Assad", "Bashar al-Assad", "They wrote to Bashar al-Assad first."),
        ("Petar", "Petar Ilić", "Petar Ilić of Valjevo grows plums."),
        ("Kurti", "Kurti", "Voters like Kurti’s government."),
        ("Kurti’s", "Kurti’s", "Voters like Kurti’s government."),
        ("Paul Williams", "Paul Williams", "From Griffith University Paul Williams says no."),
        ("The Kosovo", "The Kosovo Police", "The Kosovo Police blocked roads."),
    ],
)
def test_a_person_is_named_in_full(part: str, whole: str, sentence: str) -> None:
    assert natural_of(part, sentence, Kind.PERSON) == whole


@pytest.mark.parametrize(
    ("part", "whole", "sentence"),
    [
        ("Petersburg", "St. Petersburg", "They flew to St. Petersburg on Monday."),
        ("U.S", "U.S.", "The U.S. and most EU members recognise it."),
        ("U.S", "U.S.", "He moved to the U.S."),
        ("10", "No. 10", "He left No. 10 in tears."),
        ("Kosovo", "Republic of Kosovo", "They saw plates of a Republic of Kosovo there."),
        ("Kosovo", "Kosovo", "The Serbs met Kosovo Prime Minister Albin Kurti."),
        ("Kosovo", "Kosovo", "They wrote to the President of Kosovo again."),
        ("Brussels", "Brussels", "They met in Brussels Monday for talks."),
        ("Brussels", "Brussels", "They met in Brussels, Belgium, and Pristina."),
        ("York", "New York", "The talks in New York went well."),
        ("Lim", "Lim", "Old Bridge Over The Lim Reopens After Repairs"),
    ],
)
def test_a_place_is_named_in_full_and_takes_in_nobody(part: str, whole: str, sentence: str) -> None:
    assert natural_of(part, sentence, Kind.PLACE) == whole


@pytest.mark.parametrize(
    ("part", "whole", "sentence"),
    [
        ("“a farce", "“a farce”", "He called it “a farce”, she said."),
        ("a farce”,", "“a farce”", "He called it “a farce”, she said."),
        ("a farce", "a farce", "He called it “a farce”, she said."),
        ("it “a", "it “a", "He called it “a farce”, she said."),
        ("“We waited long", "We waited long", "“We waited long for this day,” Vukić told the crowd."),
        ("‘old bridge", "‘old bridge’", "They love the ‘old bridge’ there."),
        ('"old bridge', '"old bridge"', 'They love the "old bridge" there.'),
        ("(KFOR", "(KFOR)", "The peacekeeping force (KFOR) stays."),
        ("force (KFOR", "force (KFOR)", "The peacekeeping force (KFOR) stays."),
        ("KFOR) stays", "(KFOR) stays", "The peacekeeping force (KFOR) stays."),
        ("(in Pristina", "in Pristina", "The force (in Pristina only) stays."),
    ],
)
def test_quotation_marks_and_brackets_stay_in_pairs(part: str, whole: str, sentence: str) -> None:
    assert natural_of(part, sentence) == whole


@pytest.mark.parametrize("part", ["", "—", "…"])
def test_a_span_without_words_gives_the_sentence(part: str) -> None:
    sentence = "Serbia — and Russia — do not…"
    assert natural_of(part, sentence) == clause_of(part, sentence) == sentence


@pytest.mark.parametrize(
    ("part", "whole", "sentence"),
    [
        (
            "Serbian plates",
            "because Kosovo began removing Serbian plates",
            "Serbs blocked roads because Kosovo began removing Serbian plates, the mayor said.",
        ),
        (
            "removing",
            "because Kosovo began removing plates",
            "Serbs blocked roads because Kosovo began removing plates, which Serbia calls a provocation.",
        ),
        ("hydrogen", "due to a hydrogen leak", "The launch was scrubbed due to a hydrogen leak, the agency said."),
        ("herds", "by crossing herds with new stock", "They bred it by crossing herds with new stock."),
        ("see that", "to see that the rule was kept", "Kosovo sent police to see that the rule was kept."),
        ("15", "because demand fell by 15%", "Prices sank because demand fell by 15%."),
        (
            "lorries",
            "lorries were sent over the mountain",
            "Floods had washed away the pier; lorries were sent over the mountain.",
        ),
        (
            "the same",
            "Serbia has for years done the same",
            "He called it reciprocity: Serbia has for years done the same.",
        ),
        ("washed", "The pier was washed away", "The pier was washed away — the worst loss in a century."),
        ("waited", "We waited long for this day", "“We waited long for this day,” Vukić told the crowd."),
        (
            "replaced",
            "Engineers replaced 212 of its blocks",
            "Engineers replaced 212 of its blocks, the mayor, Ana Vukić, said.",
        ),
    ],
)
def test_a_clause_runs_from_what_opens_it_to_its_end(part: str, whole: str, sentence: str) -> None:
    assert clause_of(part, sentence) == whole


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ("fell", "The bridge — built in 1850 — fell in the flood."),
        ("floods", "When it rains, the middle pier floods."),
        ("Jarinje", "Kosovo sent special police to Jarinje."),
        ("the deal", "Serbia as well as Kosovo welcomed the deal."),
        ("2011", "The EU has mediated since 2011."),
        ("Floods had", "Floods had washed away the middle pier."),
        ("gone", "The pier had gone because."),
    ],
)
def test_in_doubt_a_clause_is_the_sentence(part: str, sentence: str) -> None:
    assert clause_of(part, sentence) == sentence


@pytest.mark.parametrize(
    "sentence",
    [
        "He called it reciprocity.",
        "But he said no.",
        "However, they left.",
        "His government was ready to drop it.",
        "It costs five euros.",
        "It’s been closed for years.",
        "It is due to open in May.",
        "It was sent to Brussels.",
        "This is the second delay.",
        "That day the roads were blocked.",
        "Those plans failed.",
        "Such plans often fail.",
        "The two countries met in Brussels.",
        "The latter refused.",
        "The former was ready to sign.",
        "Both sides agreed.",
        "After that, the roads were opened.",
        "In that case they would leave.",
        "Under this rule they may stay.",
        "Since then nothing has happened.",
        "“We waited long for this day.”",
        "“We waited long for this day,” he said.",
        "“He lied to us all.”",
        "“The bridge is safe,” she told the crowd.",
        "We were ready, and the weather was not.",
    ],
)
def test_a_sentence_leans_on_the_one_before(sentence: str) -> None:
    assert leans(*span_of(sentence, sentence)[:2])


@pytest.mark.parametrize(
    "sentence",
    [
        "The bridge reopened on Friday.",
        "It is hard to say what the works cost.",
        "It was Kurti who refused.",
        "It is clear that the deal has failed.",
        "It’s not known whether the deal holds.",
        "It took 14 months to repair the bridge.",
        "This week Kosovo began removing plates.",
        "These days the bridge is closed.",
        "At this week’s summit Serbia walked out.",
        "Those who blocked the roads want the units gone.",
        "That the deal failed surprised nobody.",
        "The former prime minister won.",
        "Both Serbia and Kosovo agreed.",
        "In his speech, Kurti refused.",
        "His Majesty opened the bridge.",
        "“We waited long for this day,” Vukić told the crowd.",
        "“He lied,” Vučić said.",
        "But Serbia refused.",
        "The two-day summit ended.",
        "",
        "…",
    ],
)
def test_a_sentence_stands_alone(sentence: str) -> None:
    assert not leans(*span_of(sentence, sentence)[:2])


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("3.4 million euros", 3_400_000, "euro"),
        ("€3.4m", 3_400_000, "euro"),
        ("$1.2 billion", 1_200_000_000, "dollar"),
        ("US$6 a kilogram", 6, "dollar/kg"),
        ("nearly a million Australian dollars", 1_000_000, "dollar"),
        ("15 per cent", 15, "%"),
        ("15% of it", 15, "%"),
        ("about 600 farms", 600, "farm"),
        ("600 plum farms", 600, "farm"),
        ("more than 500 people killed", 500, "person"),
        ("five", 5, ""),
        ("Fifty-four", 54, ""),
        ("half an hour", 0.5, "hour"),
        ("Two thirds of it", 2 / 3, ""),
        ("14 and a half months", 14.5, "month"),
        ("two and a half million", 2_500_000, ""),
        ("9,000 tonnes of plums", 9000, "tonne"),
        ("1,998", 1998, ""),
        ("45-year-old", 45, "year"),
        ("75 km north of Pristina", 75, "km"),
        ("75 kilometres", 75, "km"),
        ("500m", 500, "metre"),
        ("500m euros", 500_000_000, "euro"),
        ("minus five degrees Celsius", -5, "°c"),
        ("-5 °C", -5, "°c"),
        ("110 km/h", 110, "km/h"),
        ("536,000 square kilometres", 536_000, "square km"),
        ("a dozen ships", 12, "ship"),
    ],
)
def test_a_quantity_has_an_amount_and_a_unit(text: str, amount: float, unit: str) -> None:
    found = quantity(text)
    assert found is not None
    assert found[0] == pytest.approx(amount)
    assert found[1] == unit


@pytest.mark.parametrize(
    "text",
    [
        "AFP",
        "Ana Vukić",
        "23 April",
        "4 March 2022",
        "2022-03-04",
        "1998",
        "1998-99",
        "the 1990s",
        "the 1933 ruling",
        "7:30",
        "7.30pm",
        "5 p.m.",
        "four years ago",
        "5th",
        "No. 10",
        "10 to 15 km",
        "between 5 and 10 per cent",
        "one of the ministers",
        "a bridge",
        "the",
        "€",
        "",
    ],
)
def test_dates_names_ranges_and_text_are_no_quantities(text: str) -> None:
    assert quantity(text) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The Lim", "the Lim."),
        ("15 per cent", "15%"),
        ("15 percent", "15"),
        ("five euros", "5 euros"),
        ("twenty", "20"),
        ("9,000 tonnes", "9000 tonnes"),
        ("€3.4m", "3.4 million euros"),
        ("Albin Kurti", "Prime Minister Albin Kurti"),
        ("April", "23 April 2021"),
        ("Kosovo’s police", "Kosovo's police"),
        ("“a farce”", "farce"),
        ("", ""),
    ],
)
def test_answers_that_say_the_same(one: str, other: str) -> None:
    assert same_answer(one, other)
    assert same_answer(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Belgrade", "Pristina"),
        ("14 months", "15 months"),
        ("14 months", "14 years"),
        ("5", "5 million"),
        ("3 April 2021", "23 April 2021"),
        ("aimed at Serbs", "not aimed at Serbs"),
        ("Ana Vukić", "Petar Vukić"),
        ("Serbia", ""),
        ("the", "a"),
    ],
)
def test_answers_that_differ(one: str, other: str) -> None:
    assert not same_answer(one, other)
    assert not same_answer(other, one)


PIECES = st.sampled_from(
    "Ana Vukić of the Republic Kosovo’s 3.4 million euros $ % “ ” ( ) , ; — 4 March 2022 7:30 p.m. St. U.S. No. J. K. "
    'because to by crossing said - ’ ‘ " five two-thirds May de la & \n as which he 1998–99 €3.4m Prime Minister'.split(
        " "
    )
)
TEXTS = st.text(max_size=60) | st.lists(PIECES, max_size=20).map(" ".join) | st.lists(PIECES, max_size=20).map("".join)
PLACES = st.integers(0, 90)


@given(TEXTS, PLACES, PLACES, PLACES, PLACES, st.sampled_from(Kind))
@example("Ana Vukić, 5 km", 0, 15, 0, 90, Kind.PERSON)
def test_what_comes_back_stays_in_the_sentence_and_holds_the_span(
    text: str, low: int, length: int, start: int, more: int, kind: Kind
) -> None:
    low = min(low, len(text))
    high = min(low + length, len(text))
    given_letters = [at for at in range(max(low, start), min(high, start + more)) if text[at].isalnum()]
    for first, last in (
        natural(text, (low, high), (start, start + more), kind),
        clause(text, (low, high), (start, start + more)),
    ):
        assert low <= first <= last <= high
        assert all(first <= at < last for at in given_letters)
    first, last = natural(text, (low, high), (start, start + more), kind)
    if given_letters:
        assert text[first:last] == text[first:last].strip()
    assert leans(text, (low, high)) in (True, False)


@given(TEXTS, TEXTS)
def test_any_two_texts_can_be_compared(one: str, other: str) -> None:
    assert same_answer(one, one)
    assert same_answer(one, other) == same_answer(other, one)


@pytest.mark.parametrize(
    ("sentence", "date"),
    [
        ("On Sunday Croatia became the 20th country to use the euro and the 27th in the Schengen area.", "Sunday"),
        ("The pier was closed on 4 March 2021 after a storm had torn three planks from its deck.", "4 March 2021"),
        ("It has stood there since the shepherds of the valley built it out of river stones.", ""),
    ],
)
def test_of_a_long_span_the_date_is_enough(sentence: str, date: str) -> None:
    whole = (0, len(sentence) - 1)
    start, end = natural(sentence, (0, len(sentence)), whole, Kind.DATE)
    assert sentence[start:end] == (date or sentence[:-1])
    assert natural(sentence, (0, len(sentence)), whole, Kind.THING) == whole


def test_vowel_signs_belong_to_their_word() -> None:
    sentence = "भारत की राजधानी दिल्ली है।"
    start = sentence.index("दिल्ली")
    found = natural(sentence, (0, len(sentence)), (start, start + len("दिल्ली")), Kind.THING)
    assert sentence[slice(*found)] == "दिल्ली"


def test_an_endless_sentence_costs_no_more_than_a_long_one() -> None:
    endless = "and 9,000 tonnes of Plums " * 40_000
    at = len(endless) // 2 // 26 * 26 + len("and ")
    start, end = natural(endless, (0, len(endless)), (at, at + 3), Kind.NUMBER)
    assert endless[start:end] == "9,000 tonnes"
