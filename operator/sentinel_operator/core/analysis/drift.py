"""How far two distributions are apart, with what chance alone would make of them.

Corrected against the usual way: the revisions may have any sizes; nothing is dropped, the first and last bin reach to
infinity; sparse bins are joined so that none decides by its emptiness; what chance adds on average is taken off; and a
distance counts only where chance does not explain it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import erfc, exp, lgamma, log, pi, sqrt

_LEAST_SHARE = 0.05
_SMOOTHING = 0.5
_LEAST_EXPECTED = 5.0


@dataclass(frozen=True, slots=True)
class Distance:
    """A distance, its lower and upper confidence bound, and how likely chance alone is to give as much."""

    value: float
    low: float
    high: float
    p_value: float


Pairs = Sequence[tuple[float, float]]
"""For each bin, the counts of canary and stable."""


def joined(pairs: Pairs, *, ordered: bool) -> list[tuple[float, float]]:
    """Joins sparse bins until each holds a twentieth of both together: neighbours of a histogram, the rarest of
    labels. Two bins are left at least, where there are two."""
    everything = sum(canary + stable for canary, stable in pairs)
    least = max(_LEAST_SHARE * everything, _LEAST_EXPECTED) if ordered else _LEAST_EXPECTED
    out: list[tuple[float, float]] = []
    gathered = (0.0, 0.0)
    for canary, stable in pairs if ordered else sorted(pairs, key=sum):
        gathered = (gathered[0] + canary, gathered[1] + stable)
        if sum(gathered) >= least:
            out.append(gathered)
            gathered = (0.0, 0.0)
    if sum(gathered) > 0:
        last = out.pop() if len(out) > 1 else (0.0, 0.0)
        out.append((last[0] + gathered[0], last[1] + gathered[1]))
    return out


def psi(pairs: Pairs, *, error: float) -> Distance:
    """Gives the population stability index of a histogram's bins; both revisions need samples."""
    merged = joined(pairs, ordered=True)
    canary, stable = _smoothed([pair[0] for pair in merged]), _smoothed([pair[1] for pair in merged])
    ours, theirs = sum(pair[0] for pair in merged), sum(pair[1] for pair in merged)
    raw = sum((p - q) * log(p / q) for p, q in zip(canary, stable, strict=True))
    by_chance = (len(merged) - 1) * (1 / ours + 1 / theirs)
    spread = sqrt(
        _variance([(p, log(p / q) + 1 - q / p) for p, q in zip(canary, stable, strict=True)]) / ours
        + _variance([(q, log(q / p) + 1 - p / q) for p, q in zip(canary, stable, strict=True)]) / theirs
    )
    return _distance(raw - by_chance, spread + by_chance, pairs=merged, error=error)


def _smoothed(counts: Sequence[float]) -> list[float]:
    everything = sum(counts) + _SMOOTHING * len(counts)
    return [(count + _SMOOTHING) / everything for count in counts]


def _variance(weighted: Sequence[tuple[float, float]]) -> float:
    mean = sum(share * value for share, value in weighted)
    return max(0.0, sum(share * value * value for share, value in weighted) - mean * mean)


def total_variation(counts: Mapping[str, tuple[float, float]], *, error: float) -> Distance:
    """Gives the share of answers that must differ, whichever way the inputs fell: half of the sum of differences."""
    merged = joined(list(counts.values()), ordered=False)
    ours, theirs = sum(pair[0] for pair in merged), sum(pair[1] for pair in merged)
    raw = by_chance = moved = 0.0
    for canary, stable in merged:
        p, q = canary / ours, stable / theirs
        pooled = (canary + stable) / (ours + theirs)
        raw += abs(p - q) / 2
        spread = sqrt(pooled * (1 - pooled) * (1 / ours + 1 / theirs))
        by_chance += (_mean_of_folded(abs(p - q), spread) - abs(p - q)) / 2
        moved += p if p > q else 0.0
    theirs_moved = max(0.0, moved - raw)
    spread = sqrt(max(0.0, moved * (1 - moved)) / ours + max(0.0, theirs_moved * (1 - theirs_moved)) / theirs)
    # Which labels count as moved is chosen after looking: each choice has its part of the error.
    return _distance(raw - by_chance, spread, pairs=merged, error=error / len(merged))


def _mean_of_folded(difference: float, spread: float) -> float:
    """Gives what the absolute value of a normal difference is on average: the more, the smaller it is."""
    if spread <= 0:
        return difference
    scaled = difference / spread
    return spread * sqrt(2 / pi) * exp(-scaled * scaled / 2) + difference * (1 - erfc(scaled / sqrt(2)))


def _distance(value: float, spread: float, *, pairs: Pairs, error: float) -> Distance:
    reach = normal_quantile(1 - error) * spread
    value = max(0.0, value)
    return Distance(value, max(0.0, value - reach), value + reach, chi_squared(pairs))


def chi_squared(pairs: Pairs) -> float:
    """Gives the p-value of the hypothesis that both have the same distribution; sizes may differ."""
    ours, theirs = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
    if ours <= 0 or theirs <= 0 or len(pairs) < 2:
        return 1.0
    statistic = 0.0
    for canary, stable in pairs:
        expected = (canary + stable) / (ours + theirs)
        if expected > 0:
            statistic += (canary - expected * ours) ** 2 / (expected * ours)
            statistic += (stable - expected * theirs) ** 2 / (expected * theirs)
    return upper_gamma((len(pairs) - 1) / 2, statistic / 2)


def at_least(count: float, expected: float) -> float:
    """Gives how likely a Poisson count is to reach `count`; of a share, a little more than its binomial's."""
    return 1.0 if count <= 0 else 1.0 if expected == math.inf else 1.0 - upper_gamma(count, expected)


def upper_gamma(shape: float, value: float) -> float:
    """Gives the regularised upper incomplete gamma function, by series or continued fraction (Numerical Recipes 6.2).

    scipy has it too, and costs the operator 40 MiB.
    """
    if value <= 0:
        return 1.0
    front = exp(-value + shape * log(value) - lgamma(shape))
    if value < shape + 1:
        term = total = 1 / shape
        for step in range(1, 1000):
            term *= value / (shape + step)
            total += term
            if term < total * 1e-15:
                break
        return max(0.0, 1 - front * total)
    b = value + 1 - shape
    c, d = 1e300, 1 / b
    fraction = d
    for step in range(1, 1000):
        factor = -step * (step - shape)
        b += 2
        d = 1 / _nonzero(factor * d + b)
        c = _nonzero(b + factor / c)
        fraction *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return min(1.0, front * fraction)


def _nonzero(value: float) -> float:
    return value if abs(value) > 1e-300 else 1e-300


def normal_quantile(share: float) -> float:
    """Gives the value below which a share of the standard normal lies."""
    low, high = -40.0, 40.0
    for _ in range(100):
        middle = (low + high) / 2
        if erfc(-middle / sqrt(2)) / 2 < share:
            low = middle
        else:
            high = middle
    return high
