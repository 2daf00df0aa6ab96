"""Headers: front matter in YAML and TOML, header lines above and below a title, and what is told of broken ones."""

from __future__ import annotations

import datetime

import pytest

from index.reading.articles import Article, parse_article
from index.reading.header import read_header, states

DAY = datetime.date(2014, 3, 3)
BODY = "The ferry left at noon.\n"


def parse(text: str, name: str = "story.md") -> Article:
    return parse_article(text.encode(), name)


def stated(article: Article) -> dict[str, object]:
    fields = ("date", "author", "source", "url", "warning")
    found = {name: getattr(article, name) for name in fields if getattr(article, name) is not None}
    title = article.text[article.title_start : article.title_end]
    return {"title": title, **found} if title else found


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            "title: Ferry\nDATE: 2014-03-03 23:30:00 -0500\nauthors:\n- alan\n- eric\t\ntags:\n- boats",
            {"title": "Ferry", "date": DAY, "author": "alan, eric"},
        ),
        (
            "authors: [Ann Lee, 'Bo Li']\npublisher: Post # it\nlink: https://a.example/#y\npubDate: 3 March 2014",
            {"author": "Ann Lee, Bo Li", "source": "Post", "url": "https://a.example/#y", "date": DAY},
        ),
        (
            "author:\n  - name: Ann Lee\n    url: /ann\n  - Bo Li\nsite: {name: Post, lang: en}",
            {"author": "Ann Lee, Bo Li", "source": "Post"},
        ),
        ("title: >-\n  A folded\n  title\n\nsource: Post", {"title": "A folded\n  title", "source": "Post"}),
        ('title: "A title\n  in quotes: two lines" # why\n', {"title": "A title\n  in quotes: two lines"}),
        ("title: |\n\n  Verbatim: # this\nbyline: By Ann Lee", {"title": "Verbatim: # this", "author": "Ann Lee"}),
        ("title: &anchor Ferry\nsource: ~\nauthor:\nurl: ''", {"title": "Ferry"}),
        ("\n# what it is\ntitle: Ferry\n" + "\n".join(f"key{n}: v" for n in range(200)), {"title": "Ferry"}),
        ('excerpt: "Two\n\nparagraphs of it: here"\n', {}),
        # broken YAML, read line by line
        ("title: Ferry: a second colon\nsource:\tPost", {"title": "Ferry: a second colon", "source": "Post"}),
        ("title: [Opinion] Leave it\nauthor: @ann\ntags: [a, {{", {"title": "[Opinion] Leave it", "author": "@ann"}),
        ('title: "Never," he said\nauthor: *ann*', {"title": '"Never," he said', "author": "*ann*"}),
        (
            "title: {{ page.title }}\nsource: Post",
            {"source": "Post", "warning": "front matter: its title cannot be read; write it on one line, in quotes."},
        ),
        (
            "author: {first: Ann}",
            {"warning": "front matter: its author cannot be read; write it on one line, in quotes."},
        ),
        # which date counts
        ("updated: 2015-01-01\npublished: 2014-03-03\ncreated: 2013-01-01", {"date": DAY}),
        ("published: 2015-01-01\ndate: 2014-03-03", {"date": DAY}),
        ("lastmod: 2014-03-03", {"date": DAY}),
        ("date: soon\npublishDate: 2014-03-03", {"date": DAY}),
        (
            "date: 03/04/2014\nupdated: 2014-03-03",
            {
                "warning": "front matter: '03/04/2014' may be either of two days; write it as YYYY-MM-DD. "
                "Kept without a date."
            },
        ),
    ],
)
def test_yaml(lines: str, expected: dict[str, object]) -> None:
    article = parse(f"---\n{lines}\n---\n\n{BODY}")
    assert stated(article) == expected
    assert article.text[article.body_start :] == f"\n{BODY}"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            'title = "Ferry" # why\ndate = 2014-03-03T23:30:00-05:00\nauthors = [\n  "Ann Lee",\n]\n[a]\ntitle = "B"',
            {"title": "Ferry", "date": DAY, "author": "Ann Lee"},
        ),
        (
            'title = \'Ferry # one\'\nDate = "3 March 2014"\nauthor = {name = "Ann Lee"}\n\na.b = 1',
            {"title": "Ferry # one", "date": DAY, "author": "Ann Lee"},
        ),
        ('title = """\nFerry\nruns"""\ntags = [', {"title": "Ferry\nruns"}),
        ('title = Ferry runs\nsource = "Post"', {"title": "Ferry runs", "source": "Post"}),
    ],
)
def test_toml(lines: str, expected: dict[str, object]) -> None:
    article = parse(f"+++\n{lines}\n+++\n\n{BODY}")
    assert stated(article) == expected
    assert article.text[article.body_start :] == f"\n{BODY}"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("---\ntitle: Ferry\n\nIt left at noon.\n", "---"),
        ("+++\ntitle = 'Ferry'\n\nIt left at noon.\n", "+++"),
        ("---\ntitle: Ferry\n\nIt left at noon.\nIt came back.\n\n---\n\nMore.\n", "---"),
    ],
)
def test_front_matter_that_does_not_end_is_told_and_is_body(text: str, rule: str) -> None:
    article = parse(text)
    assert article.body_start == 0
    assert stated(article) == {
        "warning": f"front matter: no line with {rule} ends it; put one above the article's text."
    }


