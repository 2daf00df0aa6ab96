"""The token budget: exact counts, hostile text, and what happens when a vocabulary cannot be had."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from unittest.mock import Mock

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from index.errors import ClippingsError
from index.reading import tokens
from index.reading.tokens import TokenCounter, VocabularyError, load_encoding, read_ranks


@pytest.fixture(scope="module")
def counter() -> TokenCounter:
    return load_encoding()


def cut(text: str) -> list[str]:
    encoding = load_encoding().encoding
    return [token.decode() for token in encoding.decode_tokens_bytes(encoding.encode_ordinary(text))]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        ("The capital of Kosovo, Pristina.", ["The", " capital", " of", " Kosovo", ",", " Pristina", "."]),
        ("Kosovo's", ["Kosovo", "'s"]),
        ("in 1998-99", ["in", " 199", "8", "-", "99"]),
        ("  two\n\nlines", ["  ", "two", "\n\n", "lines"]),
        ("<|endoftext|>", ["<", "|", "end", "oft", "ext", "|", ">"]),
    ],
)
def test_text_is_cut_into_exactly_these_tokens(text: str, pieces: list[str], counter: TokenCounter) -> None:
    assert cut(text) == pieces
    assert counter.count_batch([text]) == [len(pieces)]


def test_a_batch_counts_each_text_as_it_would_be_counted_alone(counter: TokenCounter) -> None:
    texts = ["Serbia said no.", "", "He didn’t."]
    assert counter.count_batch(texts) == [4, 0, 4]


@given(st.text())
def test_tokens_put_together_are_the_text(text: str) -> None:
    encoding = load_encoding().encoding
    assert encoding.decode(encoding.encode_ordinary(text)) == text


def test_every_byte_is_a_token_and_ranks_have_no_gap() -> None:
    ranks = read_ranks(tokens.VOCABULARY, tokens.VOCABULARY_SHA256)
    assert [ranks[bytes([byte])] for byte in range(256)] == list(range(256))
    assert sorted(ranks.values()) == list(range(16_000))


# Merging takes time that grows with the square of a piece. Were pieces unbounded, these would take
# hours; that each piece is bounded shows in counts that are proportional to the length.
@pytest.mark.parametrize("unit", ["a", "ab", "中", "!", "7", " ", "\n", "\x00", "e\u0301"])
def test_an_endless_line_counts_in_proportion_to_its_length(unit: str, counter: TokenCounter) -> None:
    block = unit * (192 // len(unit))
    (per_block,) = counter.count_batch([block])
    assert per_block > 0
    assert counter.count_batch([block * 2_000]) == [2_000 * per_block]


def test_half_of_a_surrogate_pair_counts_as_one_unreadable_character(counter: TokenCounter) -> None:
    assert counter.count_batch(["a\ud800b"]) == counter.count_batch(["a\ufffdb"])


def test_a_counter_is_loaded_once_and_its_fingerprint_stays() -> None:
    assert load_encoding() is load_encoding()
    assert load_encoding().fingerprint == "4fdc15d56850fd38"  # else every index would be rebuilt


def test_a_vocabulary_file_that_is_changed_or_missing_is_refused(tmp_path: Path) -> None:
    changed = tmp_path / "passage.tiktoken"
    changed.write_bytes(tokens.VOCABULARY.read_bytes() + b"AAAA 16000\n")
    with pytest.raises(VocabularyError, match=r"passage\.tiktoken is damaged"):
        read_ranks(changed, tokens.VOCABULARY_SHA256)
    with pytest.raises(VocabularyError, match=r"gone\.tiktoken cannot be read"):
        read_ranks(tmp_path / "gone.tiktoken", "")


def test_a_file_read_under_a_name_used_before_is_not_taken_from_a_cache(tmp_path: Path) -> None:
    path = tmp_path / "x.tiktoken"
    for token in (b"old", b"new"):
        path.write_bytes(base64.b64encode(token) + b" 0\n")
        assert read_ranks(path, hashlib.sha256(path.read_bytes()).hexdigest()) == {token: 0}


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(VocabularyError, match=r"no token vocabulary 'nope'.*clippings.*cl100k_base"):
        load_encoding("nope")


def test_a_vocabulary_that_cannot_be_downloaded_says_what_to_use_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiktoken.registry.ENCODINGS", {})
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(requests, "get", Mock(side_effect=requests.ConnectionError))
    with pytest.raises(ClippingsError, match=r"'o200k_base' is downloaded at first use.*Use clippings"):
        load_encoding("o200k_base")
