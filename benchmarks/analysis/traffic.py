"""Traffic of two revisions whose truth is known: what an interval's counts are, drawn at random."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from sentinel_operator.api.analysis import Builtin
from sentinel_operator.core.analysis.contrast import Contrast

SECONDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, np.inf),
)
SCORES = (*(round(step / 20, 2) for step in range(1, 21)), np.inf)


@dataclass(frozen=True, slots=True)
class Truth:
    """How a revision really is."""

    errors: float = 0.002
    median: float = 0.008
    spread: float = 0.5
    """Of the logarithm of the latency."""
    slow_share: float = 0.0
    """Answers that take twenty times as long."""
    labels: tuple[float, ...] = (0.45, 0.3, 0.15, 0.08, 0.02)
    certainty: tuple[float, float] = (12.0, 2.0)
    """The scores' beta distribution."""

    def draw(self, rng: np.random.Generator, requests: int) -> dict[Builtin, dict[str, float]]:
        """Gives the counts of so many requests."""
        failed = int(rng.binomial(requests, self.errors))
        seconds = self.median * np.exp(rng.normal(0.0, self.spread, requests))
        seconds[rng.random(requests) < self.slow_share] *= 20.0
        scores = rng.beta(*self.certainty, requests)
        uncertain = int((scores < 0.7).sum())
        labels = rng.multinomial(requests, self.labels)
        return {
            "error-rate": {"good": float(requests - failed), "bad": float(failed)},
            "latency-p99": _cumulative(seconds, SECONDS),
            "label-agreement": {f"label-{index}": float(count) for index, count in enumerate(labels)},
            "score-psi": _cumulative(scores, SCORES),
            "uncertain-share": {"good": float(requests - uncertain), "bad": float(uncertain)},
        }


def _cumulative(values: np.ndarray, bounds: tuple[float, ...]) -> dict[str, float]:
    counts = np.searchsorted(np.sort(values), np.array(bounds), side="right")
    return {
        "+Inf" if bound == np.inf else repr(float(bound)): float(count)
        for bound, count in zip(bounds, counts, strict=True)
    }


STABLE = Truth()
CANDIDATES: Mapping[str, Truth] = {
    "equal": STABLE,
    "slower": replace(STABLE, median=0.018),
    "slow tail": replace(STABLE, slow_share=0.05),
    "wrong label": replace(STABLE, labels=(0.25, 0.5, 0.15, 0.08, 0.02)),
    "unsure": replace(STABLE, certainty=(4.0, 2.0)),
    "errors": replace(STABLE, errors=0.05),
}
AT_THE_BOUND: Mapping[str, Truth] = {
    "errors": replace(STABLE, errors=STABLE.errors + 0.01),
    "slower": replace(STABLE, median=STABLE.median * 1.5),
    "labels": replace(STABLE, labels=(0.35, 0.4, 0.15, 0.08, 0.02)),
}
"""As bad as the bounds still allow: such a revision must hardly ever be failed."""


def interval(rng: np.random.Generator, candidate: Truth, *, requests: float, weight: float) -> dict[Builtin, Contrast]:
    """Gives what an interval counts of both revisions."""
    canary, stable = rng.poisson(requests * weight), rng.poisson(requests * (1 - weight))
    ours, theirs = candidate.draw(rng, int(canary)), STABLE.draw(rng, int(stable))
    return {builtin: Contrast(ours[builtin], theirs[builtin]) for builtin in ours}
