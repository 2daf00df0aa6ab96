"""Learning the few numbers of ``parameters.json`` from questions: ranking weights, confidence, threshold.

The ranking weights maximise the probability of the gold sentence among a question's candidates under
a softmax (the conditional logit of McFadden 1973, ListNet's top-one loss), each training file counting
the same. The reader has seen the training questions, so that the weights beside its score are learnt in
the same way from development questions. From these too come the confidence, the product of two logistics
fitted to "the best sentence is the gold one", and the threshold. Every third development question is left
out of all that, and reported on.
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
from qa.measuring.datasets import LINES, Asked, asked_of, index_of, is_gold, read_questions, spread
from qa.measuring.measures import answered_at, auc, brier
from qa.question import read_question
from qa.reader import load_reader
from qa.retriever import ALL, find_candidates, fuse, read_best, rerank, search

if TYPE_CHECKING:
    from index.library import Library, Snapshot

Matrix = NDArray[np.float64]
Problem = list[tuple[Matrix, NDArray[np.bool_]]]
"""Of a file's questions the candidates, a row of raw scores each, and which of them are gold."""

_L2 = 1e-3
_HELD = {"dense_passage": 5.0, "bm25_passage": 0.22}
"""Weights that are not learnt: the training posts and reviews are short, one passage or two, and say nothing of how
much a passage counts among the passages of long articles. Chosen on the development sets (docs/ranking.md)."""

_READ = 12
"""Passages that are read of a question from which the weights beside the reader are learnt."""

_FACTORS = {
    "covered": ("cosine", "passage_cosine", "highest_cosine", "matched", "passage_matched", "names"),
    "answered": ("margin", "best", "reader", "reader_margin"),
}
"""The features of each factor of the confidence: whether articles cover the question, and whether they answer it."""

_FALSE_ANSWERS = 0.07
"""The threshold lets this share of the unanswerable fitting questions through, each file counting the same."""


def fit(
    train: Sequence[Path], dev: Sequence[Path], library: Library | None, limit: int, out: Path | None = None
) -> str:
    """Fit everything, write the parameters, and return a report of what they do on questions not fitted on.

    Args:
        train: SQuAD-form files for the ranking. With none, the ranking in use is kept.
        dev: SQuAD-form files for the weights beside the reader and the confidence, two thirds of their questions fitted
            on, the rest reported. A list of questions without contexts is asked of the library as unanswerable.
        library: the index whose articles some files' contexts are; other files get an index of their own.
        limit: at most so many questions of a file, evenly spread.
        out: where to write; the file in use if left out.
    """
    made = json.loads(parameters.FILE.read_text(encoding="utf-8"))["ranking made by"]
    ranking = parameters.load_parameters().ranking
    if train:
        ranking = _fit_ranking([_ranking_problem(path, library, limit) for path in train])
        made = f"python -m qa fit --library STORIES --train {_names(train)} --limit {limit} --dev {_names(dev)}"
    with tempfile.TemporaryDirectory() as folder:
        opened = [(path.stem, *_opened(path, library, Path(folder, str(n)))) for n, path in enumerate(dev)]
        asked = [(file, here, list(enumerate(spread(questions, limit)))) for file, here, questions in opened]
        fitted = [(file, here, [one for n, one in some if n % 3 < 2]) for file, here, some in asked]
        reading = _fit_reading([_reading_problem(some, here, ranking) for _, here, some in fitted])
        rows = [_rows(file, some, here, reading) for file, here, some in fitted]
        held = [_rows(file, [one for n, one in some if n % 3 == 2], here, reading) for file, here, some in asked]
    to_fit = [row for some in rows for row in some]
    weights = _fit_confidence(to_fit)
    threshold = _threshold([row for row in to_fit if not row.answerable], weights)
    learnt = {
        "ranking made by": made,
        "reading and confidence made by": f"python -m qa fit --library STORIES --limit {limit} --dev {_names(dev)}",
        "ranking": {key: round(value, 4) for key, value in dataclasses.asdict(ranking).items()},
        "reading": {key: round(value, 4) for key, value in dataclasses.asdict(reading).items()},
        "confidence": {factor: {key: round(value, 4) for key, value in of.items()} for factor, of in weights.items()},
        "threshold": round(threshold, 4),
    }
    (out or parameters.FILE).write_text(json.dumps(learnt, indent=2) + "\n", encoding="utf-8")
    return _report([row for some in held for row in some], weights, threshold)


