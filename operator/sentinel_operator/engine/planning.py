"""Everything that plans and policies need of the engine beside what every kind has."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Protocol

from sentinel_operator.api.kinds import ACTION_PLAN, ACTION_POLICY, SENTRY_MODEL
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.core.actionplan.remembered import remembered
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.cache import Key, ObjectCache, whole
from sentinel_operator.engine.cloudevents import sink
from sentinel_operator.engine.cloudevents.log import TransitionLog
from sentinel_operator.engine.cloudevents.published import Published
from sentinel_operator.engine.cloudevents.publisher import Publisher, PublishingMetrics
from sentinel_operator.engine.decider import Around
from sentinel_operator.engine.foreign import Foreign
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.levels.levels import Levels
from sentinel_operator.engine.levels.looks import ModelLooks
from sentinel_operator.engine.levels.prometheus import PrometheusLevels
from sentinel_operator.engine.measure.secrets import ApiSecrets
from sentinel_operator.engine.plandesk import PlanDesk
from sentinel_operator.engine.planpruning import PlanPruning
from sentinel_operator.engine.planreader import PlanReader
from sentinel_operator.engine.policyshelf import PolicyShelf
from sentinel_operator.engine.resources import ResourceTable

Observer = Callable[[Key, Manifest | None], None]


class PlanMetrics(PublishingMetrics, Protocol):
    """Where plans are reported."""

    def plan_became(self, state: str) -> None:
        """Counts a transition."""


class Planning:
    """One of it serves both kinds. `wake` queues an object of a kind, by the kind's name and the object's key."""

    def __init__(
        self,
        *,
        api: KubeApi,
        leader_api: KubeApi,
        table: ResourceTable,
        config: Callable[[], SentinelConfigSpec],
        wake: Callable[[str, Key], None],
        now: Callable[[], datetime],
        metrics: PlanMetrics,
        rng: random.Random,
        leads: Callable[[], bool],
        pods: ObjectCache,
    ) -> None:
        self._wake, self._policies = wake, ObjectCache()
        self.shelf = PolicyShelf(api, clock=time.monotonic, changed=self._policy_changed)
        reader = PlanReader(api, table, clock=time.monotonic, priced=lambda: config().prices is not None)
        self.looks = ModelLooks(
            pods=pods,
            policies=lambda: self.shelf.known,
            settings=lambda: config().service_levels,
            now=now,
            rng=rng,
        )
        asks = PrometheusLevels(
            read_secret=ApiSecrets(api, clock=time.monotonic),
            namespace=lambda: config().operator_namespace,
            clock=time.monotonic,
            now=now,
        )
        self.levels = Levels(
            settings=lambda: config().service_levels, asks=asks, looks=self.looks, clock=time.monotonic
        )
        self.desk = PlanDesk(
            reader=reader,
            policies=self.shelf,
            wake=lambda key: wake(ACTION_PLAN.kind, key),
            transition=metrics.plan_became,
            levels=self.levels,
        )
        self._log = TransitionLog(leads=leads, cluster_id=lambda: config().cluster_id)
        self._publisher = Publisher(
            leader_api,
            sink.EventSink(
                ApiSecrets(api, clock=time.monotonic, label=sink.LABEL), namespace=lambda: config().operator_namespace
            ),
            plans=self.desk.plans,
            config=config,
            metrics=metrics,
            timers=asyncio.get_running_loop(),
            rng=rng,
        )
        self._pruning = PlanPruning(leader_api, plans=self.desk.plans, config=config, now=now, rng=rng)

    def observers(self, kind: str) -> Iterator[Observer]:
        """Yields whom a cache of a kind has to tell."""
        if kind == ACTION_PLAN.kind:
            yield from (self.desk.seen, self._log.seen, self._publisher.seen)
        if kind == ACTION_POLICY.kind:
            yield self.shelf.seen
        if kind == SENTRY_MODEL.kind:
            yield self.looks.seen

    def kept(self, kind: str) -> Callable[[Manifest], Manifest]:
        """Gives by what a cache of a kind holds less than there is."""
        return remembered if kind == ACTION_PLAN.kind else whole

    def around(self, kind: str, cache: ObjectCache, foreign: Foreign) -> Around | None:
        """Gives who answers what plans of a kind depend on; None for other kinds."""
        if kind == ACTION_PLAN.kind:
            self.desk.follow(cache, foreign)
            return Published(self.desk, self._publisher.told)
        if kind == ACTION_POLICY.kind:
            self._policies = cache
            self.shelf.follow(cache)
            return self.shelf
        return None

    async def prune(self, elected: asyncio.Event) -> None:
        """Removes finished plans in time, for ever."""
        await self._pruning.run(elected)

    async def publish(self, elected: asyncio.Event) -> None:
        """Tells the sink of events what plans come to, for ever."""
        await self._publisher.run(elected)

    def reconfigured(self) -> None:
        """Takes in that the settings are others."""
        self._publisher.reconfigured()

    def _policy_changed(self, key: Key) -> None:
        """Whom a name stands for is said by all policies together, so each of them may mean something else now."""
        for each in {key, *self._policies}:
            self._wake(ACTION_POLICY.kind, each)
        self.looks.policies_changed()
        self.desk.wake_unfinished()
