"""What a classifier is worth on rows that it never saw."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score, precision_score, recall_score

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.99)


def evaluate(
    probabilities: NDArray[np.floating[Any]], truth: NDArray[np.str_], labels: tuple[str, ...]
) -> dict[str, Any]:
    """Gives accuracy, macro F1, each label's scores and the threshold curve; rounded, so equal on every machine."""
    predicted = np.asarray(labels)[probabilities.argmax(axis=1)]
    scores = {
        "precision": precision_score(truth, predicted, labels=labels, average=None, zero_division=0),
        "recall": recall_score(truth, predicted, labels=labels, average=None, zero_division=0),
        "f1": f1_score(truth, predicted, labels=labels, average=None, zero_division=0),
    }
    return {
        "rows": len(truth),
        "accuracy": _rounded(np.mean(predicted == truth)),
        "macroF1": _rounded(np.mean(scores["f1"])),
        "perLabel": {
            label: {name: _rounded(values[i]) for name, values in scores.items()} for i, label in enumerate(labels)
        },
        "thresholdCurve": threshold_curve(probabilities, predicted == truth),
    }


def threshold_curve(probabilities: NDArray[np.floating[Any]], correct: NDArray[np.bool_]) -> list[dict[str, float]]:
    """Gives, for each threshold, the share of answers at least that confident and the accuracy among them."""
    confidence = probabilities.max(axis=1)
    points = []
    for threshold in THRESHOLDS:
        accepted = confidence >= threshold
        accuracy = np.mean(correct[accepted]) if accepted.any() else 0.0
        points.append({"threshold": threshold, "accepted": _rounded(np.mean(accepted)), "accuracy": _rounded(accuracy)})
    return points


def _rounded(value: Any) -> float:
    return round(float(value), 4)
