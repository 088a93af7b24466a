"""Quantiles and shares of a cumulative histogram.

Within a bucket, what lies above a value is taken to fall geometrically, as the tail of a latency does. To let it fall
evenly, as Prometheus' histogram_quantile does, is too coarse to compare by: buckets are as wide as 2.5 ×.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from sentinel_operator.core.analysis.contrast import Counts

INFINITE = "+Inf"
_HARDLY_ONE = 0.5


@dataclass(frozen=True, slots=True)
class _Bucket:
    """From `low` to `high`, with how many observations lie above each."""

    low: float
    high: float
    above_low: float
    above_high: float

    @property
    def _fall(self) -> float:
        """Gives the logarithm by which they fall within the bucket; what falls to nothing falls to half a one."""
        last = max(self.above_high, min(_HARDLY_ONE, self.above_low / 2))
        return math.log(self.above_low / last) if self.above_low > last else 0.0

    def above(self, value: float) -> float:
        """Gives how many lie above a value within the bucket."""
        if math.isinf(self.high) or self._fall == 0:
            return self.above_low
        return self.above_low * math.exp(-self._fall * (value - self.low) / (self.high - self.low))

    def where(self, above: float) -> float:
        """Gives the value above which so many lie."""
        if math.isinf(self.high):
            return self.low
        if self._fall == 0 or above <= 0:
            return self.high
        return min(self.high, self.low + (self.high - self.low) * math.log(self.above_low / above) / self._fall)


def total(histogram: Counts) -> float:
    """Gives how many observations it holds."""
    return histogram.get(INFINITE, 0.0)


def _buckets(histogram: Counts) -> Iterator[_Bucket]:
    low, everything = 0.0, total(histogram)
    above = everything
    for high, count in sorted((float(le), count) for le, count in histogram.items()):
        yield _Bucket(low, high, above, everything - count)
        low, above = high, everything - count


def quantile(histogram: Counts, share: float) -> float:
    """Gives the value below which the share lies: NaN without observations, the last finite bound beyond it."""
    observations = total(histogram)
    if observations <= 0:
        return math.nan
    above, last = (1 - share) * observations, 0.0
    for bucket in _buckets(histogram):
        if bucket.above_high <= above:
            return bucket.where(above)
        last = bucket.low
    return last


def beyond_last_bound(histogram: Counts, share: float) -> bool:
    """Tells whether the quantile lies where the buckets end, so that it is only known to be larger."""
    finite = [bucket.above_high for bucket in _buckets(histogram) if not math.isinf(bucket.high)]
    return bool(finite) and finite[-1] > (1 - share) * total(histogram)


def count_above(histogram: Counts, value: float) -> float:
    """Gives how many observations lie above a value; fractional within a bucket."""
    return next((bucket.above(value) for bucket in _buckets(histogram) if value < bucket.high), 0.0)


def bins(histogram: Counts) -> dict[str, float]:
    """Gives the counts of the single buckets."""
    steps = sorted(histogram.items(), key=lambda step: float(step[0]))
    out, below = dict[str, float](), 0.0
    for le, count in steps:
        out[le] = count - below
        below = count
    return out
