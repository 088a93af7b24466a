"""What two revisions make of the same inputs: do they agree, by how much do they differ, and which is slower."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median

import numpy as np

from sentinel_operator.api.active import ParityLimits
from sentinel_workloads.model_server.api.sample import Sample
from sentinel_workloads.model_server.oip.datatypes import Array
from sentinel_workloads.model_server.refusal import Refusal
from sentinel_workloads.model_server.revision import Revision

CLOSE = 1e-3
"""Outputs that are no labels agree when no element differs by more."""
LONGEST_REST = 0.1


class Verdict(StrEnum):
    """What a comparison says of the candidate."""

    PASS = "Pass"  # noqa: S105 - no password
    FAIL = "Fail"
    INCONCLUSIVE = "Inconclusive"


@dataclass(slots=True)
class Parity:
    """A comparison. `agreed` of `rows` got the same label; `failures` are inputs that only the active one answered."""

    against: str
    inputs: int = 0
    rows: int = 0
    agreed: int = 0
    failures: int = 0
    score_difference: float = 0.0
    """The largest, of the confidence in the label given; of any element where there are no labels."""
    active_seconds: list[float] = field(default_factory=list)
    candidate_seconds: list[float] = field(default_factory=list)

    @property
    def agreement(self) -> float:
        """Gives the share of rows that agree, 1 when there are none."""
        return self.agreed / self.rows if self.rows else 1.0

    @property
    def latency_ratio(self) -> float:
        """Gives the median run of the candidate in those of the active one; 1 when there are none."""
        if not self.candidate_seconds:
            return 1.0
        return median(self.candidate_seconds) / max(median(self.active_seconds), 1e-9)


def verdict(parity: Parity | None, limits: ParityLimits | None) -> tuple[Verdict, str]:
    """Judges a comparison; says which limit it went beyond, or what is missing to judge."""
    limits = limits or ParityLimits()
    if parity is None or parity.inputs < limits.min_inputs:
        have = 0 if parity is None else parity.inputs
        return Verdict.INCONCLUSIVE, f"{have} of {limits.min_inputs} inputs are compared"
    wrong = []
    if parity.agreement < limits.min_label_agreement:
        failed = f", {parity.failures} of its requests failed" if parity.failures else ""
        wrong.append(f"labels agree in {parity.agreement:.1%}, the least is {limits.min_label_agreement:.1%}{failed}")
    if parity.score_difference > limits.max_score_difference:
        wrong.append(f"a score differs by {parity.score_difference:.3g}, the most is {limits.max_score_difference:.3g}")
    if 0 < limits.max_latency_ratio < parity.latency_ratio:
        wrong.append(f"it takes {parity.latency_ratio:.3g} times as long, the most is {limits.max_latency_ratio:.3g}")
    if wrong:
        return Verdict.FAIL, "; ".join(wrong)
    return Verdict.PASS, f"{parity.inputs} inputs, labels agree in {parity.agreement:.1%}"


def compare(active: Revision, candidate: Revision, samples: Sequence[Sample]) -> Parity:
    """Runs every sample on both. For a thread: it rests as long as it works, since requests need the CPU too.

    A sample that the active revision does not answer is left out; one that only the candidate does not is a failure,
    and all its rows disagree.
    """
    parity = Parity(against=active.name)
    for number, sample in enumerate(samples):
        began = time.perf_counter()
        # In turns, so that neither always finds the caches warm.
        first, second = (active, candidate) if number % 2 else (candidate, active)
        runs = {revision.name: _run(revision, sample) for revision in (first, second)}
        _count(parity, runs[active.name], runs[candidate.name])
        time.sleep(min(LONGEST_REST, time.perf_counter() - began))
    return parity


@dataclass(slots=True)
class _Ran:
    seconds: float
    rows: int
    labels: Array | None
    scores: Array | None
    outputs: list[Array]


def _run(revision: Revision, sample: Sample) -> _Ran | None:
    try:
        feeds = sample.feeds(revision)
        began = time.perf_counter()
        outputs = revision.model.session.run(feeds)
        seconds = time.perf_counter() - began
    except Refusal:
        return None
    rows = outputs[0].shape[0] if outputs[0].ndim else 1
    classifier = revision.model.classifier
    if classifier is None:
        return _Ran(seconds, rows, None, None, outputs)
    readings = classifier.read(outputs)
    labels = np.array(revision.config.labels, np.object_)[readings.best]
    return _Ran(seconds, len(labels), labels, readings.scores, outputs)


def _count(parity: Parity, active: _Ran | None, candidate: _Ran | None) -> None:
    if active is None:
        return
    parity.inputs += 1
    parity.rows += active.rows
    if candidate is None:
        parity.failures += 1
        return
    parity.active_seconds.append(active.seconds)
    parity.candidate_seconds.append(candidate.seconds)
    if active.labels is None or active.scores is None or candidate.labels is None or candidate.scores is None:
        difference = _difference(active.outputs, candidate.outputs)
        parity.agreed += active.rows if difference <= CLOSE else 0
    else:
        difference = float(np.abs(active.scores - candidate.scores).max(initial=0.0))
        parity.agreed += int((active.labels == candidate.labels).sum())
    parity.score_difference = max(parity.score_difference, difference)


def _difference(one: list[Array], other: list[Array]) -> float:
    """Gives the largest difference of any element; infinite where the outputs are not even of one shape."""
    if [array.shape for array in one] != [array.shape for array in other]:
        return float("inf")
    largest = 0.0
    for mine, theirs in zip(one, other, strict=True):
        if mine.dtype.kind in "fiub" and theirs.dtype.kind in "fiub":
            gap = np.abs(mine.astype(np.float64) - theirs.astype(np.float64)).max(initial=0.0)
            largest = max(largest, float(gap))
        elif not np.array_equal(mine, theirs):
            return float("inf")
    return largest
