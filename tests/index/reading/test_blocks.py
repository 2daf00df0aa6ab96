"""Lists and tables: the items of a list, the line above it, and the header of a row."""

from __future__ import annotations

import pytest

from index.reading.blocks import Listing, context_above, list_at

NOTICE = """\
The storm reaches Holm on Friday.

The following roads are closed from noon:

- the coast road between Holm
  and the lighthouse
- Foundry Street

- the ford at Brekke

Trams run as usual.

District      Yes     No
Harbour       4,208   1,894
Mill Ward     310     925

1. Stay at home.
2. Call 112 only in need.
"""
ROADS = ["the coast road between Holm\n  and the lighthouse", "Foundry Street", "the ford at Brekke"]


def read(listing: Listing | None) -> tuple[str | None, list[str]] | None:
    if listing is None:
        return None
    lead_in = NOTICE[slice(*listing.lead_in)] if listing.lead_in else None
    return lead_in, [NOTICE[slice(*item)] for item in listing.items]


@pytest.mark.parametrize("word", ["following", "coast", "lighthouse", "Foundry", "ford"])
def test_a_list_is_found_from_each_item_and_from_the_line_above_it(word: str) -> None:
    assert read(list_at(NOTICE, NOTICE.index(word))) == ("The following roads are closed from noon:", ROADS)


@pytest.mark.parametrize("word", ["storm", "Trams", "District", "4,208"])
def test_other_text_is_no_list(word: str) -> None:
    assert list_at(NOTICE, NOTICE.index(word)) is None


def test_a_list_below_a_table_has_no_line_above_it() -> None:
    assert read(list_at(NOTICE, NOTICE.index("Stay"))) == (None, ["Stay at home.", "Call 112 only in need."])


@pytest.mark.parametrize(
    ("word", "above"),
    [
        ("lighthouse", "The following roads are closed from noon:"),
        ("- Foundry", "The following roads are closed from noon:"),
        ("following", None),
        ("4,208", "District      Yes     No"),
        ("925", "District      Yes     No"),
        ("District", None),
        ("Trams", None),
    ],
)
def test_items_and_rows_carry_what_stands_above_them(word: str, above: str | None) -> None:
    found = context_above(NOTICE, NOTICE.index(word))
    assert (NOTICE[slice(*found)] if found else None) == above


def test_one_item_is_no_list_and_the_header_is_not_looked_at() -> None:
    assert list_at("Only:\n- one\n", 8) is None
    text = "- a\n- b\n- c\n"
    assert read_of(text, list_at(text, 4, floor=4)) == ["b", "c"]


def read_of(text: str, listing: Listing | None) -> list[str]:
    return [text[slice(*item)] for item in listing.items] if listing else []