def _names(paths: Sequence[Path]) -> str:
    return " ".join(path.name for path in paths)


@dataclasses.dataclass(frozen=True, slots=True)
class _Row:
    """One development question: what the confidence sees, and the truth."""

    file: str
    features: Features
    answerable: bool
    right: bool


def _opened(path: Path, library: Library | None, folder: Path) -> tuple[Snapshot, list[Asked]]:
    """A file's questions, and the library to ask them of: the given one if all contexts and answers are in it."""
    entries = read_questions(path)
    if library is not None:
        try:
            return library.follow(), list(asked_of(library, entries))
        except ClippingsError:
            if path.suffix == LINES:
                raise  # it brings no paragraphs for an index of its own
    here = index_of(entries, folder)
    return here.follow(), list(asked_of(here, entries))


def _ranking_problem(path: Path, library: Library | None, limit: int) -> Problem:
    """For each question its candidates' raw scores, shape (candidates, weights), and which are gold."""
    problem = []
    with tempfile.TemporaryDirectory() as folder:
        here, asked = _opened(path, library, Path(folder))
        for one in spread([one for one in asked if one.answerable], limit):
            hits = search(read_question(one.question), here, k=ALL)
            gold = np.array([is_gold(one, hit.article.id, hit.start, hit.end) for hit in hits], bool)
            if gold.any():
                problem.append((np.array([dataclasses.astuple(hit.signals) for hit in hits]), gold))
    print(f"{path.name}: {len(problem)} training questions", file=sys.stderr, flush=True)
    return problem


def _reading_problem(asked: Sequence[Asked], library: Snapshot, ranking: parameters.Weights) -> Problem:
    """The same with the reader's score in a last column."""
    problem, reader = [], load_reader()
    for one in asked:
        if not one.answerable:
            continue
        question = read_question(one.question)
        found = find_candidates(question, library)
        readings = read_best(question, library, found, fuse(found.signals, ranking), reader, _READ, np.inf)
        gold = np.array([is_gold(one, row.article, row.start, row.end) for row in found.rows], bool)
        if gold.any():
            read = rerank(np.zeros(len(found.rows)), readings)
            problem.append((np.column_stack([found.signals, read]), gold))
    return problem


def _fit_ranking(problems: Sequence[Problem]) -> parameters.Weights:
    names = [field.name for field in dataclasses.fields(parameters.Weights)]
    found = _conditional_logit(problems, np.array([_HELD.get(name, np.nan) for name in names]))
    return parameters.Weights(**dict(zip(names, found.tolist(), strict=True)))


def _fit_reading(problems: Sequence[Problem]) -> parameters.Weights:
    """The weights beside a reader's score that counts 1."""
    names = [field.name for field in dataclasses.fields(parameters.Weights)]
    with_gold = [problem for problem in problems if problem]
    if not with_gold:
        raise ClippingsError("No development question finds its answer; give --dev files with answers.")
    *found, reader = _conditional_logit(with_gold, np.full(len(names) + 1, np.nan)).tolist()
    if not reader > 0:
        raise ClippingsError("The reader's score does not help on these questions; give --dev more of them.")
    return parameters.Weights(**{name: value / reader for name, value in zip(names, found, strict=True)})


def _conditional_logit(problems: Sequence[Problem], known: Matrix) -> Matrix:
    """Weights of the columns, shape (columns,); those that are not learnt are given, the others are NaN."""
    from scipy.optimize import minimize  # late: only fitting needs it

    free, held = np.isnan(known), np.nan_to_num(known)
    # Scaled alike, so that the penalty weighs all of them alike.
    highest = [np.abs(matrix[:, free]).max(axis=0) for problem in problems for matrix, _ in problem]
    scale = np.maximum(np.mean(highest, axis=0), 1e-9)

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
    return held


