"""Answer a question: an answer with its evidence, or "I found no sentence that answers this" and the reason."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qa.bounds import Span, complete, leans
from qa.confidence import confidence, features, without_copies
from qa.parameters import load_parameters
from qa.question import Question, read_question
from qa.reader import NEARLY, Reading, load_reader
from qa.reasons import LEANS, why_not, why_nothing
from qa.retriever import Hit, library_to_ask, search

if TYPE_CHECKING:
    from index.library import Library, Snapshot

POOL = 25
"""How many hits the confidence is computed from, and near-copies are removed from."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence that answers, and where its exact answers are in the article."""

    hit: Hit
    spans: tuple[Span, ...]
    """``hit.article.text[start:end]`` of each span is an exact answer. Spans are in the text's order.

    There can be several if the question asks for several. If no part of the sentence is marked, the only span is the
    whole sentence.
    """
    context: Span | None = None
    """The previous sentence, if this one needs it to be understood, for example because it begins with "He"."""

    @property
    def start(self) -> int:
        """Where the first exact answer begins."""
        return self.spans[0][0]

    @property
    def end(self) -> int:
        """Where the first exact answer ends."""
        return self.spans[0][1]

    @property
    def text(self) -> str:
        """The exact answers, joined by "; "."""
        return joined(self.hit.article.text, self.spans)

    def to_dict(self) -> dict[str, Any]:
        """The exact answers with their offsets, the sentence and its context, as plain JSON values."""
        return {
            "text": self.text,
            "spans": [self._piece(span) for span in self.spans],
            "sentence": self.hit.to_dict(),
            "context": self._piece(self.context) if self.context else None,
        }

    def _piece(self, span: Span) -> dict[str, Any]:
        start, end = span
        return {"text": self.hit.article.text[start:end], "start": start, "end": end}


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question. Finding nothing is an ordinary answer too."""

    question: str
    found: bool
    text: str
    """The exact answer, copied from the article. Several are joined by "; ". Empty if not found."""
    confidence: float
    """The estimated probability that the best sentence answers, fitted on questions with and without an answer."""
    evidence: tuple[Evidence, ...] = field(repr=False)
    """The best sentence first, then others that are not near-copies. Empty if not found."""
    nearest: tuple[Hit, ...] = field(repr=False)
    """If not found: the nearest sentences, which may not answer. Empty if the question leans on another."""
    reason: str
    """If not found: why, as a message to show. Otherwise empty."""
    undated_excluded: int
    """How many articles without a date a date restriction left out."""

    def to_dict(self) -> dict[str, Any]:
        """The answer with its evidence, or with the reason and the nearest sentences, as plain JSON values."""
        return {
            "question": self.question,
            "found": self.found,
            "text": self.text,
            "confidence": round(self.confidence, 4),
            "reason": self.reason,
            "evidence": [evidence.to_dict() for evidence in self.evidence],
            "nearest": [hit.to_dict() for hit in self.nearest],
            "undated_excluded": self.undated_excluded,
        }


def answer(
    question: str,
    library: Library | str | os.PathLike[str] | None = None,
    k: int = 5,
    *,
    since: datetime.date | None = None,
    until: datetime.date | None = None,
    source: str | None = None,
) -> Answer:
    """Answer a question from the articles, or say that they do not answer it.

    Args:
        question, library, since, until, source: as for ``qa.retrieve``.
        k: the most pieces of evidence, or nearest sentences, to return.

    Raises:
        QuestionError, IndexStateError, ModelError: as ``qa.retrieve`` does.
    """
    snapshot = library_to_ask(library)
    parsed = read_question(question, since, until, source)
    hits = [] if parsed.leans_on_another else search(parsed, snapshot, max(k, POOL) if k > 0 else k, load_reader())
    return answer_from(parsed, hits, snapshot, k)


def answer_from(question: Question, hits: Sequence[Hit], library: Snapshot, k: int = 5) -> Answer:
    """The answer from a question's hits, best first and read. There must be ``POOL`` hits or all that there are."""
    restriction = question.restriction
    undated = library.store.undated(restriction.source) if restriction.by_date else 0
    if question.leans_on_another or not hits:
        reason = LEANS if question.leans_on_another else why_nothing(question, library)
        return Answer(question.text, False, "", 0.0, (), (), reason, undated)
    shown = without_copies(hits[: max(k, POOL)], to_the_figure=True)[:k]
    parameters = load_parameters()
    probability = confidence(features(question, hits[:POOL], library), parameters.confidence)
    if probability < parameters.threshold:
        return Answer(question.text, False, "", probability, (), tuple(shown), why_not(question, library), undated)
    evidence = tuple(evidence_of(hit, library, marked=_nearly_as_likely(hit, hits[0])) for hit in shown)
    return Answer(question.text, True, evidence[0].text, probability, evidence, (), "", undated)


def evidence_of(hit: Hit, library: Snapshot, marked: bool = True) -> Evidence:
    """The evidence of a hit: its exact answers, or the whole sentence unless ``marked``, and its context."""
    text, sentence, id_ = hit.article.text, (hit.start, hit.end), hit.article.id
    context = library.store.sentence_before(id_, hit.start) if id_ is not None and leans(text, sentence) else None
    return Evidence(hit, exact_answers(text, sentence, hit.reading if marked else None), context)


def exact_answers(text: str, sentence: Span, reading: Reading | None) -> tuple[Span, ...]:
    """The reader's spans in a sentence, completed and in the text's order; the whole sentence if it was not read."""
    spans: list[Span] = []
    for span in reading.spans if reading else [sentence]:
        start, end = complete(text, sentence, span) if reading else span
        if all(end <= first or last <= start for first, last in spans):
            spans.append((start, end))
    return tuple(sorted(spans))


def joined(text: str, spans: Iterable[Span]) -> str:
    """Several pieces of a text joined by "; ", as an answer shows them."""
    return "; ".join(text[start:end] for start, end in spans)


def _nearly_as_likely(hit: Hit, best: Hit) -> bool:
    """Whether the reader scores a hit about as high as the best. What it marks in lower hits is a guess."""
    return hit.reading is not None and best.reading is not None and hit.reading.score >= best.reading.score - NEARLY
