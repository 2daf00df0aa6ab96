"""Learning the few numbers of ``parameters.json`` from questions: ranking weights, confidence, threshold.

The ranking weights maximise the probability of the gold sentence among a question's candidates under
a softmax (the conditional logit of McFadden 1973, ListNet's top-one loss), each training file counting
the same. The reader has seen the training questions, so that its weight beside them is chosen on
development questions, and so are the confidence, a logistic regression of "the best sentence is the
gold one", and the threshold. Every third development question is left out of all that, and reported on.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from index.errors import ClippingsError
from qa import parameters
from qa.answering import POOL
from qa.confidence import Features, confidence, features
from qa.datasets import LINES, Asked, asked_of, index_of, is_gold, read_questions, spread
from qa.question import read_question
from qa.reader import load_reader
from qa.retriever import ALL, Hit, rerank, search
from qa.scoring import answered_at, auc, mrr

if TYPE_CHECKING:
    from index.library import Library

Matrix = NDArray[np.float64]

_L2 = 1e-3
_HELD = {"dense_passage": 5.0, "bm25_passage": 0.22}
"""Weights that are not learnt: the training posts and reviews are short, one passage or two, and say nothing of how
much a passage counts among the passages of long articles. Chosen on the development sets (docs/ranking.md)."""

_WEIGHTS = (0.3, 0.4, 0.5, 0.6, 0.8)
"""Weights that the reader's score may get."""

_FALSE_ANSWERS = 0.12
"""The threshold lets this share of the unanswerable fitting questions through, each file counting the same."""


def fit(
    train: Sequence[Path], dev: Sequence[Path], library: Library | None, limit: int, out: Path | None = None
) -> str:
    """Fit everything, write the parameters, and return a report of what they do on questions not fitted on.

    Args:
        train: SQuAD-form files for the ranking. With none, the ranking in use is kept.
        dev: SQuAD-form files for the reader's weight and the confidence, two thirds of their questions fitted on, the
            rest reported.
            A list of questions without contexts is asked of the library as unanswerable.
        library: the index whose articles some files' contexts are; other files get an index of their own.
        limit: at most so many questions of a file, evenly spread.
        out: where to write; the file in use if left out.
    """
    made = json.loads(parameters.FILE.read_text(encoding="utf-8"))["ranking made by"]
    ranking = parameters.load_parameters().ranking
    if train:
        ranking = _fit_ranking([_ranking_problem(path, library, limit) for path in train])
        made = f"python -m qa fit --library STORIES --train {_names(train)} --limit {limit} --dev {_names(dev)}"
    asked = [_read_rows(path, library, ranking, limit) for path in dev]
    fitted = [row for rows in asked for row in rows[0::3] + rows[1::3]]
    held = [row for rows in asked for row in rows[2::3]]
    ranking = dataclasses.replace(ranking, reader=_best_weight(fitted))
    weights = _fit_confidence([row.at(ranking.reader) for row in fitted])
    threshold = _threshold([row.at(ranking.reader) for row in fitted if not row.answerable], weights)
    learnt = {
        "ranking made by": made,
        "reader's weight and confidence made by": (
            f"python -m qa fit --library STORIES --limit {limit} --dev {_names(dev)}"
        ),
        "ranking": {key: round(value, 4) for key, value in dataclasses.asdict(ranking).items()},
        "confidence": {key: round(value, 4) for key, value in weights.items()},
        "threshold": round(threshold, 4),
    }
    (out or parameters.FILE).write_text(json.dumps(learnt, indent=2) + "\n", encoding="utf-8")
    return f"reader's weight {ranking.reader}\n" + _report([row.at(ranking.reader) for row in held], weights, threshold)


def _names(paths: Sequence[Path]) -> str:
    return " ".join(path.name for path in paths)


@dataclasses.dataclass(frozen=True, slots=True)
class _Row:
    """One development question, asked with a certain weight of the reader: what the confidence sees, and the truth."""

    file: str
    features: Features
    answerable: bool
    right: bool


