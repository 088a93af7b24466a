"""Tells the sink of every transition of every plan: at least once, in the plan's order, until it took or refused it.

What is to be told is in the plans' own statuses, so nothing is lost with this process: whoever leads next goes on.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from sentinel_operator.api.cloudevents import CloudEvents
from sentinel_operator.api.kinds import ACTION_PLAN
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.core.actionplan.cloudevent import event
from sentinel_operator.core.actionplan.history import Told
from sentinel_operator.core.plan import STATUS_MANAGER, Manifest, ObjectRef
from sentinel_operator.engine.cache import Key, key_of
from sentinel_operator.engine.cloudevents.pause import Pause
from sentinel_operator.engine.cloudevents.sink import Sent
from sentinel_operator.engine.cloudevents.trails import Trail, Trails
from sentinel_operator.engine.errors import ApiError, Conflict, NotFound, NotLeader
from sentinel_operator.engine.queue import Timers, WorkQueue
from sentinel_operator.engine.resources import Resource

logger = logging.getLogger(__name__)

_PLANS = Resource.of_kind(ACTION_PLAN)
_AT_ONCE = 8
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0


class Sends(Protocol):
    """Who posts events."""

    async def send(self, spec: CloudEvents, event: Mapping[str, Any], /) -> Sent:
        """Posts one; never raises."""

    async def close(self) -> None:
        """Ends all connections."""


class Patches(Protocol):
    """What is needed of the API client."""

    async def patch(
        self, resource: Resource, ref: ObjectRef, body: Manifest, /, *, subresource: str, field_manager: str
    ) -> Manifest:
        """Merges `body` in."""


class PublishingMetrics(Protocol):
    """Where it is reported."""

    def event_published(self, result: str, count: int = 1) -> None:
        """Counts what became of events."""

    def events_pending(self, count: Callable[[], int]) -> None:
        """Asks this function whenever the metrics are read."""


class _Unreported:
    """What this queue could report, the number of those that are pending says better."""

    def depth(self, count: int) -> None:
        """Takes no notice."""

    def added(self) -> None:
        """Takes no notice."""

    def retried(self) -> None:
        """Takes no notice."""

    def waited(self, seconds: float) -> None:
        """Takes no notice."""


class Publisher:
    """Follows the cache of the ActionPlans (`seen` is its observer). Without a sink it does and keeps nothing."""

    def __init__(
        self,
        api: Patches,
        sink: Sends,
        *,
        plans: Callable[[], Iterable[Manifest]],
        config: Callable[[], SentinelConfigSpec],
        metrics: PublishingMetrics,
        timers: Timers,
        rng: random.Random,
        pauses: tuple[float, float] = (_FIRST_PAUSE, _LONGEST_PAUSE),
    ) -> None:
        self._api, self._sink, self._plans, self._config, self._metrics = api, sink, plans, config, metrics
        base, cap = pauses
        self._pause = Pause(rng, clock=time.monotonic, base=base, cap=cap)
        self._queue: WorkQueue[str] = WorkQueue(timers=timers, metrics=_Unreported(), rng=rng, base=base, cap=cap)
        self._trails = Trails()
        self._spec: CloudEvents | None = None

    # ------------------------------------------------------------------------------------ what is seen

    def reconfigured(self) -> None:
        """Takes in the settings: a sink that is new is told what there is, one that is gone is told no more."""
        before, self._spec = self._spec, self._config().cloud_events
        if self._spec == before:
            return
        self._pause.end()
        if self._spec is None:
            self._trails.clear()
        for uid in self._trails.uids:
            self._queue.add(uid)
        if before is None:
            for raw in self._plans():
                self.seen(key_of(raw), raw)

    def seen(self, key: Key, raw: Manifest | None) -> None:
        """Takes in a plan as it is known from now on; None for one that is gone."""
        if self._spec is None:
            return
        self._lost(self._trails.leave(key, raw), f"plan {key.namespace}/{key.name}, which is deleted,")
        uid = self._trails.put(key, raw) if raw is not None else None
        if uid is not None:
            self._queue.add(uid)

    def told(self, uid: str) -> Told | None:
        """Gives how far the sink has been told of a plan; None where nothing is known of that."""
        trail = self._trails.get(uid)
        return trail.told if trail is not None else None

    # ------------------------------------------------------------------------------------ what is told

    async def run(self, elected: asyncio.Event) -> None:
        """Tells what there is to tell, for ever, while this process leads."""
        self._metrics.events_pending(lambda: self._trails.pending if elected.is_set() else 0)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(_AT_ONCE):
                    group.create_task(self._work(elected))
        finally:
            await self._sink.close()

    async def _work(self, elected: asyncio.Event) -> None:
        while True:
            await elected.wait()
            uid = await self._queue.get()
            if uid is None:
                return
            try:
                if elected.is_set():
                    await self._publish(uid)
                else:
                    self._queue.add(uid)
            except Exception:  # a fault of ours in one plan must not silence the others
                logger.exception("telling of a plan failed unexpectedly")
                self._queue.retry(uid)
            finally:
                self._queue.done(uid)

    async def _publish(self, uid: str) -> None:
        """Tells of one plan: one event after the other, and then its own status how far the sink is."""
        while (trail := self._trails.get(uid)) is not None and (coming := trail.coming) is not None:
            began = await self._pause.over()
            spec = self._spec
            if spec is None:
                return
            if not await self._told(spec, trail, coming, began):
                self._queue.retry(uid)
                return
        if trail is None or await self._marked(trail):
            self._queue.forget(uid)
        else:
            self._queue.retry(uid)

    async def _told(self, spec: CloudEvents, trail: Trail, transition: Mapping[str, Any], began: float) -> bool:
        said = event(trail.raw, transition, cluster_id=self._config().cluster_id)
        about = f"{said['id']} ({said['subject']})"
        sent = await self._sink.send(spec, said)
        self._metrics.event_published(sent.outcome.lower())
        if sent.outcome == "Failed":
            logger.warning("the sink was not told of %s: %s", about, sent.message)
            self._pause.begin(began, at_least=sent.at_least)
            return False
        self._pause.end()
        number, refused = int(transition["number"]), sent.outcome == "Refused"
        if refused:
            logger.error("the sink refuses %s, which is not sent again: %s", about, sent.message)
        self._lost(number - trail.told.number - 1, f"plan {said['subject']}, which came to more than are kept,")
        trail.told = max(trail.told, trail.told.and_one(number, refused=refused))
        return True

    async def _marked(self, trail: Trail) -> bool:
        """Says in the status of a plan that is over how far the sink is: one write a plan. What is told while it is
        under way goes along with its own next write."""
        if trail.gone:
            self._trails.drop(trail.raw["metadata"]["uid"])
        if not trail.is_to_be_marked:
            return True
        key, said = key_of(trail.raw), trail.told
        ref = ObjectRef(ACTION_PLAN.api_version, ACTION_PLAN.kind, *key, uid=trail.raw["metadata"]["uid"])
        body = {"metadata": {"uid": ref.uid}, "status": said.as_status()}
        try:
            await self._api.patch(_PLANS, ref, body, subresource="status", field_manager=STATUS_MANAGER)
        except (NotFound, Conflict):
            return True
        except (ApiError, NotLeader) as error:
            logger.warning("that the sink was told of %s is not written yet: %s", ref, error)
            return False
        trail.marked = said
        return True

    def _lost(self, count: int, whose: str) -> None:
        if count > 0:
            self._metrics.event_published("lost", count)
            logger.error("%d transitions of %s were never told", count, whose)
