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


def test_dated_first_line_gives_date_and_title() -> None:
    article = parse(" date 2021-09-26 Belgrade accuses its neighbor of “provocations”.\n\nTroops are on alert.\n")
    assert article.date == datetime.date(2021, 9, 26)
    assert article.title == "Belgrade accuses its neighbor of “provocations”."
    assert article.text[article.title_start : article.title_end] == article.title
    assert body(article) == "Troops are on alert."
    assert article.source is None


def test_keys_may_stand_below_a_dated_first_line() -> None:
    article = parse("date 2022-01-02 A title\nsource: The Wire\nurl: http://a.example/x\n\nNote: this is body.\n")
    assert (article.source, article.url) == ("The Wire", "http://a.example/x")
    assert body(article) == "Note: this is body."


def test_prose_directly_below_a_dated_line_is_body() -> None:
    article = parse("date 2022-01-02 A title\nMinister: we agree.\nMore.")
    assert body(article) == "Minister: we agree.\nMore."


def test_front_matter() -> None:
    article = parse('---\ntitle: "A: b"\ndate: 2022-05-11\nsource: Post\nauthor: J. Doe\ntags: x\n---\n\nText.\n')
    assert (article.title, article.date, article.source) == ("A: b", datetime.date(2022, 5, 11), "Post")
    assert article.author == "J. Doe"
    assert article.text[article.title_start : article.title_end] == "A: b"
    assert body(article) == "Text."


def test_front_matter_that_is_not_closed_is_text() -> None:
    assert body(parse("---\ntitle: A\n\nText goes on.\n")).startswith("---")


def test_rules_around_prose_are_no_front_matter() -> None:
    article = parse("---\nThis is a sentence, not a key.\n---\n\nMore.\n")
    assert "This is a sentence" in body(article)


def test_front_matter_may_be_followed_by_a_dated_line() -> None:
    article = parse("---\nsource: Post\n---\ndate 2022-05-11 A title\n\nText.")
    assert (article.source, article.title, article.date) == ("Post", "A title", datetime.date(2022, 5, 11))


@pytest.mark.parametrize("title", ["Drought takes its toll", "Life on Mars?", "Wool finished on 858 cents a kilo."])
def test_plain_title_line(title: str) -> None:
    article = parse(f"{title}\n\nFirst sentence.\n")
    assert (article.title, body(article), article.date) == (title, "First sentence.", None)


def test_markdown_heading_is_the_title_without_its_marks() -> None:
    article = parse_article(b"# A heading\nText.\n", "story.md")
    assert (article.title, body(article)) == ("A heading", "Text.")


@pytest.mark.parametrize(
    "text",
    [
        "Only one line of text.",
        "One sentence here. And another one here.\n\nMore text.",
        "All of it in one sentence, " * 5 + "the lead is no title.\n\nMore.",
        "First line\nsecond line directly below\n\nMore text.",
    ],
)
def test_text_without_a_title_is_all_body(text: str) -> None:
    article = parse(text)
    assert article.body_start == 0
    assert article.title == "story"


def test_a_first_line_that_begins_with_the_word_date_is_a_title() -> None:
    article = parse("Date palms of the oasis\n\nThey are old.\n")
    assert (article.title, article.date, article.warning) == ("Date palms of the oasis", None, None)


@pytest.mark.parametrize("day", ["2021-13-45", "2021-02-30", "26/09/2021"])
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


def test_a_file_too_large_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.txt"
    path.write_bytes(b"a" * 50_000_000)
    with pytest.raises(ArticleError, match=r"50\.0 MB is more than the limit of 4 MB; split it"):
        read_article(path)


def test_missing_file_and_dangling_link(tmp_path: Path) -> None:
    with pytest.raises(ArticleError, match="no such file"):
        read_article(tmp_path / "none.txt")
    (tmp_path / "link.txt").symlink_to(tmp_path / "gone.txt")
    with pytest.raises(ArticleError, match="link points to nothing"):
        read_article(tmp_path / "link.txt")


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
