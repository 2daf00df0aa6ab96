"""Learn the numbers of ``parameters.json`` from questions: ranking weights, confidence, threshold.

The ranking weights maximise the probability of the gold sentence among a question's candidates under a
softmax (the conditional logit of McFadden 1973, ListNet's top-one loss). Each training file counts equally.
The reader has seen the training questions, so the weights beside its score are learnt in the same way from
development questions. So are the confidence and the threshold. The confidence is a product of two logistic
functions, fitted to "the best sentence is the gold one". Every third development question is left out of
the fit and used for the report.
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
from qa.measuring.conversations import asked_of_folder, is_folder_of_questions, open_folder
from qa.measuring.datasets import LINES, Asked, asked_of, index_of, is_gold, read_questions, spread
from qa.measuring.measures import answered_at, auc, brier
from qa.question import read_question
from qa.reader import load_reader
from qa.retriever import ALL, READ, find_candidates, fuse, read_best, rerank, search

if TYPE_CHECKING:
    from index.library import Library, Snapshot

Matrix = NDArray[np.float64]
Problem = list[tuple[Matrix, NDArray[np.bool_]]]
"""For each question of a file: its candidates' raw scores, a row each, and which candidates are gold."""

_L2 = 1e-3
_HELD = {"dense_passage": 5.0, "bm25_passage": 0.22}
"""Weights that are not learnt. The training posts and reviews have only one or two passages, so they cannot show how
much a passage counts in long articles. Chosen on the development sets (docs/ranking.md)."""

_FACTORS = {
    "covered": ("cosine", "passage_cosine", "highest_cosine", "matched", "passage_matched", "names"),
    "answered": ("margin", "best", "reader", "reader_margin"),
}
"""The features of each factor of the confidence: whether articles cover the question, and whether they answer it."""

_FALSE_ANSWERS = 0.07
"""The share of the unanswerable fitting questions that the threshold lets through. Each file counts equally."""


def fit(train: Sequence[Path], dev: Sequence[Path], library: Library | None, limit: int) -> tuple[dict[str, Any], str]:
    """Fit all parameters. Returns them as in ``parameters.json``, and a report on questions not used for the fit.

    Args:
        train: files in SQuAD form for the ranking. Without any, the ranking in use is kept.
        dev: files in SQuAD form for the weights beside the reader's score and for the confidence. Two thirds of their
            questions are used for the fit, the rest for the report. A list of questions without contexts is asked of
            the library, as unanswerable. A folder with articles and questions gets an index of its own.
        library: an index whose articles are the contexts of some files. Each other file gets an index of its own.
        limit: the most questions of a file, evenly spread.
    """
    ranking_command = json.loads(parameters.FILE.read_text(encoding="utf-8"))["ranking made by"]
    ranking = parameters.load_parameters().ranking
    if train:
        ranking = _fit_ranking([_ranking_problem(path, library, limit) for path in train])
        ranking_command = (
            f"python -m qa fit --library STORIES --train {_names(train)} --limit {limit} --dev {_names(dev)}"
        )
    with tempfile.TemporaryDirectory() as folder:
        opened = [(path.stem, *_opened(path, library, Path(folder, str(n)))) for n, path in enumerate(dev)]
        files = [(name, snapshot, list(enumerate(spread(questions, limit)))) for name, snapshot, questions in opened]
        to_fit = [(name, snapshot, [asked for n, asked in items if n % 3 < 2]) for name, snapshot, items in files]
        held_out = [(name, snapshot, [asked for n, asked in items if n % 3 == 2]) for name, snapshot, items in files]
        reading = _fit_reading([_reading_problem(questions, snapshot, ranking) for _, snapshot, questions in to_fit])
        fit_rows = [row for name, snapshot, items in to_fit for row in _rows(name, items, snapshot, reading)]
        report_rows = [row for name, snapshot, items in held_out for row in _rows(name, items, snapshot, reading)]
    weights = _fit_confidence(fit_rows)
    threshold = _threshold([row for row in fit_rows if not row.answerable], weights)
    learnt = {
        "ranking made by": ranking_command,
        "reading and confidence made by": f"python -m qa fit --library STORIES --limit {limit} --dev {_names(dev)}",
        "ranking": {key: round(value, 4) for key, value in dataclasses.asdict(ranking).items()},
        "reading": {key: round(value, 4) for key, value in dataclasses.asdict(reading).items()},
        "confidence": {
            factor: {key: round(value, 4) for key, value in factor_weights.items()}
            for factor, factor_weights in weights.items()
        },
        "threshold": round(threshold, 4),
    }
    return learnt, _report(report_rows, weights, threshold)


