"""Answer a question: an answer with its evidence, or "I found no sentence that answers this" and the reason."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from index.errors import QuestionError
from index.reading.articles import Article
from index.reading.blocks import context_above, list_at
from qa.articles_about import articles_about, lead
from qa.bounds import Span, complete, leans
from qa.confidence import confidence, features, without_copies
from qa.days import resolve
from qa.intent import Intent, intents_of
from qa.parameters import load_parameters
from qa.question import Kind, Question, read_question
from qa.reader import NEARLY, Reader, Reading, load_reader
from qa.reasons import LEANS, NOT_SURE, TALK, missing_codes, why_not, why_nothing
from qa.retriever import Hit, Signals, article_row, library_to_ask, search
from qa.spelling import read_corrected

if TYPE_CHECKING:
    from index.library import Library, Snapshot

CERTAIN, LIKELY = 0.7, 0.5
"""The least probability of an intent to reply without looking into the articles, and to reply in its own form."""
DOUBTFUL = 3
"""The most candidates, which are shown from half the threshold on."""
UNMEASURED = 0.5
"""The confidence of an overview, of a list of articles, and of what a header says."""
MAX_ARTICLES, MAX_OVERVIEW, MAX_ITEMS = 20, 8, 20
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
    """The previous sentence, if this one needs it to be understood, for example because it begins with "He"; the line
    above a list, for an item; the header of a table, for a row."""

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
        return joined(self.hit.article, self.spans)

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
        return {"text": self.hit.article.read(start, end), "start": start, "end": end}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the articles say to a question. Not finding anything is an ordinary answer."""

    question: str
    found: bool
    text: str
    """The exact answer, to the letter as in the article; several joined by "; ". Of a yes-no question the statement
    that decides it. Of ``talk`` the reply. Empty otherwise."""
    confidence: float
    """The estimated probability that the best sentence answers, fitted on questions with and without an answer."""
    evidence: tuple[Evidence, ...] = field(default=(), repr=False)
    """The best sentence first, then others that are not near-copies. In the order of date in an overview."""
    nearest: tuple[Hit, ...] = field(default=(), repr=False)
    """If not found: the nearest sentences all the same, answering or not; none if the question leans on another."""
    reason: str = ""
    """If not found: why, in words to show."""
    undated_excluded: int = 0
    """How many articles of unknown date a date restriction kept out."""
    kind: str = "none"
    """"fact", "yes-no", "overview", "articles", "talk", "candidates" or "none"."""
    understood: str = ""
    """The question as it was taken: without misspelt words, and with the earlier ones that it needs."""
    date: datetime.date | None = None
    """The day that answers a question for one, as "Friday" means it in its article."""
    polarity: str | None = None
    """"yes" or "no" where a yes-no question is decided for certain."""
    candidates: tuple[Evidence, ...] = field(default=(), repr=False)
    """If not found: sentences that may answer, none of them surely."""
    articles: tuple[Article, ...] = field(default=(), repr=False)
    """The articles that a question for articles asks for, the latest first."""

    def to_dict(self) -> dict[str, Any]:
        """The answer with its evidence, or with the reason and the nearest sentences, as plain JSON values."""
        return {
            "question": self.question,
            "understood": self.understood,
            "kind": self.kind,
            "found": self.found,
            "text": self.text,
            "confidence": round(self.confidence, 4),
            "date": self.date.isoformat() if self.date else None,
            "polarity": self.polarity,
            "reason": self.reason,
            "evidence": [evidence.to_dict() for evidence in self.evidence],
            "candidates": [evidence.to_dict() for evidence in self.candidates],
            "nearest": [hit.to_dict() for hit in self.nearest],
            "articles": [article_row(article) for article in self.articles],
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
    history: Sequence[str] = (),
) -> Answer:
    """Answer a question from the articles, or say that they do not answer it.

    Args:
        question, library, since, until, source: as for ``qa.retrieve``.
        k: the most pieces of evidence, or nearest sentences, to return.
        history: earlier questions of the conversation, the oldest first. A question that goes on from them, such as
            "and when?", is understood after them.

    Raises:
        QuestionError, IndexStateError, ModelError: as ``qa.retrieve`` does.
    """
    snapshot = library_to_ask(library)
    typed, reader = read_question(question, since, until, source, history), load_reader()
    if k < 1:
        raise QuestionError(f"{k} sentences cannot be shown; ask for at least 1.")
    parsed = read_corrected(typed, snapshot, reader, history)
    return replace(_answer(parsed, snapshot, k, reader), question=typed.asked)


