"""Keeps a cache equal to what the API server has: list, then watch, for ever.

kopf's own watches are not used for children, because it never reports what was deleted while a watch was down: a
re-list here is compared with the cache, so a deletion is never lost.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.backoff import Backoff
from sentinel_operator.engine.cache import ObjectCache
from sentinel_operator.engine.errors import ApiError, Gone, NotFound, Retry
from sentinel_operator.engine.kube import Page
from sentinel_operator.engine.resources import Resource
from sentinel_operator.engine.transport import Query

logger = logging.getLogger(__name__)

_LIST_DEADLINE = 300.0


class ListWatch(Protocol):
    """What an informer needs of the API client."""

    def pages(self, resource: Resource, /, *, namespace: str = "", query: Query = ()) -> AsyncIterator[Page]:
        """Lists in pages of one snapshot."""

    def watch(
        self, resource: Resource, /, *, resource_version: str, seconds: int, idle: float, query: Query = ()
    ) -> AsyncIterator[Manifest]:
        """Yields events until the stream ends."""


class InformerMetrics(Protocol):
    """Where informers report."""

    def cached(self, kind: str, count: int) -> None:
        """Sets how many objects are known."""

    def watch_restarted(self, kind: str, reason: str) -> None:
        """Counts a watch that did not simply run out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long things take. Bookmarks come every minute, so a stream silent for longer than that is dead."""

    watch_seconds: int = 300
    idle: float = 75.0
    between: float = 0.1
    backoff_base: float = 0.5
    backoff_cap: float = 30.0


class Informer:
    """Runs for as long as its task; `changed` is called for every object that became different, or is gone.

    `synced` is set once the first list is in. For a resource that is not served it waits, and looks again; `settled` is
    set as soon as either is known.
    """

    def __init__(
        self,
        source: ListWatch,
        resource: Resource,
        *,
        cache: ObjectCache,
        changed: Callable[[Manifest], None],
        metrics: InformerMetrics,
        rng: random.Random,
        query: Query = (),
        pace: Pace | None = None,
    ) -> None:
        self.resource = resource
        self.cache = cache
        self.synced = asyncio.Event()
        self.settled = asyncio.Event()
        self._source, self._changed, self._metrics, self._rng, self._query = source, changed, metrics, rng, query
        self._pace = pace or Pace()
        self._backoff = Backoff(rng, base=self._pace.backoff_base, cap=self._pace.backoff_cap)

    async def run(self) -> None:
        """Lists and watches until cancelled."""
        version: str | None = None
        while True:
            try:
                version = await self._list() if version is None else await self._watch(version)
            except Gone:
                self._restarted("gone")
                version = None
                await asyncio.sleep(self._backoff.next())
            except NotFound:
                self._restarted("not_served")
                self.settled.set()
                version = None
                await asyncio.sleep(self._backoff.next())
            except (ApiError, TimeoutError) as error:
                self._restarted(error.reason if isinstance(error, ApiError) else "timeout")
                logger.warning("cannot list or watch %s: %s", self.resource.plural, error)
                await asyncio.sleep(self._backoff.next(at_least=error.after if isinstance(error, Retry) else None))

    async def _list(self) -> str:
        """Takes a whole list in; a list that dies half-way changes nothing."""
        items: list[Manifest] = []
        version = ""
        async with asyncio.timeout(_LIST_DEADLINE):
            async for page in self._source.pages(self.resource, query=self._query):
                items.extend(map(self.cache.lean, page.items))
                version = page.resource_version
        changed, gone = self.cache.replace(items, version)
        self._metrics.cached(self.resource.kind, len(self.cache))
        self._backoff.reset()
        for raw in (*changed, *gone):
            self._changed(raw)
        self.synced.set()
        self.settled.set()
        return version

    async def _watch(self, version: str) -> str:
        """Takes one stream of events in and gives the version to go on from."""
        seconds = int(self._pace.watch_seconds * self._rng.uniform(1.0, 1.2))
        try:
            async for event in self._source.watch(
                self.resource, resource_version=version, seconds=seconds, idle=self._pace.idle, query=self._query
            ):
                raw = event["object"]
                version = raw["metadata"]["resourceVersion"]
                self._backoff.reset()
                self._take(event["type"], raw)
        except Retry as error:
            self._restarted("broken")
            logger.info("watch of %s broke: %s", self.resource.plural, error)
            await asyncio.sleep(self._backoff.next(at_least=error.after))
        await asyncio.sleep(self._pace.between * self._rng.uniform(0.5, 1.5))
        return version

    def _take(self, type_: str, raw: Manifest) -> None:
        match type_:
            case "ADDED" | "MODIFIED":
                news = self.cache.put(raw)
            case "DELETED":
                news = (raw,) if self.cache.drop(raw) else ()
            case _:  # BOOKMARK
                return
        self._metrics.cached(self.resource.kind, len(self.cache))
        for each in news:
            self._changed(each)

    def _restarted(self, reason: str) -> None:
        self._metrics.watch_restarted(self.resource.kind, reason)
