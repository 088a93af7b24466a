"""The policies, each read once, and never older than whoever judges by them may bear."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Protocol

from sentinel_operator.api.kinds import ACTION_POLICY
from sentinel_operator.core.actionplan.surroundings import Surroundings
from sentinel_operator.core.outside import Outside
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.policy.policy import Policy
from sentinel_operator.engine.cache import Key, ObjectCache
from sentinel_operator.engine.decider import Decided, Think
from sentinel_operator.engine.resources import Resource

_POLICIES = Resource.of_kind(ACTION_POLICY)
_READ_AGAIN = 1.0
_APART = 0.2
"""Seconds from one list to the next: in a flood of plans one list serves all that were made before it."""
Version = tuple[str, int]


class Lists(Protocol):
    """What is needed of the API client."""

    async def list(self, resource: Resource, /) -> tuple[list[Manifest], str]:
        """Lists everything, with the resourceVersion of the snapshot."""


class PolicyShelf:
    """Follows the cache of the ActionPolicies (`seen` is its observer), and fills it when it may be behind: a watch
    that is down must not let pass what a policy forbids. `changed` is told when there is another policy."""

    def __init__(
        self,
        api: Lists,
        *,
        clock: Callable[[], float],
        changed: Callable[[Key], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._api, self._clock, self._changed, self._sleep = api, clock, changed, sleep
        self._read: dict[Key, tuple[Version, Policy]] = {}
        self._cache: ObjectCache | None = None
        self._listing = asyncio.Lock()
        self._as_of, self._version = float("-inf"), 0

    def follow(self, cache: ObjectCache) -> None:
        """Takes the cache that it reports of."""
        self._cache = cache

    def seen(self, key: Key, raw: Manifest | None) -> None:
        """Takes in a policy as it is known from now on; None for one that is gone."""
        before = self._read.get(key)
        if raw is None:
            if self._read.pop(key, None) is not None:
                self._changed(key)
            return
        version = raw["metadata"]["uid"], int(raw["metadata"].get("generation") or 0)
        if before is not None and before[0] == version:
            return
        self._read[key] = version, Policy.of(raw)
        self._changed(key)

    @property
    def known(self) -> tuple[Policy, ...]:
        """Gives all policies that are known."""
        return tuple(policy for _, (_, policy) in sorted(self._read.items()))

    async def fresh(self, *, after: int = 0) -> tuple[Policy, ...]:
        """Gives all policies as they were at most a second before this was asked, and not before the write that has
        that resourceVersion. Those who ask at about the same time share one answer."""
        asked = self._clock()
        async with self._listing:
            if self._cache is not None and (self._as_of < asked - _READ_AGAIN or self._version < after):
                await self._sleep(max(0.0, self._as_of + _APART - self._clock()))
                began = self._clock()
                items, version = await self._api.list(_POLICIES)
                self._cache.replace(items, version)
                self._as_of, self._version = began, int(version or 0)
        return self.known

    @asynccontextmanager
    async def decided(self, raw: Manifest, outside: Outside, think: Think) -> AsyncIterator[Decided]:  # noqa: ARG002
        """Tells the pass over a policy of all the others."""
        yield think(replace(outside, plan=Surroundings(policies=self.known)))