def _answer(parsed: Question, snapshot: Snapshot, k: int, reader: Reader) -> Answer:
    intents = {} if parsed.phrases else intents_of(parsed.asked, snapshot.encode_question(parsed.asked))
    if intents.get(Intent.TALK, 0.0) >= CERTAIN and not parsed.restriction:
        return Answer(parsed.asked, False, TALK, 1.0, kind="talk", understood=parsed.asked)
    if parsed.text != parsed.asked:  # what a few words ask for is not told by them alone
        intents = {}
    replies = ((Intent.ARTICLES, which_articles), (Intent.OVERVIEW, overview), (Intent.METADATA, metadata))
    for intent, reply in replies:
        if intents.get(intent, 0.0) >= LIKELY and not parsed.leans_on_another and (answered := reply(parsed, snapshot)):
            return answered
    hits = [] if parsed.leans_on_another else search(parsed, snapshot, max(k, POOL), reader)
    return answer_from(parsed, hits, snapshot, k, intents)


def answer_from(
    question: Question,
    hits: Sequence[Hit],
    library: Snapshot,
    k: int = 5,
    intents: Mapping[Intent, float] = MappingProxyType({}),
) -> Answer:
    """The answer from a question's hits, best first and read. There must be ``POOL`` hits or all that there are."""
    restriction = question.restriction
    undated = library.store.undated(restriction.source) if restriction.by_date else 0
    nothing = Answer(question.asked, False, "", 0.0, undated_excluded=undated, understood=question.text)
    if question.leans_on_another or not hits:
        return replace(nothing, reason=LEANS if question.leans_on_another else why_nothing(question, library))
    shown = without_copies(hits[: max(k, POOL)], to_the_figure=True)[:k]
    parameters = load_parameters()
    probability = confidence(features(question, hits[:POOL], library), parameters.confidence)
    if missing_codes(question, library):
        probability = 0.0
    if probability < parameters.threshold / 2:
        return replace(nothing, confidence=probability, nearest=tuple(shown), reason=why_not(question, library))
    yes_no = intents.get(Intent.YES_NO, 0.0) >= LIKELY
    evidence = tuple(evidence_of(hit, library, marked=not yes_no and _nearly_as_likely(hit, hits[0])) for hit in shown)
    if probability < parameters.threshold:
        return replace(
            nothing,
            confidence=probability,
            kind="candidates",
            candidates=evidence[:DOUBTFUL],
            nearest=tuple(shown[DOUBTFUL:]),
            reason=NOT_SURE,
        )
    if intents.get(Intent.LIST, 0.0) >= LIKELY or question.several:
        listed = _listed(hits[0])
        evidence = (listed, *(one for one in evidence if not _inside(one.hit, listed.hit))) if listed else evidence
    best = evidence[0]
    day = None
    if question.kind is Kind.DATE and not yes_no:
        day = resolve(best.text, best.hit.article.date, best.hit.text)
    return replace(
        nothing,
        found=True,
        text=best.text,
        confidence=probability,
        evidence=evidence,
        kind="yes-no" if yes_no else "fact",
        date=day,
    )


