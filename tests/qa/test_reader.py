"""The reader: the exact span to the character, no answer where there is none, and texts of any length."""

from __future__ import annotations

import math

import numpy as np
import pytest

from index.encoding.recipe import sha256
from index.encoding.windows import PassageText
from index.errors import ModelError
from qa import reader as module
from qa.reader import NETWORK, SHA256, Reader, best_spans, load_reader
from tests.models import passage
from tests.running import ROOT

SENTENCES = (
    "The stone bridge over the Lim reopened to traffic on Friday.",
    "The works cost 3.4 million euros.",
    "Floods in November 2020 had washed away the middle pier.",
)


@pytest.mark.parametrize(
    ("question", "sentence", "span"),
    [
        ("What did the works cost?", 1, "3.4 million euros"),
        ("when was the middle pier swept off by the water", 2, "November 2020"),
        ("When did the bridge open to traffic again?", 0, "Friday"),
    ],
)
def test_the_best_span_is_the_answer(question: str, sentence: int, span: str, reader: Reader) -> None:
    text = passage(*SENTENCES)
    (readings,) = reader.read(question, [text])
    best = max(readings, key=lambda reading: reading.score)
    assert readings.index(best) == sentence
    assert text.text[best.start : best.end] in (span, f"on {span}", f"in {span}")
    others = [reading.score for reading in readings if reading is not best]
    assert best.score > max(others) + 2
    for (start, end), reading in zip(text.sentences, readings, strict=True):
        assert start <= reading.start < reading.end <= end  # a span never leaves its sentence


def test_a_window_that_does_not_answer_says_so(reader: Reader) -> None:
    bridge, plums = (
        passage(*SENTENCES),
        passage("Late frost has destroyed the plum blossom.", "About 600 farms are hit."),
    )
    asked = reader.read("How many farms did the frost hit?", [bridge, plums])
    wrong, right = (max(reading.score for reading in readings) for readings in asked)
    assert wrong < right - 5
    (readings,) = reader.read("Who won the tennis final in Paris?", [bridge])
    assert max(reading.score for reading in readings) < right - 5


def test_a_window_longer_than_the_network_is_read_to_its_end(reader: Reader) -> None:
    filler = [
        f"On day {day} nothing was heard of the expedition, and the village went about its work." for day in range(60)
    ]
    long = passage(*filler, "The lighthouse keeper, Mara Bel, found the boat.", "It was empty.")
    (readings,) = reader.read("Who found the boat?", [long])
    best = max(readings, key=lambda reading: reading.score)
    assert readings.index(best) == 60
    assert "Mara Bel" in long.text[best.start : best.end]
    assert all(math.isfinite(reading.score) for reading in readings)


def test_a_sentence_longer_than_the_network_keeps_its_offsets(reader: Reader) -> None:
    endless = "and then " * 500 + "Mara Bel found the boat"
    (readings,) = reader.read("Who found the boat?", [PassageText(endless, ((0, len(endless)),))])
    assert endless[readings[0].start :].startswith("Mara Bel")


def test_of_an_endless_window_only_so_much_is_read(reader: Reader) -> None:
    endless = passage(*["It rained." for _ in range(20_000)])
    (readings,) = reader.read("Did it rain?", [endless])
    read = [math.isfinite(reading.score) for reading in readings]
    assert read == sorted(read, reverse=True)
    assert 0 < sum(read) < 3000


def test_questions_and_windows_of_any_length(reader: Reader) -> None:
    assert reader.read("What did the works cost?", []) == []
    (readings,) = reader.read("cost " * 400, [passage(*SENTENCES)])
    assert len(readings) == 3
    (readings,) = reader.read("What?", [PassageText("…", ((0, 1),))])
    assert (readings[0].start, readings[0].end) == (0, 1)


def test_other_windows_change_nothing(reader: Reader) -> None:
    alone = reader.read("What did the works cost?", [passage(*SENTENCES)])[0]
    others = [passage("About 600 farms are hit."), passage(*SENTENCES), passage(*SENTENCES * 4)]
    among = reader.read("What did the works cost?", others)[1]
    assert among == alone


def test_best_spans() -> None:
    starts = np.array([0.0, 5.0, 0.0, 4.0, 0.0], np.float32)
    ends = np.array([6.0, 0.0, 3.0, 0.0, 2.5], np.float32)
    assert best_spans(starts, ends) == [(1, 2, 8.0)]  # not (1, 0), which would end before it begins
    assert best_spans(starts, ends, several=True) == [(1, 2, 8.0), (3, 4, 6.5), (0, 0, 6.0)]
    ends[4] = 0.5
    assert best_spans(starts, ends, several=True) == [(1, 2, 8.0), (0, 0, 6.0)]  # 4.5 is too little beside 8


def test_a_span_is_no_longer_than_it_may_be() -> None:
    starts, ends = np.zeros(100, np.float32), np.zeros(100, np.float32)
    starts[0], ends[99], ends[module.LONGEST - 1] = 5, 5, 1
    assert best_spans(starts, ends) == [(0, module.LONGEST - 1, 6.0)]


def test_the_shipped_network_is_what_it_says() -> None:
    assert sha256(ROOT / "qa" / NETWORK) == SHA256
    assert (ROOT / "qa" / NETWORK).stat().st_size <= 25e6


def test_a_damaged_network_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    module._open.cache_clear()
    monkeypatch.setattr(module, "SHA256", "0" * 64)
    try:
        with pytest.raises(ModelError, match=r"reader\.onnx is missing or damaged; install Clippings again"):
            load_reader()
    finally:
        module._open.cache_clear()