def _names(paths: Sequence[Path]) -> str:
    return " ".join(path.name for path in paths)


@dataclasses.dataclass(frozen=True, slots=True)
class _Row:
    """One development question: its features, and whether its best sentence is right."""

    file: str
    features: Features
    answerable: bool
    right: bool


def _opened(path: Path, library: Library | None, folder: Path) -> tuple[Snapshot, list[Asked]]:
    """The library to ask and a file's questions. It is the given library if that has all contexts and answers."""
    if is_folder_of_questions(path):
        own, conversations = open_folder(path, folder)
        return own.follow(), list(asked_of_folder(own, conversations))
    entries = read_questions(path)
    if library is not None:
        try:
            return library.follow(), list(asked_of(library, entries))
        except ClippingsError:
            if path.suffix == LINES:
                raise  # it has no paragraphs to make another index from
    own_index = index_of(entries, folder)
    return own_index.follow(), list(asked_of(own_index, entries))


def _ranking_problem(path: Path, library: Library | None, limit: int) -> Problem:
    """For each question, its candidates' raw scores, shape (candidates, weights), and which are gold."""
    problem = []
    with tempfile.TemporaryDirectory() as folder:
        snapshot, questions = _opened(path, library, Path(folder))
        for asked in spread([asked for asked in questions if asked.answerable], limit):
            hits = search(read_question(asked.question), snapshot, k=ALL)
            gold = np.array([is_gold(asked, hit.article.id, hit.start, hit.end) for hit in hits], bool)
            if gold.any():
                problem.append((np.array([dataclasses.astuple(hit.signals) for hit in hits]), gold))
    print(f"{path.name}: {len(problem)} training questions", file=sys.stderr, flush=True)
    return problem


def _reading_problem(questions: Sequence[Asked], library: Snapshot, ranking: parameters.Weights) -> Problem:
    """As ``_ranking_problem``, with the reader's score as the last column."""
    problem, reader = [], load_reader()
    for asked in questions:
        if not asked.answerable:
            continue
        question = read_question(asked.question)
        candidates = find_candidates(question, library)
        scores = fuse(candidates.signals, ranking)
        readings, _ = read_best(question, library, candidates, scores, reader, READ, np.inf)
        gold = np.array([is_gold(asked, row.article, row.start, row.end) for row in candidates.rows], bool)
        if gold.any():
            reader_scores = rerank(np.zeros(len(candidates.rows)), readings)
            problem.append((np.column_stack([candidates.signals, reader_scores]), gold))
    return problem


def _fit_ranking(problems: Sequence[Problem]) -> parameters.Weights:
    names = [field.name for field in dataclasses.fields(parameters.Weights)]
    weights = _conditional_logit(problems, np.array([_HELD.get(name, np.nan) for name in names]))
    return parameters.Weights(**dict(zip(names, weights.tolist(), strict=True)))


def _fit_reading(problems: Sequence[Problem]) -> parameters.Weights:
    """The weights beside the reader's score, whose own weight is 1."""
    names = [field.name for field in dataclasses.fields(parameters.Weights)]
    with_gold = [problem for problem in problems if problem]
    if not with_gold:
        raise ClippingsError("No answer to a development question was found; give --dev files with answers.")
    *weights, reader = _conditional_logit(with_gold, np.full(len(names) + 1, np.nan)).tolist()
    if not reader > 0:
        raise ClippingsError("The reader's score does not help on these questions; give --dev more questions.")
    return parameters.Weights(**{name: weight / reader for name, weight in zip(names, weights, strict=True)})


