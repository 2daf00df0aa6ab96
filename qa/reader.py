"""The reader: for a question and a window of text, where the answer stands, and whether there is one.

An extractive reader (Devlin et al. 2019, section 4.3: a start and an end logit for every token, the
first token standing for "no answer here"), made from the embedded MiniLM by ``bench/training/train_reader.py``
and kept as an int8 ONNX network beside this file (docs/reader.md says how it was trained).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.encoding.loading import SHIPPED
from index.encoding.recipe import TOKENIZER, read_recipe, sha256
from index.encoding.runtime import Networks, open_side_by_side, read_tokenizer
from index.encoding.windows import PassageText, cut, sentence_tokens
from index.errors import ModelError
from qa.bounds import Span

NETWORK = "reader.onnx"
SHA256 = "932c5f7f9eabe18fbbe939d2ab3175d84c36c71f6a2f23d86481d16fff2d6332"
"""Of the network, which stands beside this file. Its tokenizer is the shipped encoder's."""

MAX_QUESTION_TOKENS = 64
MAX_TOKENS = 320
"""Of the network's input: the question, the window, and three special tokens."""
MAX_PARTS = 16
"""Of one window: more than any passage of sentences has, and a bound for texts that have none."""
LONGEST = 30
"""Tokens of an exact answer, at most."""
MAX_SPANS = 20
"""Exact answers of a sentence, at most, where a question asks for several."""
NEARLY = 3.0
"""How much less a further span of a sentence may score than the best, where a question asks for several."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reader makes of one sentence: the best span in it."""

    spans: tuple[Span, ...]
    """In the window's text. The best, then others of the sentence that are nearly as likely, if several were asked for.
    """
    score: float
    """How much likelier the best span is than "no answer in this window": a difference of summed logits."""

    @property
    def start(self) -> int:
        """Where the best span begins."""
        return self.spans[0][0]

    @property
    def end(self) -> int:
        """Where the best span ends."""
        return self.spans[0][1]

    def moved(self, by: int) -> Reading:
        """The same in a longer text, in which the window begins at ``by``."""
        return Reading(tuple((start + by, end + by) for start, end in self.spans), self.score)


class Reader:
    """An opened reader. Safe to share between threads.

    Args:
        tokenizer: of the ``tokenizers`` library, for pairs of texts by their ids.
        network: runs on each of many inputs, ``input_ids``, ``attention_mask`` and ``token_type_ids`` to start and end
            logits. One at a time: no int8 network minds its batch-mates then.
    """

    def __init__(self, tokenizer: Any, network: Networks) -> None:
        self._tokenizer = tokenizer
        self._network = network
        self._first, self._last = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")

    def read(self, question: str, windows: Sequence[PassageText], several: bool = False) -> list[list[Reading]]:
        """For each window the best span of each of its sentences; of a sentence without a word, the whole of it.

        A window longer than the network sees is read in parts, cut between sentences where that can be; of an endless
        one ``MAX_PARTS``. Sentences beyond them score minus infinity.

        Args:
            question: its first ``MAX_QUESTION_TOKENS`` tokens are read.
            windows: texts, and the sentences in them that may answer.
            several: whether further spans of a sentence are wanted.
        """
        asked = self._tokenizer.encode(question, add_special_tokens=False).ids[:MAX_QUESTION_TOKENS]
        head = [self._first, *asked, self._last]
        texts = self._tokenizer.encode_batch([window.text for window in windows], add_special_tokens=False)
        bounds = [sentence_tokens(window, text.offsets) for window, text in zip(windows, texts, strict=True)]
        parts = [
            (at, first, last)
            for at, text in enumerate(texts)
            for first, last in cut(text.word_ids, bounds[at], MAX_TOKENS - len(head) - 1)[:MAX_PARTS]
        ]
        readings = [[Reading((span,), -np.inf) for span in window.sentences] for window in windows]
        parts.sort(key=lambda part: part[1] - part[2])  # what runs at the same time shall take as long
        inputs = []
        for at, first, last in parts:
            ids = np.array([[*head, *texts[at].ids[first:last], self._last]])
            types = (np.arange(ids.shape[1]) >= len(head)).astype(np.int64)[None, :]
            inputs.append({"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": types})
        for (at, first, last), (starts, ends) in zip(parts, self._network(inputs), strict=True):
            none = float(starts[0, 0] + ends[0, 0])
            for n, (begin, stop) in enumerate(bounds[at]):
                low, high = max(begin, first), min(stop, last)
                if low >= high:
                    continue
                here = slice(len(head) + low - first, len(head) + high - first)
                spans = best_spans(starts[0, here], ends[0, here], several)
                score = spans[0][2] - none
                if score > readings[at][n].score:
                    offsets = texts[at].offsets
                    places = tuple((offsets[low + one][0], offsets[low + other][1]) for one, other, _ in spans)
                    readings[at][n] = Reading(places, score)
        return readings


def best_spans(
    starts: NDArray[np.float32], ends: NDArray[np.float32], several: bool = False
) -> list[tuple[int, int, float]]:
    """The first and last token, and the score, of the span of at most ``LONGEST`` tokens with the highest sum.

    With ``several``, others follow that overlap none before them and score at most ``NEARLY`` less than the first.
    """
    sums = starts[:, None] + ends[None, :]
    length = np.arange(len(ends))[None, :] - np.arange(len(starts))[:, None]
    sums = np.where((length >= 0) & (length < LONGEST), sums, -np.inf)
    spans: list[tuple[int, int, float]] = []
    while True:
        first, last = divmod(int(sums.argmax()), len(ends))
        score = float(sums[first, last])
        if spans and not score >= spans[0][2] - NEARLY:
            return spans
        spans.append((first, last, score))
        if not several or len(spans) == MAX_SPANS:
            return spans
        sums[: last + 1, first:] = -np.inf  # what begins before its end and ends after its start


_opening = threading.Lock()


def load_reader() -> Reader:
    """The reader that ships with Clippings, opened once and shared.

    Raises:
        ModelError: one of its files is missing or damaged.
    """
    with _opening:
        return _open()


@lru_cache(maxsize=1)
def _open() -> Reader:
    network, tokenizer = Path(__file__).with_name(NETWORK), SHIPPED / TOKENIZER
    for path, expected in ((network, SHA256), (tokenizer, read_recipe(SHIPPED).hashes[TOKENIZER])):
        if sha256(path) != expected:
            raise ModelError(f"{path} is missing or damaged; install Clippings again.")
    return Reader(read_tokenizer(tokenizer), open_side_by_side(network))


def preload_reader() -> None:
    """Begin to open the reader in the background; whoever asks for it then waits for the rest only."""

    def load() -> None:
        # Whoever asks for it is told; or nobody does, and the process ends before a thread can be had.
        with contextlib.suppress(ModelError, RuntimeError):
            load_reader()

    # No daemon: a process must not end in the middle of onnxruntime.
    threading.Thread(target=load, name="reader").start()
