"""Whole analyses on simulated traffic, by the code that decides in the operator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import sqrt
from statistics import NormalDist

import numpy as np

from benchmarks.analysis.traffic import Truth, interval
from sentinel_operator.api.analysis import AnalysisSpec, AnalysisStatus, Builtin, MetricCheck
from sentinel_operator.core.analysis.measurement import Measurement
from sentinel_operator.core.analysis.progress import advance, begin, due

BUILTINS: tuple[Builtin, ...] = ("error-rate", "latency-p99", "label-agreement", "score-psi", "uncertain-share")
START = datetime(2026, 1, 1, tzinfo=UTC)
TICK = timedelta(seconds=30)
_MOST_LOOKS = 100


def spec(*, sequential: bool, count: int = 5, false_abort_rate: float = 0.05) -> AnalysisSpec:
    """Gives an analysis by every counted built-in, with its own bounds."""
    return AnalysisSpec(
        sequential=sequential,
        false_abort_rate=false_abort_rate,
        metrics=[MetricCheck(name=name, builtin=name, count=count) for name in BUILTINS],
    )


@dataclass(slots=True)
class Tally:
    """What became of many analyses of the same truth."""

    verdicts: Counter[str] = field(default_factory=Counter)
    looks: list[int] = field(default_factory=list)

    @property
    def runs(self) -> int:
        """Gives how many there were."""
        return self.verdicts.total()

    def share(self, *verdicts: str) -> float:
        """Gives the share that ended so."""
        return sum(self.verdicts[each] for each in verdicts) / self.runs

    def wilson(self, *verdicts: str) -> tuple[float, float]:
        """Gives the 95 % interval of that share."""
        return wilson(sum(self.verdicts[each] for each in verdicts), self.runs)


def wilson(hits: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """Gives Wilson's interval of a share."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, scale = hits / of, 1 + z * z / of
    middle = (share + z * z / (2 * of)) / scale
    reach = z * sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / scale
    return max(0.0, middle - reach), min(1.0, middle + reach)


def analyse(
    rng: np.random.Generator,
    spec: AnalysisSpec,
    candidate: Truth,
    *,
    requests: float,
    weight: float,
    restart: Callable[[AnalysisStatus], AnalysisStatus] = lambda state: state,
) -> tuple[str, int]:
    """Runs one analysis to its verdict and gives it with the number of looks. `requests` come each 30 s."""
    state, now, looks = begin(spec, START), START, 0
    while state.verdict == "Running" and looks < _MOST_LOOKS:
        tasks = due(spec, state, now).tasks
        counted = interval(rng, candidate, requests=requests, weight=weight) if looks else {}
        found = {
            task.check.name: Measurement(at=now, contrast=counted[task.check.builtin])
            if task.since is not None and task.check.builtin is not None
            else Measurement(at=now, opened=True)
            for task in tasks
        }
        state = restart(advance(spec, state, found, now))
        now, looks = now + TICK, looks + 1
    return state.verdict, looks - 1


def many(
    spec: AnalysisSpec, candidate: Truth, *, runs: int, seed: int, requests: float = 3000, weight: float = 0.1
) -> Tally:
    """Runs many analyses, the same ones each time."""
    tally = Tally()
    for run in range(runs):
        verdict, looks = analyse(np.random.default_rng([seed, run]), spec, candidate, requests=requests, weight=weight)
        tally.verdicts[verdict] += 1
        tally.looks.append(looks)
    return tally