def _conditional_logit(problems: Sequence[Problem], known: Matrix) -> Matrix:
    """The weights of the columns, shape (columns,). In ``known``, NaN marks the weights to learn."""
    from scipy.optimize import minimize  # late: only fitting needs it

    free, held = np.isnan(known), np.nan_to_num(known)
    # Columns are scaled, so that the penalty counts equally for all weights.
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

    fitted = minimize(loss, np.ones(free.sum()), jac=True, method="L-BFGS-B")
    held[free] = fitted.x / scale
    return held


def _rows(file: str, questions: Sequence[Asked], library: Snapshot, reading: parameters.Weights) -> list[_Row]:
    """The rows of some questions. Questions without hits are left out."""
    rows, reader = [], load_reader()
    for asked in questions:
        question = read_question(asked.question)
        hits = search(question, library, POOL, reader, reading)
        if hits:
            right = is_gold(asked, hits[0].article.id, hits[0].start, hits[0].end)
            rows.append(_Row(file, features(question, hits, library), asked.answerable, right))
    print(f"{file}: {len(questions)} development questions", file=sys.stderr, flush=True)
    return rows


def _fit_confidence(rows: Sequence[_Row]) -> dict[str, dict[str, float]]:
    """The weights of the two factors with the highest likelihood. The answerable questions of each file count as much
    as its unanswerable ones, and all files count equally."""
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
    penalised = np.concatenate([np.arange(part.shape[1]) > 0 for part in parts])  # all but the biases

    def loss(weights: Matrix) -> tuple[float, Matrix]:
        totals = [part @ part_weights for part, part_weights in zip(parts, np.split(weights, ends), strict=True)]
        log_probability = sum(-np.logaddexp(0, -total) for total in totals)
        complement = np.maximum(-np.expm1(log_probability), 1e-9)
        slope = shares * (right - (1 - right) * np.exp(log_probability) / complement)
        gradient = np.concatenate(
            [part.T @ (-slope / (1 + np.exp(total))) for part, total in zip(parts, totals, strict=True)]
        )
        likelihood = float(shares @ (right * log_probability + (1 - right) * np.log(complement)))
        penalty = np.where(penalised, weights, 0)
        return _L2 * float(penalty @ penalty) - likelihood, gradient + 2 * _L2 * penalty

    start = np.where(penalised, 0.1, 1.0)
    solution = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 2000}).x
    fitted = {}
    for factor, chosen, (bias, *scaled) in zip(_FACTORS, columns, np.split(solution, ends), strict=True):
        weights = np.array(scaled) / width[chosen]
        by_name = dict(zip(_FACTORS[factor], weights.tolist(), strict=True))
        fitted[factor] = {"bias": float(bias - weights @ mean[chosen]), **by_name}
    return fitted


def _threshold(unanswerable: Sequence[_Row], weights: dict[str, dict[str, float]]) -> float:
    """The confidence that a share of ``_FALSE_ANSWERS`` of these questions reaches. Each file counts equally."""
    if not unanswerable:
        return 0.5
    counts = Counter(row.file for row in unanswerable)
    ranked = sorted(((confidence(row.features, weights), 1 / counts[row.file]) for row in unanswerable), reverse=True)
    answered = np.cumsum([share for _, share in ranked]) / len(counts)
    last = int((answered <= _FALSE_ANSWERS).sum())
    return ((ranked[last - 1][0] if last else 1.0) + ranked[last][0]) / 2


def _report(rows: Sequence[_Row], weights: dict[str, dict[str, float]], threshold: float) -> str:
    """The figures of the confidence on the rows, by file and over all."""
    lines = [f"on {len(rows)} development questions that were not used for the fit, threshold {threshold:.3f}:"]
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
