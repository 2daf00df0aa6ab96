"""First lines: which are titles, and which are the lead, a byline, a caption, a menu, a time or wrapped text."""

from __future__ import annotations

import pytest

from index.reading.articles import parse_article

TITLES = """\
Ferry runs again after nine days
Ferry runs again after nine days.
Life below the ice?
“We never left”: the last families of Odrin
'Quiet' harbour, loud council
Updated rules for drone pilots take effect
Published works of the poet go on sale
Photo of the year goes to a night nurse
Share prices fall in Oslo
By 2030, half of the trams will be gone
By the numbers: a year of the new bridge
May Day march fills the square
24 hours in Lindholm
NATO – what comes next
Home at last for the lighthouse keeper
Live wires: how the grid was saved
Bakery | The Lindholm Courier
12 dead in tunnel fire
€40 million for the old theatre
[Opinion] Leave the wolves alone
“Never again” …
Owner wants talks with the U.S.
Mayor to sell shares in Harbour Co.
Source: minister to resign on Monday
Кметът подаде оставка""".splitlines()

NO_TITLES = """\
The ferry between the two islands ran again on Tuesday after nine days of repairs.
Ferry workers went back on Tuesday. The strike is over.
By Jane Doe
By Jane Doe and John van der Berg, Harbour News
BY JANE DOE
Written by Jane Doe
By Jane Doe | 3 March 2014
By The Harbour Press Agency
Updated 3 March 2014
Updated: new figures from the ministry
Last modified: yesterday
Published on March 3, 2014 at 10:00 a.m.
Thursday, 3 March 2014 10:00 EST
2014-03-03T10:00:00Z
10:30 GMT
3 hours ago
5 min read
Photo: Jane Doe/Harbour News
Photo by Jane Doe
Image (c) Harbour News
File photo: the ferry in May
Caption: The ferry in May
Video: see the ferry leave
Share
Share this story
Skip to content
Home | News | Sport | Weather
Home » News » Islands
Facebook Twitter Email
Advertisement
Subscribe to our newsletter
https://harbour.example/ferry
LINDHOLM (HNA) — The ferry runs again
LINDHOLM, March 3 — The ferry runs again
![The ferry](ferry.jpg)
<p>The ferry runs again</p>
{{< image "ferry.jpg" >}}
* * *
- The ferry runs again
> The ferry runs again
The ferry runs again, says the owner,
1984""".splitlines()


@pytest.mark.parametrize(
    ("line", "title"), [*((each, True) for each in TITLES), *((each, False) for each in NO_TITLES)]
)
def test_a_line_alone_above_the_text(line: str, title: bool) -> None:
    article = parse_article(f"{line}\n\nIt left at noon. Forty people were aboard.\n".encode(), "ferry.txt")
    assert article.title == (line if title else "ferry")
    assert article.text[: article.title_end] == (line if title else "")
    assert article.text[article.body_start :].strip().endswith("It left at noon. Forty people were aboard.")


PARAGRAPH = "The ferry between the two islands ran again on Tuesday, and forty people were aboard when it left.\n"
WRAPPED = """\
The ferry between the two islands ran again on Tuesday, and
forty people were aboard when it left.
"""


@pytest.mark.parametrize(
    ("line", "below", "title"),
    [
        ("Ferry runs again", PARAGRAPH, True),
        ("Ferry runs again", WRAPPED, True),
        ("Who paid for the ferry?", PARAGRAPH, True),
        ("Ferry runs again", "=======\n" + PARAGRAPH, True),
        ("Ferry runs again", "-------\n" + PARAGRAPH, True),
        ("Ferry runs again.", PARAGRAPH, False),
        ("Ferry runs again and", PARAGRAPH, False),
        ("Ferry runs again in the", PARAGRAPH, False),
        ("Ferry runs again", PARAGRAPH.lower(), False),
        ("Ferry runs again", "Forty aboard\n", False),
        ("Ferry runs again", "- " + PARAGRAPH, False),
        ("The council and the owner of the ferry have agreed that", WRAPPED, False),
        (
            "The council and the owner of the ferry have agreed with Mayor",
            "Olga Brandt that the boat must run.\n",
            False,
        ),
        ("The council and the owner met in the town hall of Old", WRAPPED, False),
        ("The owner said that the ferry would run again on", "3 March 2014.\n", False),
        ("By Jane Doe", PARAGRAPH, False),
    ],
)
def test_a_line_with_text_directly_below(line: str, below: str, title: bool) -> None:
    article = parse_article(f"{line}\n{below}\nMore of it.\n".encode(), "ferry.txt")
    assert article.title == (line if title else "ferry")
    body = below.removeprefix("=======\n").removeprefix("-------\n") if title else f"{line}\n{below}"
    assert article.text[article.body_start :] == f"{body}\nMore of it.\n"
