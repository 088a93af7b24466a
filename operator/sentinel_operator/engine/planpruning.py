"""Removes finished plans in time: by age, and the oldest of too many."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from sentinel_operator.api.kinds import ACTION_PLAN
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.core.actionplan.retention import pruned
from sentinel_operator.core.plan import Delete, Manifest, ObjectRef
from sentinel_operator.engine.errors import ApiError, NotLeader
from sentinel_operator.engine.kube import Propagation
from sentinel_operator.engine.resources import Resource

logger = logging.getLogger(__name__)

_EVERY = 60.0
_AT_ONCE = 500
_PLANS = Resource.of_kind(ACTION_PLAN)


class Deletes(Protocol):
    """What is needed of the API client."""

    async def delete(
        self, resource: Resource, ref: ObjectRef, /, *, propagation: Propagation = "Background"
    ) -> Manifest | None:
        """Deletes the object that bears the uid; None where it is gone."""


class PlanPruning:
    """Runs while this process leads. Where there are too many by far, they go in portions."""

    def __init__(
        self,
        api: Deletes,
        *,
        plans: Callable[[], Iterable[Manifest]],
        config: Callable[[], SentinelConfigSpec],
        now: Callable[[], datetime],
        rng: random.Random,
    ) -> None:
        self._api, self._plans, self._config, self._now, self._rng = api, plans, config, now, rng

    async def run(self, elected: asyncio.Event) -> None:
        """Looks about once a minute until cancelled."""
        while True:
            await elected.wait()
            await asyncio.sleep(_EVERY * self._rng.uniform(0.8, 1.2))
            await self.once()

    async def once(self) -> int:
        """Removes what has had its time, and counts it. Never raises for the API server's faults."""
        removed, config = 0, self._config()
        published = config.cloud_events is not None
        for each in pruned(self._plans(), config.plan_retention, self._now(), published=published)[:_AT_ONCE]:
            try:
                await self._remove(each)
            except (ApiError, NotLeader) as error:
                logger.warning("%s stays for now: %s", each.ref, error)
                break
            removed += 1
        if removed:
            logger.info("%d finished plans have had their time", removed)
        return removed

    async def _remove(self, step: Delete) -> None:
        ref = replace(step.ref, api_version=ACTION_PLAN.api_version, kind=ACTION_PLAN.kind)
        await self._api.delete(_PLANS, ref, propagation=step.propagation)
