"""How well sentences are found, and how well the unanswerable is told: recall@k, MRR, AUC, on SQuAD-form files."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from index.articles import Article
from index.errors import ClippingsError
from index.store import Restriction
from qa.answering import answer
from qa.retriever import read_question, search

if TYPE_CHECKING:
    from index.library import Library

_BATCH = 256
STAGES = ("dense alone", "BM25 alone", "fused")


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of a file, with its gold as offsets into a stored article; no gold if unanswerable."""

    id: str
    question: str
    article: int | None
    answers: tuple[tuple[int, int], ...]
    """Spans of the acceptable answers in the article's text."""


@dataclass(slots=True)
class Figures:
    """What was measured on one file. Ranks are 1-based; ``inf`` where the gold was not among the candidates."""

    name: str
    articles: int = 0
    ranks: dict[str, list[float]] = field(default_factory=lambda: {stage: [] for stage in STAGES})
    """Ranks of the gold sentence by stage, in the order of the questions."""
    passage_ranks: list[float] = field(default_factory=list)
    answerable: list[float] = field(default_factory=list)
    """Confidences of the questions that the articles answer."""
    unanswerable: list[float] = field(default_factory=list)
    """Confidences of those that they do not."""
    without_gold: list[str] = field(default_factory=list)
    """Ids of the answerable questions whose answer stands in no sentence; they are left out."""


def recall(ranks: Sequence[float], k: int) -> float:
    """The share of questions whose gold is among the first ``k``."""
    return float(np.mean([rank <= k for rank in ranks])) if ranks else float("nan")


def mrr(ranks: Sequence[float]) -> float:
    """The mean reciprocal rank of the gold (Voorhees 1999)."""
    return float(np.mean([1 / rank for rank in ranks])) if ranks else float("nan")


