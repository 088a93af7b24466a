"""Heals what no event told: now and then every object is looked at again, and what no longer exists is forgotten.

kopf reports no deletion that happened while its watch was down. So the primary kinds are listed afresh here and the
cache is made equal to the list. The passes are spread over a part of the period, behind the edits of users.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from typing import Protocol

from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.cache import key_of
from sentinel_operator.engine.controller import Controller
from sentinel_operator.engine.errors import ApiError
from sentinel_operator.engine.queue import Lane
from sentinel_operator.engine.resources import Resource
from sentinel_operator.engine.transport import Query

logger = logging.getLogger(__name__)

_LIST_DEADLINE = 300.0
_SPREAD = 0.5


class Lister(Protocol):
    """What is needed of the API client."""

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        query: Query = (),
        kept: Callable[[Manifest], Manifest] | None = None,
    ) -> tuple[list[Manifest], str]:
        """Lists everything, with the resourceVersion of the snapshot; of each item what is to be kept."""


class Resync:
    """Looks at everything every `period` seconds, a tenth earlier or later."""

    def __init__(self, api: Lister, controllers: Sequence[Controller], *, period: float, rng: random.Random) -> None:
        self._api, self._controllers, self._period, self._rng = api, controllers, period, rng

    async def run(self) -> None:
        """Goes on until cancelled; a list that fails is tried again in the next period."""
        while True:
            await asyncio.sleep(self._period * self._rng.uniform(0.9, 1.1))
            for controller in self._controllers:
                await self.once(controller, spread=self._period * _SPREAD)

    async def once(self, controller: Controller, *, spread: float) -> None:
        """Makes the cache of one kind equal to the cluster and queues every object of it within `spread` seconds."""
        try:
            async with asyncio.timeout(_LIST_DEADLINE):
                items, version = await self._api.list(controller.view.resource, kept=controller.view.primary.lean)
        except (ApiError, TimeoutError) as error:
            logger.warning("resync of %s: %s", controller.name, error)
            return
        changed, gone = controller.view.primary.replace(items, version)
        for raw in (*changed, *gone):
            controller.queue.add(key_of(raw))
        if gone:
            logger.info("%d %s were deleted unseen", len(gone), controller.name)
        for key in controller.view.primary:
            controller.queue.add_after(key, self._rng.uniform(0.0, spread), Lane.RESYNC)
