"""Learn what a question asks for from written examples, and write qa/intents.json.

    python -m bench.training.train_intents

Prints the accuracy of a five-fold cross-validation for each strength of the penalty; the best one is used.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from index.encoding.loading import SHIPPED, load_encoder
from index.storage.analysis import analyse
from qa.intent import FILE, features_of

EXAMPLES = Path(__file__).with_name("intents.jsonl")
"""Questions of our own, each with its intent."""
STRENGTHS = (3.0, 10.0, 30.0)
LEAST = 8
"""Examples that a word stands in, to be one that the classifier knows."""


def main() -> int:
    """Learn, report and write."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    rows = [json.loads(line) for line in EXAMPLES.read_text(encoding="utf-8").splitlines()]
    vectors = load_encoder(SHIPPED).encode_questions([row["question"] for row in rows])
    labels = [row["intent"] for row in rows]
    counts = Counter(word for row in rows for word in set(analyse(row["question"])))
    words = sorted(word for word, count in counts.items() if count >= LEAST)
    features = np.stack([features_of(row["question"], v, words) for row, v in zip(rows, vectors, strict=True)])
    accuracies: dict[float, float] = {}
    for strength in STRENGTHS:
        folds = StratifiedKFold(5, shuffle=True, random_state=7)
        scores = cross_val_score(LogisticRegression(C=strength, max_iter=5000), features, labels, cv=folds)
        accuracies[strength] = float(scores.mean())
        print(f"C {strength:g}: accuracy {accuracies[strength]:.3f} over {len(rows)} questions")
    best = max(accuracies, key=accuracies.__getitem__)
    model = LogisticRegression(C=best, max_iter=5000).fit(features, labels)
    values = {
        "made by": "python -m bench.training.train_intents",
        "words": words,
        "labels": model.classes_.tolist(),
        "bias": [round(value, 2) for value in model.intercept_.tolist()],
        "weights": [[round(value, 2) for value in row] for row in model.coef_.tolist()],
    }
    FILE.write_text(json.dumps(values) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