def auc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The chance that an answerable question is held more answerable than an unanswerable one; ties count half."""
    if not positive or not negative:
        return float("nan")
    low = np.sort(np.array(negative))
    below = np.searchsorted(low, positive, side="left")
    not_above = np.searchsorted(low, positive, side="right")
    return float((below + not_above).sum() / 2 / len(positive) / len(negative))


def answered_at(positive: Sequence[float], negative: Sequence[float], false_share: float) -> float:
    """The share of answerable questions answered where at most ``false_share`` of the others are."""
    if not positive or not negative:
        return float("nan")
    allowed = int(false_share * len(negative))
    threshold = sorted(negative, reverse=True)[allowed]
    return float(np.mean([value > threshold for value in positive]))


def rank_of_gold(scores: NDArray[np.float64], gold: NDArray[np.bool_]) -> float:
    """The 1-based rank of the best gold row; rows that tie with it count as before it. ``inf`` without gold."""
    if not gold.any():
        return float("inf")
    return 1.0 + float((scores[~gold] >= scores[gold].max()).sum())


def read_questions(path: Path) -> list[dict[str, Any]]:
    """The paragraphs of a SQuAD-form file, or a list of ``{"question": …}`` as one without context.

    Raises:
        ClippingsError: the file is neither.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(data, list):
            qas = [{"id": str(n), "question": q["question"], "is_impossible": True} for n, q in enumerate(data)]
            return [{"context": None, "qas": qas}]
        return [_entry(paragraph) for entry in data["data"] for paragraph in entry["paragraphs"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClippingsError(
            f"{path} holds no questions in SQuAD form (data[].paragraphs[].context and .qas[].question): {error}"
        ) from error


def _entry(paragraph: dict[str, Any]) -> dict[str, Any]:
    """A paragraph as an article would be read: its newlines normalised, its answers' offsets with them."""
    context = paragraph["context"]
    qas = [
        {
            "id": str(qa["id"]),
            "question": qa["question"],
            "is_impossible": bool(qa.get("is_impossible")),
            "answers": [
                {"text": a["text"], "answer_start": a["answer_start"] - context.count("\r\n", 0, a["answer_start"])}
                for a in qa.get("answers", [])
            ],
        }
        for qa in paragraph["qas"]
    ]
    return {"context": context.replace("\r\n", "\n").replace("\r", "\n"), "qas": qas}


def evaluate(
    paths: Sequence[Path], library: Library | None = None, limit: int | None = None, export: bool = True
) -> Iterator[Figures]:
    """Measure each file of questions; files without contexts are asked, as unanswerable, of all the others.

    Args:
        paths: SQuAD-form files; in each, every paragraph is an article, unless ``library`` is given.
        library: an index whose articles the contexts are, to the letter.
        limit: at most so many questions of a file, evenly spread.
        export: whether indexes made for this use the exported encoder, as ``index.build`` does.
    """
    files = [(path, read_questions(path)) for path in paths]
    foreign = [qa for _, entries in files for entry in entries if entry["context"] is None for qa in entry["qas"]]
    to_measure = [(path, entries) for path, entries in files if entries and entries[0]["context"] is not None]
    if not to_measure:
        if library is None:
            raise ClippingsError("None of these files has contexts to ask about; give --library INDEX.")
        to_measure = [(Path("questions without articles"), [])]
    for path, entries in to_measure:
        with tempfile.TemporaryDirectory() as folder:
            here = library if library is not None else index_of(entries, Path(folder), export)
            asked = [*asked_of(here, entries), *(_unanswerable(qa) for qa in foreign)]
            yield measure(path.stem, spread(asked, limit), here)
            if library is None:
                here.close()


def index_of(entries: Sequence[dict[str, Any]], folder: Path, export: bool = True) -> Library:
    """An index in which every distinct context is an article without a header."""
    from index.builder import create, encode
    from index.encoder import index_encoder
    from index.lexical import Lexical, catch_up
    from index.library import open_index

    store = create(folder / "index", folder, export=export)
    encoder = index_encoder(store.directory, store.settings.model, store.settings.model_hash)
    contexts = list(dict.fromkeys(entry["context"] for entry in entries if entry["context"] is not None))
    articles = [article_of(context, f"{number:06}.txt") for number, context in enumerate(contexts)]
    for at in range(0, len(articles), _BATCH):
        store.apply(encode(articles[at : at + _BATCH], store.settings, encoder))
    catch_up(Lexical(folder / "index" / "lexical"), store)
    store.close()
    return open_index(folder / "index")


def article_of(context: str, name: str) -> Article:
    """A context as an article: all of it body, so that the offsets of its answers hold."""
    return Article(path=name, text=context, hash=name)


def measure(name: str, asked: Sequence[Asked], library: Library) -> Figures:
    """Ask every question and note where its gold came, for each stage, and how sure the answer was."""
    figures = Figures(name, library.store.counts()[0])
    everything = _Everything(library)
    for one in asked:
        if one.article is None:
            figures.unanswerable.append(answer(one.question, library).confidence)
            continue
        gold = everything.gold(one)
        if not gold.any():
            figures.without_gold.append(one.id)
            continue
        figures.answerable.append(answer(one.question, library).confidence)
        question = read_question(one.question, library)
        figures.ranks["dense alone"].append(rank_of_gold(everything.cosines(question.text), gold))
        figures.ranks["BM25 alone"].append(rank_of_gold(everything.bm25(question.terms), gold))
        hits = search(question, library, k=10_000)
        scores = np.array([hit.score for hit in hits])
        here = np.array([is_gold(one, hit.article.id, hit.start, hit.end) for hit in hits], bool)
        figures.ranks["fused"].append(rank_of_gold(scores, here) if hits else float("inf"))
        figures.passage_ranks.append(_passage_rank(one, hits))
    return figures


def _passage_rank(one: Asked, hits: Sequence[Any]) -> float:
    """The rank of the gold's passage among the passages, in the order in which the hits bring them up."""
    order: dict[tuple[int | None, int], None] = {}
    gold = None
    for hit in hits:
        key = (hit.article.id, hit.passage[0])
        order.setdefault(key)
        if is_gold(one, hit.article.id, hit.start, hit.end) and gold is None:
            gold = key
    return 1.0 + list(order).index(gold) if gold is not None else float("inf")


class _Everything:
    """All sentences of a library at once, for the stages that search without candidates."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._rows, self._vectors = library.store.sentences_of(library.store.passage_ids(Restriction()).tolist())
        self._at = {row.id: i for i, row in enumerate(self._rows)}
        self._of_article: dict[int, list[int]] = {}
        for i, row in enumerate(self._rows):
            self._of_article.setdefault(row.article, []).append(i)

    def gold(self, one: Asked) -> NDArray[np.bool_]:
        gold = np.zeros(len(self._rows), bool)
        for i in self._of_article.get(one.article or -1, []):
            gold[i] = is_gold(one, one.article, self._rows[i].start, self._rows[i].end)
        return gold

    def cosines(self, question: str) -> NDArray[np.float64]:
        return np.asarray(self._vectors @ self._library.encode_question(question), np.float64)

    def bm25(self, terms: Sequence[str]) -> NDArray[np.float64]:
        scores = np.zeros(len(self._rows))
        for id_, score in self._library.lexical.search_sentences(terms, len(self._rows), Restriction()).items():
            scores[self._at[id_]] = score
        return scores


def asked_of(library: Library, entries: Sequence[dict[str, Any]]) -> Iterator[Asked]:
    """The questions of a file's paragraphs, their gold as offsets into a library's articles.

    Raises:
        ClippingsError: a paragraph's context is no article of the library.
    """
    by_text: dict[str, int] = {}
    ids = {path: id_ for path, (id_, _) in library.store.known().items()}
    for entry in entries:
        context = entry["context"]
        if context is not None and context not in by_text:
            by_text[context] = ids[_article_path(library, context)]
        for qa in entry["qas"]:
            if qa.get("is_impossible"):
                yield _unanswerable(qa)
                continue
            spans = [(a["answer_start"], a["answer_start"] + len(a["text"])) for a in qa["answers"]]
            yield Asked(str(qa["id"]), qa["question"], by_text[context], tuple(spans))


def _article_path(library: Library, context: str) -> str:
    """The path of the article whose text a context is."""
    paths = library.store.same_text(article_of(context, ""))
    if not paths:
        raise ClippingsError(
            f"The context that begins {context[:60]!r} is no article of {library.path}. "
            "Leave --library out, and each context becomes an article of an index made for this evaluation."
        )
    return paths[0]


def _unanswerable(qa: dict[str, Any]) -> Asked:
    return Asked(str(qa["id"]), qa["question"], None, ())


def is_gold(one: Asked, article: int | None, start: int, end: int) -> bool:
    """Whether an answer begins in the sentence ``[start, end)`` of the article."""
    return article == one.article and any(start <= answer_start < end for answer_start, _ in one.answers)


def spread(asked: list[Asked], limit: int | None) -> list[Asked]:
    """At most ``limit`` of the questions, evenly spread over them."""
    if limit is None or len(asked) <= limit:
        return asked
    return [asked[i * len(asked) // limit] for i in range(limit)]


def summary(figures: Figures) -> dict[str, Any]:
    """The figures of one file as plain values; NaN where there was nothing to measure."""
    stages = {
        stage: {**{f"R@{k}": recall(ranks, k) for k in (1, 5, 10)}, "MRR": mrr(ranks)}
        for stage, ranks in figures.ranks.items()
    }
    return {
        "file": figures.name,
        "articles": figures.articles,
        "questions": len(figures.passage_ranks),
        "without_gold": figures.without_gold,
        "sentence": stages,
        "passage": {"R@20": recall(figures.passage_ranks, 20)},
        "abstention": {
            "answerable": len(figures.answerable),
            "unanswerable": len(figures.unanswerable),
            "AUC": auc(figures.answerable, figures.unanswerable),
            "answered_at_1%_false": answered_at(figures.answerable, figures.unanswerable, 0.01),
            "answered_at_5%_false": answered_at(figures.answerable, figures.unanswerable, 0.05),
        },
    }


def table(figures: Figures) -> str:
    """The figures of one file in words and columns."""
    values = summary(figures)
    lines = [f"{figures.name}: {values['questions']} questions over {figures.articles} articles"]
    if figures.without_gold:
        named = ", ".join(figures.without_gold[:10]) + (" …" if len(figures.without_gold) > 10 else "")
        lines.append(
            f"  without gold (the answer stands in no sentence), left out: {len(figures.without_gold)}: {named}"
        )
    if figures.passage_ranks:
        lines.append(f"  {'sentence':<14}{'R@1':>8}{'R@5':>8}{'R@10':>8}{'MRR':>8}")
        for stage, row in values["sentence"].items():
            lines.append(f"  {stage:<14}" + "".join(f"{row[key]:>8.3f}" for key in ("R@1", "R@5", "R@10", "MRR")))
        lines.append(f"  passage R@20 {values['passage']['R@20']:.3f}")
    abstention = values["abstention"]
    if figures.unanswerable:
        lines.append(
            f"  abstention: {abstention['answerable']} answerable, {abstention['unanswerable']} not: "
            f"AUC {abstention['AUC']:.3f}, answered at 1 % false {abstention['answered_at_1%_false']:.3f}, "
            f"at 5 % false {abstention['answered_at_5%_false']:.3f}"
        )
    return "\n".join(lines)
