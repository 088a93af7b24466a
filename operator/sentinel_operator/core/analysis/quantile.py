"""Quantiles and shares of a cumulative histogram, linear within a bucket as Prometheus does it."""

from __future__ import annotations

import math

from sentinel_operator.core.analysis.contrast import Counts

INFINITE = "+Inf"


def total(histogram: Counts) -> float:
    """Gives how many observations it holds."""
    return histogram.get(INFINITE, 0.0)


def _steps(histogram: Counts) -> list[tuple[float, float]]:
    return sorted((float(le), count) for le, count in histogram.items())


def quantile(histogram: Counts, share: float) -> float:
    """Gives the value below which the share lies: NaN without observations, the last finite bound beyond it."""
    observations = total(histogram)
    if observations <= 0:
        return math.nan
    wanted, low, below = share * observations, 0.0, 0.0
    for bound, count in _steps(histogram):
        if count >= wanted:
            if math.isinf(bound):
                return low
            return bound if count <= below else low + (bound - low) * (wanted - below) / (count - below)
        low, below = bound, count
    return low


def beyond_last_bound(histogram: Counts, share: float) -> bool:
    """Tells whether the quantile lies where the buckets end, so that it is only known to be larger."""
    finite = [count for bound, count in _steps(histogram) if not math.isinf(bound)]
    return bool(finite) and finite[-1] < share * total(histogram)


def count_above(histogram: Counts, value: float) -> float:
    """Gives how many observations lie above a value; fractional within a bucket."""
    low, below = 0.0, 0.0
    for bound, count in _steps(histogram):
        if value < bound:
            inside = 0.0 if math.isinf(bound) else (value - low) / (bound - low) * (count - below)
            return max(0.0, total(histogram) - below - max(0.0, inside))
        low, below = bound, count
    return max(0.0, total(histogram) - below)


def bins(histogram: Counts) -> dict[str, float]:
    """Gives the counts of the single buckets."""
    steps = sorted(histogram.items(), key=lambda step: float(step[0]))
    out, below = dict[str, float](), 0.0
    for le, count in steps:
        out[le] = count - below
        below = count
    return out