@dataclasses.dataclass(frozen=True, slots=True)
class _ReadRow:
    """One development question, read once and ranked with every weight that the reader may get."""

    file: str
    answerable: bool
    features: dict[float, Features]
    ranks: dict[float, float]
    """Of the gold sentence among the first ``POOL``; ``inf`` without one."""

    def at(self, weight: float) -> _Row:
        return _Row(self.file, self.features[weight], self.answerable, self.ranks[weight] == 1)


def _opened(path: Path, library: Library | None, folder: Path) -> tuple[Library, list[Asked]]:
    """A file's questions, and the library to ask them of: the given one if all contexts and answers are in it."""
    entries = read_questions(path)
    if library is not None:
        try:
            return library, list(asked_of(library, entries))
        except ClippingsError:
            if path.suffix == LINES:
                raise  # it brings no paragraphs for an index of its own
    here = index_of(entries, folder)
    return here, list(asked_of(here, entries))


def _ranking_problem(path: Path, library: Library | None, limit: int) -> list[tuple[Matrix, NDArray[np.bool_]]]:
    """For each question its candidates' raw scores, shape (candidates, weights), and which are gold."""
    problem = []
    with tempfile.TemporaryDirectory() as folder:
        here, asked = _opened(path, library, Path(folder))
        for one in spread([one for one in asked if one.answerable], limit):
            hits = search(read_question(one.question, here), here, k=ALL)
            gold = np.array([is_gold(one, hit.article.id, hit.start, hit.end) for hit in hits], bool)
            if gold.any():
                problem.append((np.array([dataclasses.astuple(hit.signals) for hit in hits]), gold))
    print(f"{path.name}: {len(problem)} training questions", file=sys.stderr, flush=True)
    return problem


def _fit_ranking(problems: Sequence[Sequence[tuple[Matrix, NDArray[np.bool_]]]]) -> parameters.Weights:
    from scipy.optimize import minimize  # late: only fitting needs it

    names = [field.name for field in dataclasses.fields(parameters.Weights) if field.name != "reader"]
    held = np.array([_HELD.get(name, 0.0) for name in names])
    free = np.array([name not in _HELD for name in names])
    # Scaled alike, so that the penalty weighs all of them alike.
    scale = np.mean([np.abs(matrix[:, free]).max(axis=0) for problem in problems for matrix, _ in problem], axis=0)

    def loss(weights: Matrix) -> tuple[float, Matrix]:
        total, gradient = _L2 * float(weights @ weights), 2 * _L2 * weights
        for problem in problems:
            for matrix, gold in problem:
                scaled = matrix[:, free] / scale
                scores = scaled @ weights + matrix @ held
                odds = np.exp(scores - scores.max())
                right = float(odds[gold].sum())
                total -= float(np.log(max(right / odds.sum(), 1e-12))) / len(problem) / len(problems)
                target = np.where(gold, odds, 0) / max(right, 1e-300)
                gradient = gradient + scaled.T @ (odds / odds.sum() - target) / len(problem) / len(problems)
        return total, gradient

    found = minimize(loss, np.ones(free.sum()), jac=True, method="L-BFGS-B")
    held[free] = found.x / scale
    return parameters.Weights(**dict(zip(names, held.tolist(), strict=True)), reader=0.0)


def _read_rows(path: Path, library: Library | None, ranking: parameters.Weights, limit: int) -> list[_ReadRow]:
    """What comes of a file's questions, in its order; those that find nothing are left out."""
    rows, reader = [], load_reader()
    with tempfile.TemporaryDirectory() as folder:
        here, asked = _opened(path, library, Path(folder))
        asked = spread(asked, limit)
        for one in asked:
            question = read_question(one.question, here)
            found = search(question, here, ALL, reader, dataclasses.replace(ranking, reader=1.0))
            if not found:
                continue
            row = _ReadRow(path.stem, one.answerable, {}, {})
            for weight in _WEIGHTS:
                hits = _ranked(found, weight)
                row.features[weight] = features(question, hits, here)
                golds = [n for n, hit in enumerate(hits, 1) if is_gold(one, hit.article.id, hit.start, hit.end)]
                row.ranks[weight] = float(min(golds, default=np.inf))
            rows.append(row)
    print(f"{path.name}: {len(asked)} development questions", file=sys.stderr, flush=True)
    return rows