def _rows(file: str, asked: Sequence[Asked], library: Snapshot, reading: parameters.Weights) -> list[_Row]:
    """What comes of questions; those that find nothing are left out."""
    rows, reader = [], load_reader()
    for one in asked:
        question = read_question(one.question)
        hits = search(question, library, POOL, reader, reading)
        if hits:
            right = is_gold(one, hits[0].article.id, hits[0].start, hits[0].end)
            rows.append(_Row(file, features(question, hits, library), one.answerable, right))
    print(f"{file}: {len(asked)} development questions", file=sys.stderr, flush=True)
    return rows


def _fit_confidence(rows: Sequence[_Row]) -> dict[str, dict[str, float]]:
    """The two factors that make what is right most likely; the answerable questions of each file, and the others, count
    the same."""
    from scipy.optimize import minimize  # late: only fitting needs it

    right = np.array([row.right for row in rows], float)
    counts = Counter((row.file, row.answerable) for row in rows)
    shares = np.array([1 / counts[row.file, row.answerable] / len(counts) for row in rows])
    names = [field.name for field in dataclasses.fields(Features)]
    matrix = np.array([dataclasses.astuple(row.features) for row in rows])
    mean, width = matrix.mean(axis=0), matrix.std(axis=0) + 1e-9
    columns = [[names.index(name) for name in factor] for factor in _FACTORS.values()]
    ones = np.ones((len(rows), 1))
    parts = [np.hstack([ones, ((matrix - mean) / width)[:, chosen]]) for chosen in columns]
    ends = np.cumsum([part.shape[1] for part in parts])[:-1]
    held = np.concatenate([np.arange(part.shape[1]) > 0 for part in parts])  # small, all but the biases

    def loss(weights: Matrix) -> tuple[float, Matrix]:
        sums = [part @ of for part, of in zip(parts, np.split(weights, ends), strict=True)]
        log_sure = sum(-np.logaddexp(0, -one) for one in sums)
        unsure = np.maximum(-np.expm1(log_sure), 1e-9)
        slope = shares * (right - (1 - right) * np.exp(log_sure) / unsure)
        gradient = np.concatenate(
            [part.T @ (-slope / (1 + np.exp(one))) for part, one in zip(parts, sums, strict=True)]
        )
        likely = float(shares @ (right * log_sure + (1 - right) * np.log(unsure)))
        small = np.where(held, weights, 0)
        return _L2 * float(small @ small) - likely, gradient + 2 * _L2 * small

    start = np.where(held, 0.1, 1.0)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 2000}).x
    fitted = {}
    for factor, chosen, (bias, *of) in zip(_FACTORS, columns, np.split(found, ends), strict=True):
        weights = np.array(of) / width[chosen]
        by_name = dict(zip(_FACTORS[factor], weights.tolist(), strict=True))
        fitted[factor] = {"bias": float(bias - weights @ mean[chosen]), **by_name}
    return fitted


def _threshold(unanswerable: Sequence[_Row], weights: dict[str, dict[str, float]]) -> float:
    """A confidence that ``_FALSE_ANSWERS`` of these questions reach and no more, each file counting the same."""
    if not unanswerable:
        return 0.5
    counts = Counter(row.file for row in unanswerable)
    sure = sorted(((confidence(row.features, weights), 1 / counts[row.file]) for row in unanswerable), reverse=True)
    through = np.cumsum([share for _, share in sure]) / len(counts)
    last = int((through <= _FALSE_ANSWERS).sum())
    return ((sure[last - 1][0] if last else 1.0) + sure[last][0]) / 2


def _report(rows: Sequence[_Row], weights: dict[str, dict[str, float]], threshold: float) -> str:
    """What the confidence does on the rows, by file and over all."""
    lines = [f"on {len(rows)} development questions that were not fitted on, threshold {threshold:.3f}:"]
    for file in [*dict.fromkeys(row.file for row in rows), "all"]:
        chosen = [(row, confidence(row.features, weights)) for row in rows if file in (row.file, "all")]
        lines.append(f"  {file}: " + ", ".join(f"{key} {value:.3f}" for key, value in _figures(chosen, threshold)))
    return "\n".join(lines)


def _figures(rows: Sequence[tuple[_Row, float]], threshold: float) -> Iterator[tuple[str, Any]]:
    answerable = [sure for row, sure in rows if row.answerable]
    unanswerable = [sure for row, sure in rows if not row.answerable]
    yield "Brier", brier([sure for _, sure in rows], [row.right for row, _ in rows])
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
