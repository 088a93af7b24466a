"""Whether the API server serves our kinds: without their CRDs a replica is not ready."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from typing import Protocol

from sentinel_operator.api.kinds import Kind
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.backoff import Backoff
from sentinel_operator.engine.errors import ApiError, NotFound

logger = logging.getLogger(__name__)

_LOOK_EVERY = 60.0


class PathReader(Protocol):
    """What is needed of the API client."""

    async def read_path(self, path: str) -> Manifest:
        """Reads a path that is no resource."""


class Served:
    """`complete` is set while every kind was served when last looked at."""

    def __init__(self, api: PathReader, kinds: Sequence[Kind], *, rng: random.Random) -> None:
        self._api, self._kinds, self._rng = api, kinds, rng
        self.complete = asyncio.Event()

    async def run(self) -> None:
        """Looks until cancelled: often while a kind is missing, then once a minute."""
        backoff = Backoff(self._rng, cap=3.0)
        while True:
            try:
                missing = await self._missing()
            except ApiError as error:  # says nothing about what is served
                logger.warning("discovery: %s", error)
                await asyncio.sleep(backoff.next())
                continue
            if missing:
                self.complete.clear()
                logger.warning("not served: %s; apply the CRDs", ", ".join(missing))
                await asyncio.sleep(backoff.next())
            else:
                self.complete.set()
                backoff.reset()
                await asyncio.sleep(_LOOK_EVERY * self._rng.uniform(0.8, 1.2))

    async def _missing(self) -> list[str]:
        served: set[tuple[str, str]] = set()
        for api_version in {kind.api_version for kind in self._kinds}:
            try:
                answer = await self._api.read_path(f"/apis/{api_version}")
            except NotFound:
                continue
            served.update((api_version, each["name"]) for each in answer.get("resources") or ())
        return [kind.plural for kind in self._kinds if (kind.api_version, kind.plural) not in served]
