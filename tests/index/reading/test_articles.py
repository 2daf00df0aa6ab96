"""Reading one article file: encodings, newlines, header forms, and refusals in words."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import ArticleError
from index.reading.articles import Article, parse_article, read_article


def parse(text: str) -> Article:
    return parse_article(text.encode(), "story.txt")


def body(article: Article) -> str:
    return article.text[article.body_start :].strip()


DAY = datetime.date(2022, 5, 11)
QUOTED = "Belgrade accuses its neighbor of “provocations”."


@pytest.mark.parametrize(
    ("text", "stated", "rest"),
    [
        (
            f" date 2022-05-11 {QUOTED}\n\nTroops are on alert.\n",
            {"date": DAY, "title": QUOTED},
            "Troops are on alert.",
        ),
        (  # keys may stand below a dated first line
            "date 2022-05-11 A title\nsource: The Wire\nurl: http://a.example/x\n\nNote: this is body.\n",
            {"date": DAY, "title": "A title", "source": "The Wire", "url": "http://a.example/x"},
            "Note: this is body.",
        ),
        (  # prose directly below it is body
            "date 2022-05-11 A title\nMinister: we agree.\nMore.",
            {"date": DAY, "title": "A title"},
            "Minister: we agree.\nMore.",
        ),
        (
            '---\ntitle: "A: b"\ndate: 2022-05-11\nsource: Post\nauthor: J. Doe\ntags: x\n---\n\nText.\n',
            {"title": "A: b", "date": DAY, "source": "Post", "author": "J. Doe"},
            "Text.",
        ),
        (  # front matter may be followed by a dated line
            "---\nsource: Post\n---\ndate 2022-05-11 A title\n\nText.",
            {"source": "Post", "title": "A title", "date": DAY},
            "Text.",
        ),
        ("Life on Mars?\n\nFirst sentence.\n", {"title": "Life on Mars?"}, "First sentence."),
        ("Wool finished on 858 cents a kilo.\n\nFirst.\n", {"title": "Wool finished on 858 cents a kilo."}, "First."),
        ("Date palms of the oasis\n\nThey are old.\n", {"title": "Date palms of the oasis"}, "They are old."),
        ("# A heading\nText.\n", {"title": "A heading"}, "Text."),
    ],
)
def test_what_a_header_states(text: str, stated: dict[str, object], rest: str) -> None:
    article = parse_article(text.encode(), "story.md" if text[0] == "#" else "story.txt")
    everything = {"date": None, "source": None, "url": None, "author": None, "warning": None} | stated
    assert {name: getattr(article, name) for name in everything} == everything
    assert article.text[article.title_start : article.title_end] in (article.title, f'"{article.title}"')
    assert body(article) == rest


@pytest.mark.parametrize(
    "text",
    [
        "Only one line of text.",
        "One sentence here. And another one here.\n\nMore text.",
        "All of it in one sentence, " * 5 + "the lead is no title.\n\nMore.",
        "First line\nsecond line directly below\n\nMore text.",
        "---\ntitle: A\n\nFront matter that is not closed.\n",
        "---\nThis is a sentence, not a key.\n---\n\nMore.\n",
    ],
)
def test_text_without_a_title_is_all_body(text: str) -> None:
    article = parse(text)
    assert (article.body_start, article.title) == (0, "story")


@pytest.mark.parametrize("day", ["2021-13-45", "2021-02-30", "03/04/2021"])
def test_a_date_that_is_none_is_said_and_the_article_kept(day: str) -> None:
    article = parse(f"date {day} A title\n\nText.\n")
    assert article.date is None
    assert article.title == "A title"
    assert article.warning is not None
    assert day in article.warning
    assert "YYYY-MM-DD" in article.warning


@pytest.mark.parametrize(
    ("encoding", "word"),
    [
        ("utf-8-sig", "Vučić"),
        ("utf-16", "Vučić"),
        ("utf-32", "Vučić"),
        ("cp1252", "Peñarol café"),
        ("cp1250", "Vučić şi Škoda"),
        ("cp1251", "Президент"),
    ],
)
def test_encodings(encoding: str, word: str, tmp_path: Path) -> None:
    sentences = {
        "cp1252": f"Le président a déclaré à {word} qu’il était très déçu de la façon dont l’été s’était passé. ",
        "cp1250": f"Předseda vlády řekl, že příští týden přijede {word} a že se setká se všemi ministry. ",
        "cp1251": f"{word} России заявил на встрече с журналистами, что переговоры будут продолжены на этой неделе. ",
    }
    text = "Title\n\n" + sentences.get(encoding, f"{word} spoke. ") * 5
    path = tmp_path / "story.txt"
    path.write_bytes(text.encode(encoding))
    assert read_article(path).text == text


def test_a_guessed_encoding_is_said_and_a_short_text_taken_for_western(tmp_path: Path) -> None:
    text = "Crepes fair\n\nThe fair sold 90 crêpes. Déjà vu, said the mayor.\n"
    article = parse_article(text.encode("cp1252"), "fair.txt")
    assert article.text == text
    assert article.warning == "it is not UTF-8 and was read as cp1252; save it as UTF-8 if letters are wrong."
    assert parse_article(text.encode(), "fair.txt").warning is None


def test_newlines_are_normalised_once() -> None:
    article = parse("Title\r\n\r\nOne.\rTwo.\r\n")
    assert article.text == "Title\n\nOne.\nTwo.\n"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 20, "not text"),
        (b"Text with \x00 inside.", "not text"),
        (b"date 2021-09-26 Only a title\n\n", "no text below the title"),
    ],
)
def test_refusals_say_what_is_wrong(data: bytes, said: str) -> None:
    with pytest.raises(ArticleError, match=said) as caught:
        parse_article(data, "story.txt")
    assert str(caught.value).startswith("story.txt: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "secret.txt"
    path.write_text("Text.")
    path.chmod(0)
    with pytest.raises(ArticleError, match="cannot be read"):
        read_article(path)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    try:
        article = parse(text)
    except ArticleError:
        return
    assert article.text == text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    assert 0 <= article.title_start <= article.title_end <= len(article.text)
    assert article.title_end <= article.body_start or article.title_end == 0
    assert article.text[article.body_start :].strip()
