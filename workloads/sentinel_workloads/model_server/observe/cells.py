"""Counters written by the event loop alone, so they need no lock.

Measured: 0.15 µs for an observation, where a child of prometheus_client takes 0.8 µs, and an answer makes six of them.
The library is used for what it is best at, the exposition.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily


class Counter:
    """Counts by label values."""

    __slots__ = ("_help", "_labels", "_name", "counts")

    def __init__(self, name: str, text: str, *labels: str) -> None:
        self._name, self._help, self._labels = name, text, labels
        self.counts: dict[tuple[str, ...], int] = {}

    def add(self, values: tuple[str, ...], amount: int = 1) -> None:
        """Adds to one series."""
        self.counts[values] = self.counts.get(values, 0) + amount

    def family(self, common: dict[str, str]) -> CounterMetricFamily:
        """Gives the samples."""
        family = CounterMetricFamily(self._name, self._help, labels=[*common, *self._labels])
        for values, count in self.counts.items():
            family.add_metric([*common.values(), *values], count)
        return family


class Histogram:
    """Counts by bucket."""

    __slots__ = ("_bounds", "_counts", "_help", "_name", "_sum")

    def __init__(self, name: str, text: str, bounds: Sequence[float]) -> None:
        self._name, self._help = name, text
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Counts one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def family(
        self, common: dict[str, str], *, name: str = "", text: str = "", scale: float = 1.0
    ) -> HistogramMetricFamily:
        """Gives the samples; under another name and in another unit where asked."""
        family = HistogramMetricFamily(name or self._name, text or self._help, labels=list(common))
        family.add_metric(list(common.values()), list(self._buckets(scale)), self._sum * scale)
        return family

    def _buckets(self, scale: float) -> Iterator[tuple[str, float]]:
        total = 0
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += count
            yield _le(bound * scale), total


def gauge(name: str, text: str, value: float, common: dict[str, str], **more: str) -> GaugeMetricFamily:
    """Gives one sample of now."""
    family = GaugeMetricFamily(name, text, labels=[*common, *more])
    family.add_metric([*common.values(), *more.values()], value)
    return family


def _le(bound: float) -> str:
    """Writes a bucket's bound as Prometheus does."""
    return "+Inf" if bound == float("inf") else str(float(f"{bound:.9g}"))
