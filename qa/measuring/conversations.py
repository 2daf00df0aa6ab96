"""Judge whole answers: ordinary questions about the articles of a folder, as ``qa.answer`` gives them to a user.

A folder has ``articles/`` and ``questions.jsonl``. A line of that is a JSON object: "id"; "kind"; "turns", the
questions of a conversation, of which the last is judged; "unanswerable"; "answers", the acceptable ones; "quotes",
every sentence that would be a right first clipping, each with "file" and "text"; and where they apply "date" (what a
weekday means), "polarity", "all_of" (what a list or a disagreement has to give), "files" (for questions about the
library) and "stale" (right once, but not now).
"""

from __future__ import annotations

import datetime
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from index.errors import ClippingsError
from index.library import Library, open_index
from qa.answering import Answer, answer
from qa.measuring.datasets import Asked
from qa.measuring.measures import auc, f1
from qa.retriever import Hit

ARTICLES, QUESTIONS = "articles", "questions.jsonl"
SURE = 0.6
"""A wrong answer of at least this confidence counts as sure."""
_SHOWN = 3
"""The clippings that a reader looks at."""
_CLOSE, _SAME, _MOST = 0.5, 0.7, 0.6
"""F1 with an acceptable answer that is close enough; F1 of two texts that say the same; most of the quotes."""
_UNMEASURED = frozenset(("talk", "library", "overview"))


class Verdict(StrEnum):
    """What a reply is worth."""

    RIGHT = "right"
    PARTLY = "partly"
    """The right sentence is among the first clippings, or a part is missing."""
    WRONG = "wrong"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Conversation:
    """One line of ``questions.jsonl``."""

    id: str
    kind: str
    turns: tuple[str, ...]
    unanswerable: bool = False
    answers: tuple[str, ...] = ()
    quotes: tuple[tuple[str, str], ...] = ()
    """File and text of each acceptable sentence."""
    date: datetime.date | None = None
    polarity: str = ""
    all_of: tuple[str, ...] = ()
    files: frozenset[str] = frozenset()
    stale: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """A reply and its verdict."""

    conversation: Conversation
    answer: Answer = field(repr=False)
    verdict: Verdict

    def row(self) -> dict[str, Any]:
        """What to look at, as plain JSON values."""
        asked, reply = self.conversation, self.answer
        return {
            "id": asked.id,
            "kind": asked.kind,
            "turns": asked.turns,
            "verdict": self.verdict.value,
            "confidence": reply.confidence,
            "text": reply.text,
            "first": next((evidence.hit.text for evidence in (*reply.evidence, *reply.candidates)), ""),
            "answers": asked.answers,
        }


def is_folder_of_questions(path: Path) -> bool:
    """Whether a path is a folder of this form."""
    return (path / ARTICLES).is_dir() and (path / QUESTIONS).is_file()


def open_folder(folder: Path, index: Path) -> tuple[Library, list[Conversation]]:
    """Make an index of the folder's articles in another folder, and read the questions.

    Raises:
        ClippingsError: a line of the questions has another form.
    """
    from index.builder import build  # late: only folders need it

    conversations = list(_read(folder / QUESTIONS))
    build(folder / ARTICLES, index)
    return open_index(index), conversations


