"""Splitting: sentences and passages as offsets, on the mess that news is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.reading.articles import Article
from index.reading.passages import MAX_SENTENCE_CHARS, paragraphs, split, split_sentences
from index.reading.tokens import load_encoding

COUNTER = load_encoding()


def sentences(text: str) -> list[str]:
    return [text[s.start : s.end] for s in split_sentences(text)]


@pytest.mark.parametrize(
    "said",
    [
        [
            "It landed at 6:04 p.m. Indian time (1234 GMT).",
            "It struck at 7:14 p.m. EDT.",
            "It will be shown at 9 p.m. ET on Friday.",
            "The crowd left at 8 p.m.",
            "This time nobody came before 9 a.m.",
            "MT. Gox fell at 10 a.m.",
            "AST SpaceMobile shares rose.",
            "The vote is at 8 p.m. Thursday.",
            "It starts at 9 p.m. Nov. 14 in Oslo.",
            "The park closes at 5 p.m.",
            "May is warm.",
        ],
        [
            "Mr. Smith of the U.S. Navy paid $1.5 million to J. R. Hartley at 5 p.m. on Friday.",
            "He left.",
            "It holds approx. 3 tonnes, KDE.NEWS wrote.",
            "See vol. 3 and pp. 7-9.",
            "The rest is in Fig. 4.",
            "Then she laughed.",
            "“Who will pay for it?” he asked.",
            "Nobody knew.",
        ],
        [
            "“My family has been here since 1873.",
            "But I have been told to leave,” she said.",
            "“Why so long?” Mr Heffernan said.",
            "“We waited.”",
            "Then they left.",
            "He asked: “Who?",
            "Me?”",
            "Nobody answered.",
        ],
    ],
    ids=["times", "abbreviations", "quotations"],
)
def test_sentences_end_where_they_end(said: list[str]) -> None:
    assert sentences(" ".join(said)) == said


@pytest.mark.parametrize(
    ("between", "said"),
    [
        (
            "\n\n",
            [
                "Police stand guard in Jarinje, Kosovo [A. Photographer/Agency]",
                "“After the provocations of [special police] units… the President gave the order, ”the Ministry said.",
                "Diplomatic pressure",
                "The EU’s foreign minister urged both sides to calm down.",
            ],
        ),
        ("\n", ["Storm hits coast", "Winds of 120 km/h tore roofs off houses in three towns.", "Nobody was hurt."]),
        ("\n", ["The plan:", "- cut taxes", "- build roads"]),
    ],
    ids=["captions and subheadings", "a paragraph a line", "a list"],
)
def test_each_line_is_a_sentence_of_its_own(between: str, said: list[str]) -> None:
    assert sentences(between.join(said)) == said


def test_a_fragment_is_a_sentence_of_its_own() -> None:
    said = ["They reject the authority of the government.", "the capital of Kosovo, Pristina."]
    assert sentences(" ".join(said)) == said


WIDE_SPACES = [char for char in map(chr, range(0x80, 0x11_0000)) if char.isspace()]


@pytest.mark.parametrize("space", WIDE_SPACES, ids=ascii)
def test_any_white_space_before_a_full_stop_is_taken_like_a_plain_one(space: str) -> None:
    text = f"They\u00a0chose{space}plan B{space}. It{space}worked."
    found = [(s.start, s.end) for s in split_sentences(text)]
    assert found == [(s.start, s.end) for s in split_sentences(text.replace(space, " ").replace("\u00a0", " "))]
    assert sentences(text)[-1].endswith(f"It{space}worked.")


def test_lines_wrapped_at_a_column_are_one_paragraph() -> None:
    text = (
        "The stone bridge over the river reopened to traffic on Friday after\n"
        "fourteen months of repairs, and the mayor, who had promised it for\n"
        "spring, cut the ribbon.\n"
    )
    assert sentences(text) == [text.strip()]


def article(text: str) -> Article:
    return Article(path="a.txt", text=text)


def test_passages_are_whole_sentences_within_the_budget() -> None:
    text = " ".join(f"Sentence number {n} says that the river rose by {n} centimetres overnight." for n in range(60))
    passages = split(article(text), COUNTER, budget=100)
    counts = [sum(COUNTER.count_batch(text[s.start : s.end] for s in p.sentences)) for p in passages]
    assert max(counts) <= 100
    assert min(counts) > 60  # evenly filled, no crumb at the end
    assert [s for p in passages for s in p.sentences] == split_sentences(text)


def test_a_sentence_longer_than_the_budget_is_a_passage_of_its_own() -> None:
    text = f"Short one. {'and so on ' * 40}in the end. Short two."
    passages = split(article(text), COUNTER, budget=50)
    assert [len(p.sentences) for p in passages] == [1, 1, 1]


def test_text_without_full_stops_is_cut_where_it_pauses() -> None:
    line = "so we went down to the river, the boats were gone; nobody said a word and "
    said = sentences(line * 400)
    assert all(len(one) <= MAX_SENTENCE_CHARS for one in said)
    assert said[0].startswith("so we went down")
    assert all(one.endswith("the boats were gone;") for one in said[:5])
    assert "".join("".join(said).split()) == "".join((line * 400).split())


@pytest.mark.parametrize(
    "text", ["漢。" * 100_000, "'" * 300_000, "word\n" * 60_000, "word " * 60_000, "p.m. " * 60_000]
)
def test_a_long_text_of_anything_is_split(text: str) -> None:
    said = split_sentences(text)
    assert max(one.end - one.start for one in said) <= MAX_SENTENCE_CHARS
    assert sum(one.end - one.start for one in said) >= len("".join(text.split()))


def test_the_title_is_in_no_passage() -> None:
    text = "A title\n\nThe text."
    passages = split(Article(path="a.txt", text=text, title_end=7, body_start=8), COUNTER)
    assert [text[p.start : p.end] for p in passages] == ["The text."]


@given(st.text(alphabet=st.sampled_from("aB .!?\n\t“”\"'’…-–1,éЖ中🙂\u2028\u00a0[]#*"), max_size=300))
def test_every_visible_character_is_in_exactly_one_sentence(text: str) -> None:
    spans = split_sentences(text)
    covered = [0] * len(text)
    for span in spans:
        assert text[span.start : span.end] == text[span.start : span.end].strip() != ""
        for at in range(span.start, span.end):
            covered[at] += 1
    assert all(count == 1 for char, count in zip(text, covered, strict=True) if not char.isspace())
    assert max(covered, default=0) <= 1
    assert spans == sorted(spans, key=lambda s: s.start)


@given(st.text(alphabet=st.sampled_from("ab .\n"), max_size=400), st.integers(1, 40))
def test_passages_hold_every_sentence_once_in_order(text: str, budget: int) -> None:
    passages = split(article(text), COUNTER, budget)
    assert [s for p in passages for s in p.sentences] == split_sentences(text)
    assert all((p.start, p.end) == (p.sentences[0].start, p.sentences[-1].end) for p in passages)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One.\nTwo.\nThree.", ["One.", "Two.", "Three."]),
        ("One.\n \n  Two. \n", ["One.", "Two."]),
        ("A line that has been wrapped by hand at column fifty\ngoes on.\nNext.", 2),
        ("  \n", []),
    ],
)
def test_lines_are_paragraphs_unless_they_look_wrapped(text: str, expected: list[str] | int) -> None:
    found = [text[start:end] for start, end in paragraphs(text)]
    assert len(found) == expected if isinstance(expected, int) else found == expected
