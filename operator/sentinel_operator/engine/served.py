"""Which of our kinds the API server serves: without their CRDs a replica is not ready."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from sentinel_operator.api.kinds import Kind
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.backoff import Backoff
from sentinel_operator.engine.errors import ApiError, NotFound

logger = logging.getLogger(__name__)

_LOOK_EVERY = 60.0

Found = Callable[[Mapping[Kind, Manifest]], Awaitable[None]]


class PathReader(Protocol):
    """What is needed of the API client."""

    async def read_path(self, path: str) -> Manifest:
        """Reads a path that is no resource."""


class Served:
    """`complete` is set while every kind was served when last looked at. `found` gets the APIResources of each look."""

    def __init__(self, api: PathReader, kinds: Sequence[Kind], *, found: Found, rng: random.Random) -> None:
        self._api, self._kinds, self._found, self._rng = api, kinds, found, rng
        self.complete = asyncio.Event()

    async def run(self) -> None:
        """Looks until cancelled: often while a kind is missing, then once a minute."""
        backoff = Backoff(self._rng, cap=3.0)
        while True:
            try:
                served = await self._served()
            except ApiError as error:  # says nothing about what is served
                logger.warning("discovery: %s", error)
                await asyncio.sleep(backoff.next())
                continue
            if len(served) < len(self._kinds):
                self.complete.clear()
                missing = ", ".join(kind.plural for kind in self._kinds if kind not in served)
                logger.warning("not served: %s; apply the CRDs", missing)
                pause = backoff.next()
            else:
                self.complete.set()
                backoff.reset()
                pause = _LOOK_EVERY * self._rng.uniform(0.8, 1.2)
            await self._found(served)
            await asyncio.sleep(pause)

    async def _served(self) -> dict[Kind, Manifest]:
        listed: dict[tuple[str, str], Manifest] = {}
        for api_version in {kind.api_version for kind in self._kinds}:
            try:
                answer = await self._api.read_path(f"/apis/{api_version}")
            except NotFound:
                continue
            listed |= {(api_version, each["name"]): each for each in answer.get("resources") or ()}
        places = {kind: (kind.api_version, kind.plural) for kind in self._kinds}
        return {kind: listed[place] for kind, place in places.items() if place in listed}