def _read(path: Path) -> Iterator[Conversation]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            yield Conversation(
                str(row.get("id", number)),
                row["kind"],
                tuple(row["turns"]),
                bool(row.get("unanswerable")),
                tuple(row.get("answers", ())),
                tuple((quote["file"], quote["text"]) for quote in row.get("quotes", ())),
                datetime.date.fromisoformat(row["date"]) if row.get("date") else None,
                row.get("polarity") or "",
                tuple(row.get("all_of", ())),
                frozenset(row.get("files", ())),
                tuple(row.get("stale", ())),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ClippingsError(f'{path}, line {number} is not a question with "kind" and "turns": {error}') from error


def asked_of_folder(library: Library, conversations: Sequence[Conversation]) -> Iterator[Asked]:
    """The questions of one turn that a sentence answers, and those that nothing answers, as offsets into articles."""
    ids = {info.path: info.id for info in library.articles()}
    for one in conversations:
        if len(one.turns) > 1 or not (one.unanswerable or one.quotes):
            continue
        golds = []
        for file, text in one.quotes:
            article = library.article(ids[file]) if file in ids else None
            start = article.text.find(text) if article else -1
            if start >= 0:
                golds.append((ids[file], start, start + len(text)))
        if golds or one.unanswerable:
            yield Asked(one.id, one.turns[0], not one.unanswerable, tuple(golds), one.answers, one.kind)


def judge_all(library: Library, conversations: Sequence[Conversation]) -> list[Judged]:
    """Ask every question, and judge the replies."""
    judged = []
    for one in conversations:
        reply = answer(one.turns[-1], library, history=one.turns[:-1])
        judged.append(Judged(one, reply, judge(one, reply)))
    return judged


def judge(asked: Conversation, reply: Answer) -> Verdict:
    """What a reply is worth."""
    if asked.unanswerable:
        return Verdict.WRONG if reply.found else Verdict.RIGHT
    if asked.kind == "talk":
        return Verdict.RIGHT if reply.kind == "talk" else Verdict.WRONG if reply.found else Verdict.REFUSED
    if not reply.found:
        doubtful = [evidence.hit for evidence in reply.candidates[:_SHOWN]]
        return Verdict.PARTLY if any(_is_quoted(hit, asked.quotes) for hit in doubtful) else Verdict.REFUSED
    hits = [evidence.hit for evidence in reply.evidence]
    if asked.kind == "library":
        given = {_file(hit) for hit in hits} | {Path(article.path).name for article in reply.articles}
        return _by_share(len(asked.files & given), len(asked.files), 1.0, 0.5)
    if asked.kind == "overview":
        found = sum(any(_is_quoted(hit, [quote]) for hit in hits) for quote in asked.quotes)
        return _by_share(found, len(asked.quotes), _MOST, min(1.0, 2 / max(1, len(asked.quotes))))
    if asked.all_of:
        everything = " ".join([reply.text, *(hit.text for hit in hits)])
        stated = sum(_holds(reply.text if asked.kind == "list" else everything, one) for one in asked.all_of)
        if stated == len(asked.all_of):
            return Verdict.RIGHT
        return _by_share(sum(_holds(everything, one) for one in asked.all_of), len(asked.all_of), 2.0, 0.5)
    return _judge_fact(asked, reply, hits)


def _judge_fact(asked: Conversation, reply: Answer, hits: Sequence[Hit]) -> Verdict:
    """The verdict on an answer that one sentence gives."""
    first = bool(hits) and _is_quoted(hits[0], asked.quotes)
    seen = any(_is_quoted(hit, asked.quotes) for hit in hits[:_SHOWN])
    close = any(f1(_words(reply.text), [_words(one)]) >= _CLOSE or _holds(reply.text, one) for one in asked.answers)
    if asked.kind == "yes-no":
        decided = reply.polarity == asked.polarity or (not reply.polarity and f1(reply.text, [hits[0].text]) > _SAME)
        if first and decided:
            return Verdict.RIGHT
        return Verdict.PARTLY if seen and reply.polarity in (None, asked.polarity) else Verdict.WRONG
    if asked.date:
        said = reply.date == asked.date or _holds(reply.text, asked.date.isoformat())
        if said and seen:
            return Verdict.RIGHT
        return Verdict.PARTLY if seen and close else Verdict.WRONG
    right = close if asked.answers else first
    if (right and (first or (seen and asked.kind in ("metadata", "title-only")))) or (
        first and asked.kind in ("why", "how", "quote")
    ):
        return Verdict.RIGHT
    if not right and any(f1(_words(reply.text), [_words(one)]) >= _SAME for one in asked.stale):
        return Verdict.WRONG
    return Verdict.PARTLY if seen or right else Verdict.WRONG


def _by_share(found: int, of: int, right: float, partly: float) -> Verdict:
    share = found / of if of else 0.0
    return Verdict.RIGHT if share >= right else Verdict.PARTLY if share >= partly else Verdict.WRONG


def _file(hit: Hit) -> str:
    return Path(hit.article.path).name


def _is_quoted(hit: Hit, quotes: Sequence[tuple[str, str]]) -> bool:
    """Whether a hit holds the middle of an acceptable sentence."""
    for file, text in quotes:
        start = hit.article.text.find(text) if file == _file(hit) else -1
        if start >= 0 and hit.start <= start + len(text) // 2 < hit.end:
            return True
    return False


def _holds(text: str, part: str) -> bool:
    return bool(_words(part)) and f" {_words(part)} " in f" {_words(text)} "


def _words(text: str) -> str:
    return " ".join(word for word in re.findall(r"\w+", text.casefold()) if word not in ("a", "an", "the"))


def summary(judged: Sequence[Judged]) -> dict[str, Any]:
    """Shares of the answerable questions by verdict, the share of the unanswerable that got an answer, and the AUC."""
    answerable = [one for one in judged if not one.conversation.unanswerable]
    unanswerable = [one for one in judged if one.conversation.unanswerable]
    counts = Counter(one.verdict for one in answerable)
    wrong = [one for one in judged if one.verdict is Verdict.WRONG and one.answer.found]
    known = [one.answer.confidence for one in answerable if one.conversation.kind not in _UNMEASURED]
    unknown = [one.answer.confidence for one in unanswerable]
    return {
        "questions": len(answerable),
        **{verdict.value: counts[verdict] / max(1, len(answerable)) for verdict in Verdict},
        "wrong and sure": sum(one.answer.confidence >= SURE for one in wrong),
        "unanswerable": len(unanswerable),
        "unanswerable answered": sum(one.answer.found for one in unanswerable) / max(1, len(unanswerable)),
        "AUC": auc(known, unknown) if known and unknown else float("nan"),
    }


def table(name: str, judged: Sequence[Judged]) -> str:
    """The verdicts by kind, and the figures."""
    kinds: dict[str, Counter[Verdict]] = {}
    for one in judged:
        kinds.setdefault(one.conversation.kind, Counter())[one.verdict] += 1
    lines = [f"{name}: {len(judged)} questions", f"  {'kind':18}{'n':>5}" + "".join(f"{v.value:>9}" for v in Verdict)]
    for kind, counts in kinds.items():
        lines.append(f"  {kind:18}{counts.total():>5}" + "".join(f"{counts[verdict]:>9}" for verdict in Verdict))
    figures = (
        f"{key} {value:.3f}" if isinstance(value, float) else f"{key} {value}" for key, value in summary(judged).items()
    )
    return "\n".join([*lines, "  " + ", ".join(figures)])