def test_prose_between_two_rules_is_no_front_matter() -> None:
    article = parse("---\nNote: it left at noon.\nForty people were aboard.\n---\n\nMore.\n")
    assert (article.body_start, stated(article)) == (0, {})


def test_a_heading_below_front_matter_without_a_title_is_the_title() -> None:
    article = parse(f"---\nlayout: post\n---\n\n## Ferry runs ##\n{BODY}")
    assert stated(article) == {"title": "Ferry runs"}
    assert article.text[article.body_start :] == BODY


@pytest.mark.parametrize(
    ("above", "expected"),
    [
        (
            "Title: Ferry\nDate: March 3, 2014\nModified: 2015-01-01\nCategory: Boats\nAuthors: Ann Lee\n\n",
            {"title": "Ferry", "date": DAY, "author": "Ann Lee"},
        ),
        (
            "By Ann Lee, Post\nUpdated 4 March 2014\nPublished 3 March 2014\n\nFerry runs\n\n",
            {"title": "Ferry runs", "date": DAY, "author": "Ann Lee, Post"},
        ),
        (
            "Ferry runs\nBy Ann Lee\nPublished: Monday, 3 March 2014 10:00 EST\nSource: Post\n",
            {"title": "Ferry runs", "date": DAY, "author": "Ann Lee", "source": "Post"},
        ),
        ("Ferry runs\n\nBy Ann Lee | 3 March 2014\n\n", {"title": "Ferry runs", "date": DAY, "author": "Ann Lee"}),
        ("# Ferry runs\n\nMarch 3, 2014\n\n", {"title": "Ferry runs", "date": DAY}),
        (
            "date 2014-03-03 9 aboard\nBy Ann Lee\nsource: Post\nUpdated 4 March 2014\n\n",
            {"title": "9 aboard", "date": DAY, "author": "Ann Lee", "source": "Post"},
        ),
        ("date: 2014-03-03\nsource: Post\n\nFerry runs\n\n", {"title": "Ferry runs", "date": DAY, "source": "Post"}),
        (
            "Ferry runs\nPublished 03/04/2014\n\n",
            {
                "title": "Ferry runs",
                "warning": "header: 'Published 03/04/2014' may be either of two days; write it as YYYY-MM-DD. "
                "Kept without a date.",
            },
        ),
    ],
)
def test_header_lines(above: str, expected: dict[str, object]) -> None:
    article = parse(above + BODY, "story.txt")
    assert stated(article) == expected
    assert article.text[article.body_start :].lstrip("\n") == BODY


@pytest.mark.parametrize(
    "line",
    [
        "By noon the ferry had left, said Ann Lee.",
        "By Friday it will be gone",
        "Published figures show that 40 people were aboard.",
        "Source: police said that the boat had left long before anyone could see it, and that nobody was aboard.",
        "10:30",
    ],
)
def test_prose_below_a_title_is_body(line: str) -> None:
    article = parse(f"Ferry runs\n\n{line}\n\nMore of it.\n", "story.txt")
    assert stated(article) == {"title": "Ferry runs"}
    assert article.text[article.body_start :] == f"\n{line}\n\nMore of it.\n"


@pytest.mark.parametrize(
    ("name", "text", "day"),
    [
        ("_posts/2014-03-03-ferry.md", BODY, DAY),
        ("_posts/2014-03-03-ferry.md", f"Published 4 April 2014\n\n{BODY}", datetime.date(2014, 4, 4)),
        ("_posts/2014-03-03-ferry.md", f"date: 2014-02-30\n\n{BODY}", None),
        ("2014-02-30-ferry.md", BODY, None),
        ("ferry-2014-03-03-ferry.md", BODY, None),
        ("2014-03-03.md", BODY, None),
        ("2014-03-03-posts/ferry.md", BODY, None),
    ],
)
def test_a_dated_name_counts_if_nothing_else_states_a_date(name: str, text: str, day: datetime.date | None) -> None:
    assert parse(text, name).date == day


@pytest.mark.parametrize(
    "value", ["[" * 20_000, "{a: " * 5_000, "&a [*a]", '"\\U99999999"', "[&a [x, x], &b [*a, *a]]"]
)
def test_hostile_yaml_does_no_harm(value: str) -> None:
    text = f"---\nauthor: {value}\ntitle: Ferry\n---\n{BODY}"
    header = read_header(text, "story.md")
    assert text[header.title_start : header.title_end] == "Ferry"
    assert text[header.body_start :] == BODY


def test_which_lines_say_who_and_when() -> None:
    kept = [
        "title: Ferry",
        'authors = ["Ann"]',
        "pubDate: 3 March 2014",
        "publisher: Post",
        "By Ann Lee",
        "3 March 2014",
    ]
    left_out = ["link: https://a.example", "lastmod: 2014-03-03", "tags:", "excerpt: By noon", "datestyle: iso"]
    assert [line for line in [*kept, *left_out] if states(line)] == kept