def which_articles(question: Question, library: Snapshot) -> Answer | None:
    """The articles that a question asks for; None if there are none."""
    articles = tuple(articles_about(question, library, MAX_ARTICLES))
    if not articles:
        return None
    return Answer(question.asked, True, "", UNMEASURED, kind="articles", understood=question.text, articles=articles)


def overview(question: Question, library: Snapshot) -> Answer | None:
    """One sentence of each article that a question concerns, in the order of date; None if there are not two."""
    articles = articles_about(question, library, MAX_OVERVIEW)
    articles.sort(key=lambda article: article.date or datetime.date.max)
    leads = without_copies([hit for article in articles if (hit := lead(article, question, library))])
    if len(leads) < 2:
        return None
    evidence = tuple(evidence_of(hit, library, marked=False) for hit in leads)
    return Answer(question.asked, True, "", UNMEASURED, evidence=evidence, kind="overview", understood=question.text)


def metadata(question: Question, library: Snapshot) -> Answer | None:
    """Who wrote the article that a question concerns, in which paper, or when; None if its header does not say."""
    for article in articles_about(question, library, 1):
        kind, header = question.kind, article.text[: article.body_start]
        value = {Kind.PERSON: article.author, Kind.DATE: article.date and article.date.isoformat()}.get(
            kind, article.source
        )
        start = header.rfind(value) if value else -1
        if value and start >= 0:
            line = header.rfind("\n", 0, start) + 1, header.find("\n", start)
            hit = Hit(article, *line, 0.0, Signals(0.0, 0.0, 0.0, 0.0, 0.0), line)
            return Answer(
                question.asked,
                True,
                value,
                UNMEASURED,
                evidence=(Evidence(hit, ((start, start + len(value)),)),),
                kind="fact",
                understood=question.text,
                date=article.date if kind is Kind.DATE else None,
            )
    return None


def evidence_of(hit: Hit, library: Snapshot, marked: bool = True) -> Evidence:
    """The evidence of a hit: its exact answers, or the whole sentence unless ``marked``, and its context."""
    text, sentence, id_ = hit.article.text, (hit.start, hit.end), hit.article.id
    context = context_above(text, hit.start, hit.article.body_start)
    if context is None and id_ is not None and leans(text, sentence):
        context = library.store.sentence_before(id_, hit.start)
    return Evidence(hit, exact_answers(hit.article, sentence, hit.reading if marked else None), context)


def _listed(hit: Hit) -> Evidence | None:
    """All items of the list that a hit is in, or that it leads into, as one piece of evidence; None without one."""
    listing = list_at(hit.article.text, hit.start, hit.article.body_start)
    if listing is None:
        return None
    items = listing.items[:MAX_ITEMS]
    return Evidence(replace(hit, start=items[0][0], end=items[-1][1]), items, listing.lead_in)


def _inside(hit: Hit, whole: Hit) -> bool:
    return hit.article.id == whole.article.id and whole.start <= hit.start < whole.end


def exact_answers(article: Article, sentence: Span, reading: Reading | None) -> tuple[Span, ...]:
    """The reader's spans in a sentence, completed and in the text's order; the whole sentence if it was not read."""
    spans: list[Span] = []
    through = article.through(*sentence)
    for span in reading.spans if reading else [sentence]:
        whole = 0, len(through.text)
        start, end = through.in_file(complete(through.text, whole, through.in_text(span))) if reading else span
        if all(end <= first or last <= start for first, last in spans):
            spans.append((start, end))
    return tuple(sorted(spans))


def joined(article: Article, spans: Iterable[Span]) -> str:
    """Several pieces of an article joined by "; ", as an answer shows them."""
    return "; ".join(article.read(start, end) for start, end in spans)


def _nearly_as_likely(hit: Hit, best: Hit) -> bool:
    """Whether the reader scores a hit about as high as the best. What it marks in lower hits is a guess."""
    return hit.reading is not None and best.reading is not None and hit.reading.score >= best.reading.score - NEARLY
