"""Says which ConfigMap has changed, at once, holding none: one stream of metadata for the whole cluster.

A watch for each referenced object, or each namespace, would be as many connections as there are models; reading all of
them anew every few seconds would be that many requests. The stream carries names and no content, and nothing is kept of
what it tells. Its list is one item long: only the resourceVersion to begin from is wanted.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.engine.backoff import Backoff
from sentinel_operator.engine.errors import ApiError, Gone, Retry
from sentinel_operator.engine.informer import Pace
from sentinel_operator.engine.resources import Resource

logger = logging.getLogger(__name__)


class MetadataSource(Protocol):
    """What is needed of the API client."""

    async def snapshot(self, resource: Resource, /) -> str:
        """Gives the resourceVersion of the collection as it is now."""

    def watch(
        self, resource: Resource, /, *, resource_version: str, seconds: int, idle: float, metadata_only: bool = ...
    ) -> AsyncIterator[Manifest]:
        """Yields events until the stream ends."""


class RestartMetrics(Protocol):
    """Where watches report."""

    def watch_restarted(self, kind: str, reason: str) -> None:
        """Counts a watch that did not simply run out."""


class ReferenceWatch:
    """Runs for as long as its task. `changed` is called for every object of the resource that was written or deleted;
    `lost` whenever changes may have gone by unseen."""

    def __init__(
        self,
        source: MetadataSource,
        resource: Resource,
        *,
        changed: Callable[[ObjectRef], None],
        lost: Callable[[], None],
        metrics: RestartMetrics,
        rng: random.Random,
        pace: Pace | None = None,
    ) -> None:
        self.resource = resource
        self._source, self._changed, self._lost, self._metrics, self._rng = source, changed, lost, metrics, rng
        self._pace = pace or Pace()
        self._backoff = Backoff(rng, base=self._pace.backoff_base, cap=self._pace.backoff_cap)

    async def run(self) -> None:
        """Watches until cancelled."""
        version = ""
        while True:
            try:
                version = await (self._watch(version) if version else self._begin())
            except Gone:
                self._restarted("gone")
                version = ""
                await asyncio.sleep(self._backoff.next())
            except ApiError as error:
                self._restarted(error.reason)
                logger.warning("cannot watch the metadata of %s: %s", self.resource.plural, error)
                await asyncio.sleep(self._backoff.next(at_least=error.after if isinstance(error, Retry) else None))

    async def _begin(self) -> str:
        """Whatever was read before this moment is out of date for all that is known."""
        version = await self._source.snapshot(self.resource)
        self._lost()
        return version

    async def _watch(self, version: str) -> str:
        """Takes one stream of events in and gives the version to go on from."""
        pace = self._pace
        seconds = int(pace.watch_seconds * self._rng.uniform(1.0, 1.2))
        try:
            async for event in self._source.watch(
                self.resource, resource_version=version, seconds=seconds, idle=pace.idle, metadata_only=True
            ):
                metadata = event["object"]["metadata"]
                version = metadata["resourceVersion"]
                self._backoff.reset()
                if event["type"] != "BOOKMARK":
                    self._changed(self._ref(metadata))
        except Retry as error:
            self._restarted("broken")
            logger.info("the watch of the metadata of %s broke: %s", self.resource.plural, error)
            await asyncio.sleep(self._backoff.next(at_least=error.after))
        await asyncio.sleep(pace.between * self._rng.uniform(0.5, 1.5))
        return version

    def _ref(self, metadata: Manifest) -> ObjectRef:
        kind = self.resource
        return ObjectRef(kind.api_version, kind.kind, metadata.get("namespace", ""), metadata["name"])

    def _restarted(self, reason: str) -> None:
        self._metrics.watch_restarted(f"{self.resource.kind} metadata", reason)