def _ranked(hits: Sequence[Hit], weight: float) -> list[Hit]:
    """The first of hits that were ranked with the reader's weight at 1, as they are ranked with another."""
    readings = {at: hit.reading for at, hit in enumerate(hits) if hit.reading}
    scores = rerank(np.array([hit.score for hit in hits]), readings, weight - 1)
    order = np.argsort(-scores, kind="stable").tolist()[:POOL]
    return [dataclasses.replace(hits[at], score=float(scores[at])) for at in order]


def _best_weight(rows: Sequence[_ReadRow]) -> float:
    """The weight with the highest mean reciprocal rank, each file counting the same."""
    files = {row.file for row in rows if row.answerable}

    def quality(weight: float) -> float:
        return sum(mrr([row.ranks[weight] for row in rows if row.file == file and row.answerable]) for file in files)

    return max(_WEIGHTS, key=quality)


def _fit_confidence(rows: Sequence[_Row]) -> dict[str, float]:
    """A logistic regression; the answerable questions of each file, and the others, count the same."""
    from sklearn.linear_model import LogisticRegression  # late: only fitting needs it

    matrix = np.array([dataclasses.astuple(row.features) for row in rows])
    spread_ = matrix.std(axis=0) + 1e-9
    counts = Counter((row.file, row.answerable) for row in rows)
    shares = np.array([1 / counts[row.file, row.answerable] for row in rows])
    model = LogisticRegression(max_iter=1000)
    model.fit(matrix / spread_, [row.right for row in rows], sample_weight=shares / shares.mean())
    names = [field.name for field in dataclasses.fields(Features)]
    weights = dict(zip(names, (model.coef_[0] / spread_).tolist(), strict=True))
    return {"bias": float(model.intercept_[0]), **weights}


def _threshold(unanswerable: Sequence[_Row], weights: dict[str, float]) -> float:
    """A confidence that ``_FALSE_ANSWERS`` of these questions reach and no more, each file counting the same."""
    if not unanswerable:
        return 0.5
    counts = Counter(row.file for row in unanswerable)
    sure = sorted(((confidence(row.features, weights), 1 / counts[row.file]) for row in unanswerable), reverse=True)
    through = np.cumsum([share for _, share in sure]) / len(counts)
    last = int((through <= _FALSE_ANSWERS).sum())
    return ((sure[last - 1][0] if last else 1.0) + sure[last][0]) / 2


def _report(rows: Sequence[_Row], weights: dict[str, float], threshold: float) -> str:
    """What the confidence does on the rows, by file and over all."""
    lines = [f"on {len(rows)} development questions that were not fitted on, threshold {threshold:.3f}:"]
    for file in [*dict.fromkeys(row.file for row in rows), "all"]:
        chosen = [(row, confidence(row.features, weights)) for row in rows if file in (row.file, "all")]
        lines.append(f"  {file}: " + ", ".join(f"{key} {value:.3f}" for key, value in _figures(chosen, threshold)))
    return "\n".join(lines)


def _figures(rows: Sequence[tuple[_Row, float]], threshold: float) -> Iterator[tuple[str, Any]]:
    answerable = [sure for row, sure in rows if row.answerable]
    unanswerable = [sure for row, sure in rows if not row.answerable]
    yield "Brier", float(np.mean([(sure - row.right) ** 2 for row, sure in rows]))
    if answerable:
        yield "right", float(np.mean([row.right for row, _ in rows if row.answerable]))
        yield "answered", float(np.mean([sure >= threshold for sure in answerable]))
        shown = [row.right for row, sure in rows if sure >= threshold]
        yield "right of those shown", float(np.mean(shown)) if shown else float("nan")
    if unanswerable:
        yield "falsely answered", float(np.mean([sure >= threshold for sure in unanswerable]))
    if answerable and unanswerable:
        yield "AUC", auc(answerable, unanswerable)
        yield "answered at 1 % false", answered_at(answerable, unanswerable, 0.01)
        yield "answered at 5 % false", answered_at(answerable, unanswerable, 0.05)
