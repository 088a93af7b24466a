"""Reads labels and their confidence from a model's outputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sentinel_workloads.model_server.oip.datatypes import Array
from sentinel_workloads.model_server.unservable import mismatch

SUM_TOLERANCE = 1e-3


@dataclass(slots=True)
class Readings:
    """For each row: probabilities [N, L], index of the best label [N], its probability [N]."""

    probabilities: Array
    best: Array
    scores: Array

    def part(self, start: int, stop: int) -> Readings:
        """Gives the readings of some of the rows."""
        return Readings(self.probabilities[start:stop], self.best[start:stop], self.scores[start:stop])


class Reading:
    """What a classifier reads from a run, worked out when somebody asks: tensors are answered without it."""

    __slots__ = ("_classifier", "_outputs", "_readings")

    def __init__(self, classifier: Classifier, outputs: list[Array]) -> None:
        self._classifier, self._outputs = classifier, outputs
        self._readings: Readings | None = None

    def all(self) -> Readings:
        """Gives the readings of all rows of the run."""
        if self._readings is None:
            self._readings = self._classifier.read(self._outputs)
        return self._readings


@dataclass(frozen=True, slots=True)
class Classifier:
    """Which output holds a value for each label, and whether these are logits."""

    output: int
    logits: bool

    def read(self, outputs: list[Array]) -> Readings:
        """Gives the readings of a run; logits become probabilities by softmax."""
        values = outputs[self.output]
        if self.logits:
            values = softmax(values)
        return Readings(values, values.argmax(axis=1), values.max(axis=1))


def classifier_of(outputs: list[Array], labels: tuple[str, ...], *, rows: int) -> Classifier:
    """Finds the output with a value for each label, from a run of `rows` different rows; refuses when none fits."""
    tables = [
        index
        for index, array in enumerate(outputs)
        if array.dtype.kind == "f" and array.ndim == 2 and array.shape[0] == rows
    ]
    if not tables:
        raise mismatch("the model gives no probability for each label", field="spec.schema.labels")
    fitting = [index for index in tables if outputs[index].shape[1] == len(labels)]
    if not fitting:
        raise mismatch(
            f"the model tells {outputs[tables[0]].shape[1]} classes apart, the schema names {len(labels)}",
            field="spec.schema.labels",
        )
    return Classifier(output=fitting[0], logits=not _are_probabilities(outputs[fitting[0]]))


def softmax(logits: Array) -> Array:
    """Gives probabilities [N, L]; exact for large logits too."""
    values = logits.astype(np.float32, copy=False)
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    probabilities: Array = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def _are_probabilities(values: Array) -> bool:
    in_range = bool(((values >= -SUM_TOLERANCE) & (values <= 1 + SUM_TOLERANCE)).all())
    return in_range and bool((np.abs(values.sum(axis=1) - 1) < SUM_TOLERANCE).all())
