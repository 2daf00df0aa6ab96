"""The reader: finds where the answer to a question is in a window of text, and whether there is one.

An extractive reader (Devlin et al. 2019, section 4.3): every token has a start and an end logit, and the
first token means "no answer here". ``bench/training/train_reader.py`` makes it from the shipped MiniLM.
It is an int8 ONNX network beside this file. docs/reader.md says how it was trained.
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

from index.encoding.loading import SHIPPED, shipped_recipe
from index.encoding.recipe import TOKENIZER, sha256
from index.encoding.runtime import Networks, open_side_by_side, read_tokenizer
from index.encoding.windows import PassageText, cut, sentence_tokens
from index.errors import ModelError
from qa.bounds import Span

NETWORK = "reader.onnx"
SHA256 = "b8caab304c09e977f952a808ca496f81488f1334996bbeb184815b568db77e54"
"""SHA-256 of the network, which is beside this file. Its tokenizer is that of the shipped encoder."""

MAX_QUESTION_TOKENS = 64
MAX_TOKENS = 384
"""The most tokens of the network's input: the question, the window, and three special tokens."""
MAX_PARTS = 16
"""The most parts of one window. Passages of ordinary sentences have fewer; this limits very long sentences."""
LONGEST = 30
"""The most tokens of an exact answer."""
MAX_SPANS = 20
"""The most exact answers of a sentence, for a question that asks for several."""
NEARLY = 3.0
"""How far the score of a further span may be below the best one, for a question that asks for several."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The reader's result for one sentence."""

    spans: tuple[Span, ...]
    """Spans in the window's text: the best one, then others of nearly the same score if several were requested."""
    score: float
    """How much likelier the best span is than "no answer in this window": a difference of sums of logits."""

    @property
    def start(self) -> int:
        """Where the best span begins."""
        return self.spans[0][0]

    @property
    def end(self) -> int:
        """Where the best span ends."""
        return self.spans[0][1]


class Reader:
    """An opened reader. Safe to share between threads.

    Args:
        tokenizer: of the ``tokenizers`` library. Question and window are encoded separately, and their ids joined.
        network: from inputs ``input_ids``, ``attention_mask`` and ``token_type_ids`` to start and end logits. It runs
            each input separately, because in a batch the results of an int8 network depend on the other rows.
    """

    def __init__(self, tokenizer: Any, network: Networks) -> None:
        self._tokenizer = tokenizer
        self._network = network
        self._first, self._last = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")

    def knows(self, word: str) -> bool:
        """Whether a word is common enough to be in the vocabulary as a whole."""
        return self._tokenizer.token_to_id(word.casefold()) is not None

    def read(self, question: str, windows: Sequence[PassageText], several: bool = False) -> list[list[Reading]]:
        """The reading of each sentence of each window. A sentence without tokens keeps the whole sentence as its span.

        A window that is too long for the network is read in parts, cut between sentences if possible. At most
        ``MAX_PARTS`` parts are read. Sentences after them score minus infinity.

        Args:
            question: its first ``MAX_QUESTION_TOKENS`` tokens are read.
            windows: texts, and the sentences in them that may answer.
            several: whether to return further spans of a sentence.
        """
        question_ids = self._tokenizer.encode(question, add_special_tokens=False).ids[:MAX_QUESTION_TOKENS]
        head = [self._first, *question_ids, self._last]
        texts = self._tokenizer.encode_batch([window.text for window in windows], add_special_tokens=False)
        bounds = [sentence_tokens(window, text.offsets) for window, text in zip(windows, texts, strict=True)]
        parts = [
            (at, first, last)
            for at, text in enumerate(texts)
            for first, last in cut(text.word_ids, bounds[at], MAX_TOKENS - len(head) - 1)[:MAX_PARTS]
        ]
        readings = [[Reading((span,), -np.inf) for span in window.sentences] for window in windows]
        parts.sort(key=lambda part: part[1] - part[2])  # parts that run at the same time should be about equally long
        inputs = []
        for at, first, last in parts:
            ids = np.array([[*head, *texts[at].ids[first:last], self._last]])
            types = (np.arange(ids.shape[1]) >= len(head)).astype(np.int64)[None, :]
            inputs.append({"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": types})
        for (at, first, last), (starts, ends) in zip(parts, self._network(inputs), strict=True):
            no_answer = float(starts[0, 0] + ends[0, 0])
            for n, (begin, stop) in enumerate(bounds[at]):
                low, high = max(begin, first), min(stop, last)
                if low >= high:
                    continue
                tokens = slice(len(head) + low - first, len(head) + high - first)
                token_spans = best_spans(starts[0, tokens], ends[0, tokens], several)
                score = token_spans[0][2] - no_answer
                if score > readings[at][n].score:
                    offsets = texts[at].offsets
                    spans = tuple((offsets[low + i][0], offsets[low + j][1]) for i, j, _ in token_spans)
                    readings[at][n] = Reading(spans, score)
        return readings


def best_spans(
    starts: NDArray[np.float32], ends: NDArray[np.float32], several: bool = False
) -> list[tuple[int, int, float]]:
    """First token, last token and score of the span with the highest score, of at most ``LONGEST`` tokens.

    With ``several``, further spans follow. They do not overlap, and score at most ``NEARLY`` less than the first.
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
        sums[: last + 1, first:] = -np.inf  # spans that overlap this one


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
    for path, expected in ((network, SHA256), (tokenizer, shipped_recipe().hashes[TOKENIZER])):
        if sha256(path) != expected:
            raise ModelError(f"{path} is missing or damaged; install Clippings again.")
    return Reader(read_tokenizer(tokenizer), open_side_by_side(network))


def preload_reader() -> None:
    """Start opening the reader in the background. Later calls wait only for the rest."""

    def load() -> None:
        # ModelError: the call that needs the reader raises it again. RuntimeError: the process ended meanwhile, so
        # no thread could be started.
        with contextlib.suppress(ModelError, RuntimeError):
            load_reader()

    # Not a daemon thread: a process must not end in the middle of onnxruntime.
    threading.Thread(target=load, name="reader").start()
