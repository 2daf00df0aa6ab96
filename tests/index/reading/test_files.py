"""The files of a corpus folder: the names that they may have, and those that they get."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.reading import files
from index.reading.articles import parse_article


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("../../etc/passwd", "etc-passwd.txt"),
        ("..\\..\\boot", "boot.txt"),
        ("Winners of the 2024/25 season", "Winners-of-the-2024-25-season.txt"),
        ("CON", "article-CON.txt"),
        ("README", "article-README.txt"),
        (".htaccess", "htaccess.txt"),
        ("🙂🙂", "article.txt"),
        ("Vučić: “no”", "Vučić-no.txt"),
        ("a\x07b\nc", "a-b-c.txt"),
        ("x" * 300, "x" * 100 + ".txt"),
        ("ž" * 300, "ž" * 50 + ".txt"),
        ("Version 2.5", "Version-2.5.txt"),
        ("notes.md", "notes.md.txt"),
        ("", "The-ferry-Skua-sank-off-Port-Ansel.-Nine-sailors-were-saved.txt"),
    ],
)
def test_a_pasted_text_gets_a_name_that_can_only_be_a_file_of_the_folder(title: str, name: str, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    text = "The ferry Skua sank off Port Ansel. Nine sailors were saved."
    data = files.compose(text, title)
    assert files.write(data, title or text[:60], corpus) == name
    assert files.write(data, title or text[:60], corpus) == name.removesuffix(".txt") + "-2.txt"
    assert len([path for path in tmp_path.rglob("*") if path != corpus]) == len(list(corpus.iterdir())) == 2


@pytest.mark.parametrize(
    "title",
    ["Ferry", "null", "Ferry: 9 # 1", '"Never"', "It's 'over'", 'He said "it\'s C:\\new"', "- [x] {{ y }}", "'"],
)
def test_a_title_is_read_as_it_was_typed(title: str) -> None:
    article = parse_article(files.compose("The ferry Skua sank.", title, "2022-06-07", title), "ferry.txt")
    assert (article.title, article.source, article.warning) == (title, title, None)
    assert article.text[article.body_start :] == "\nThe ferry Skua sank.\n"
