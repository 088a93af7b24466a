"""Takes points, again and again: from what the cluster says of itself, and from the configured queries."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Protocol

from sentinel_operator.api.bridge import BridgeMetric
from sentinel_operator.bridge.queries import Queries
from sentinel_operator.core.bridge.points import Point, of_model, of_node
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.cache import ObjectCache
from sentinel_operator.engine.measure.fault import CannotMeasure

logger = logging.getLogger(__name__)

_AT_ONCE = 8
_WORKLOADS_TOLD = 10


class SamplingMetrics(Protocol):
    """Where queries are counted."""

    def queried(self, result: str) -> None:
        """Counts one."""


class Sampler:
    """Owns nothing: it reads caches that informers keep."""

    def __init__(
        self,
        *,
        nodes: ObjectCache,
        models: ObjectCache,
        queries: Queries,
        metrics: SamplingMetrics,
        rng: random.Random,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._nodes, self._models, self._queries = nodes, models, queries
        self._metrics, self._rng, self._now = metrics, rng, now
        self._seen: dict[str, int] = {}
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def run(
        self, take: Callable[[Iterable[Point]], None], *, wanted: Iterable[BridgeMetric], interval: float
    ) -> None:
        """Takes points every `interval` seconds until cancelled."""
        asked = tuple(wanted)
        while True:
            take(self.of_cluster())
            await asyncio.gather(*(self._query(each, take) for each in asked))
            await asyncio.sleep(interval * self._rng.uniform(0.95, 1.05))

    def of_cluster(self) -> list[Point]:
        """Gives what nodes and models say; of a node nothing that was told before."""
        now = self._now()
        fresh = [point for raw in _all(self._nodes) for point in self._news(raw, now)]
        return [*fresh, *(point for raw in _all(self._models) for point in of_model(raw, now))]

    def context(self, cluster_id: str, *, kept: int) -> dict[str, Any]:
        """Gives what goes along with a request for plans by REST."""
        workloads = [
            {"name": key.name, "namespace": key.namespace, "kind": "SentryModel"}
            for key in sorted(self._models)[:_WORKLOADS_TOLD]
        ]
        return {
            "timestamp": self._now().isoformat(timespec="milliseconds"),
            "cluster_id": cluster_id,
            "telemetry_batch_size": kept,
            "workload_count": len(self._models),
            "workloads": workloads,
        }

    def _news(self, raw: Manifest, now: datetime) -> list[Point]:
        name = raw["metadata"]["name"]
        points = list(of_node(raw, now))
        if not points or self._seen.get(name) == points[0].ts:
            return []
        if len(self._seen) > 2 * len(self._nodes) + 1:  # of nodes that are gone
            self._seen.clear()
        self._seen[name] = points[0].ts
        return points

    async def _query(self, metric: BridgeMetric, take: Callable[[Iterable[Point]], None]) -> None:
        try:
            async with self._free:
                points = await self._queries.ask(metric)
        except CannotMeasure as error:
            self._metrics.queried("failed")
            logger.warning("metric %s: %s", metric.name, error)
            return
        self._metrics.queried("answered")
        take(points)


def _all(cache: ObjectCache) -> Iterator[Manifest]:
    return (raw for key in cache if (raw := cache.get(key)) is not None)
