"""What the operator itself sees of SentryModels: how long they served, and what their pods count."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from sentinel_operator.api.fields import seconds
from sentinel_operator.api.kinds import SENTRY_MODEL
from sentinel_operator.api.servicelevels import ServiceLevels
from sentinel_operator.core.actionplan.view import TargetView
from sentinel_operator.core.analysis.subject import Target
from sentinel_operator.core.levels.asked import may_be_asked_about
from sentinel_operator.core.levels.measured import Level, Measured, unknown
from sentinel_operator.core.levels.pods import listening, ready_since
from sentinel_operator.core.levels.standing import Seen, seen
from sentinel_operator.core.levels.tally import LOOKS, Tally
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.policy.policy import Policy
from sentinel_operator.core.targets import TargetKey
from sentinel_operator.engine.cache import Key, Owner
from sentinel_operator.engine.measure.fetch import Fetch, anywhere
from sentinel_operator.engine.measure.pods import Look, PodMetrics

logger = logging.getLogger(__name__)

_COUNTED: frozenset[Level] = frozenset({"p99LatencyMs", "successRatePercent"})
_BELIEVED = timedelta(seconds=4)
_AT_ONCE = 16
_REST = 0.2
"""Of the time between two looks: so much at least is left when the pods take long."""


class Owned(Protocol):
    """A cache of pods."""

    def owned_by(self, owner: Owner, /) -> list[Manifest]:
        """Gives the pods of an object of ours."""


class ModelLooks:
    """Follows the cache of the SentryModels (`seen` is its observer), and looks at the pods of those that policies
    judge by latency or success: now and then by itself, and whenever a plan is judged. All of it is remembered by this
    process alone: another one begins anew, and says since when it knows."""

    def __init__(
        self,
        *,
        pods: Owned,
        policies: Callable[[], Iterable[Policy]],
        settings: Callable[[], ServiceLevels],
        now: Callable[[], datetime],
        rng: random.Random,
    ) -> None:
        self._pods, self._policies, self._settings, self._now, self._rng = pods, policies, settings, now, rng
        self._fetch = Fetch(allowed=anywhere)
        self._at_leisure, self._at_once = PodMetrics(self._fetch, now=now), PodMetrics(self._fetch, now=now)
        self._models: dict[Key, Manifest] = {}
        self._seen: dict[str, Seen] = {}
        self._tallies: dict[str, Tally] = {}
        self._looking: dict[str, asyncio.Lock] = {}
        self._news = asyncio.Event()

    # ------------------------------------------------------------------------------------ what is seen

    def seen(self, key: Key, raw: Manifest | None) -> None:
        """Takes in a model as it is known from now on; None for one that is gone."""
        former = self._models.pop(key, None)
        if former is not None and (raw is None or raw["metadata"]["uid"] != former["metadata"]["uid"]):
            uid = former["metadata"]["uid"]
            for each in (self._seen, self._tallies, self._looking):
                each.pop(uid, None)
        if raw is None:
            return
        uid = raw["metadata"]["uid"]
        self._models[key] = raw
        window = timedelta(seconds=seconds(self._settings().uptime_window))
        self._seen[uid] = seen(self._seen.get(uid), raw, now=self._now(), window=window)

    def policies_changed(self) -> None:
        """Has those looked at soon whom policies judge now."""
        self._news.set()

    # ------------------------------------------------------------------------------------ what is told

    async def level(self, level: Level, target: TargetKey, view: TargetView, settings: ServiceLevels) -> Measured:
        """Gives one figure of a model that a plan is about."""
        raw = view.raw
        if raw is None:
            return unknown("it is not there")
        uid = raw["metadata"]["uid"]
        if level == "uptimePercent":
            return self._uptime(uid, view.pods, settings)
        await self._look(uid, target.name, listening(view.pods), settings, by=self._at_once)
        tally = self._tallies.get(uid)
        if tally is None:
            return unknown("no pod tells its metrics")
        window = timedelta(seconds=seconds(settings.window))
        return tally.over(level, window=window, least=settings.min_requests, now=self._now())

    def _uptime(self, uid: str, pods: Iterable[Manifest], settings: ServiceLevels) -> Measured:
        known = self._seen.get(uid)
        if known is None:
            return unknown("the operator has not seen it yet")
        known = self._seen[uid] = known.served_since(ready_since(pods))
        return known.uptime.over(timedelta(seconds=seconds(settings.uptime_window)), self._now())

    # ------------------------------------------------------------------------------------ looking

    async def run(self, elected: asyncio.Event) -> None:
        """Looks a few times a window while this process leads, until cancelled."""
        while True:
            await elected.wait()
            self._news.clear()
            every = seconds(self._settings().window) / LOOKS
            time = asyncio.get_running_loop().time
            due = time() + every * self._rng.uniform(0.9, 1.1)
            await self.once()
            try:
                async with asyncio.timeout_at(max(due, time() + every * _REST)):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def once(self) -> int:
        """Looks at every model that policies may judge by what its pods count, and counts them. Never raises."""
        settings, policies = self._settings(), tuple(self._policies())
        try:
            wanted = [each for each in self._models.values() if self._is_judged(each, policies, settings)]
        except Exception:
            logger.exception("finding whom policies judge")
            return 0
        for uid in self._tallies.keys() - {each["metadata"]["uid"] for each in wanted}:
            del self._tallies[uid]
        free = asyncio.Semaphore(_AT_ONCE)

        async def look(raw: Manifest) -> None:
            async with free:
                await self._look_by_itself(raw, settings)

        await asyncio.gather(*(look(each) for each in wanted))
        return len(wanted)

    def _is_judged(self, raw: Manifest, policies: Sequence[Policy], settings: ServiceLevels) -> bool:
        if settings.prometheus is not None:
            return False
        return bool(may_be_asked_about(policies, SENTRY_MODEL.kind, raw) & _COUNTED)

    async def _look_by_itself(self, raw: Manifest, settings: ServiceLevels) -> None:
        metadata: dict[str, Any] = raw["metadata"]
        owner = Owner(SENTRY_MODEL.kind, metadata.get("namespace", ""), metadata["name"])
        pods = self._pods.owned_by(owner)
        try:
            known = self._seen.get(metadata["uid"])
            if known is not None:
                self._seen[metadata["uid"]] = known.served_since(ready_since(pods))
            await self._look(metadata["uid"], metadata["name"], listening(pods), settings, by=self._at_leisure)
        except Exception:
            logger.exception("looking at the pods of %s/%s", owner.namespace, owner.name)

    async def _look(
        self, uid: str, name: str, targets: Sequence[Target], settings: ServiceLevels, *, by: PodMetrics
    ) -> None:
        """Those who ask at once share one look."""
        async with self._looking.setdefault(uid, asyncio.Lock()):
            tally = self._tallies.get(uid)
            if not targets or (tally is not None and tally.last.at > self._now() - _BELIEVED):
                return
            look: Look = await by.counts(targets)
            for fault in look.faults[:1]:
                logger.info("%s: of its pods %d tell no metrics: %s", name, len(look.faults), fault)
            if tally is None:
                if look.snapshot.pods:
                    self._tallies[uid] = Tally.begun(look.snapshot)
                return
            window = timedelta(seconds=seconds(settings.window))
            there = {each.uid for each in targets}
            self._tallies[uid] = tally.counted(look.snapshot, there=there, window=window)

    async def close(self) -> None:
        """Ends all connections."""
        await self._fetch.close()
