"""Tells a brain what became of each of its plans, and writes on the plan that it was told.

Everything that is to be told stands in the cluster: a plan that is finished and bears no mark. So nothing is lost with
the process; a plan is told of twice where it ends between the brain's answer and the mark.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sentinel_operator.bridge.brain import Brain, Refused, Unreachable
from sentinel_operator.bridge.intake import FIELD_MANAGER, PLANS
from sentinel_operator.bridge.metrics import Way
from sentinel_operator.bridge.pace import Pace
from sentinel_operator.core.bridge.event import PlanEvent, transition
from sentinel_operator.core.bridge.marks import ACKNOWLEDGED_AT, is_acknowledged, is_bridged, lean
from sentinel_operator.core.bridge.outcome import Outcome, of_deleted, outcome_of
from sentinel_operator.core.conditions import rfc3339
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.engine.cache import ObjectCache, key_of
from sentinel_operator.engine.errors import ApiError, Conflict, NotFound
from sentinel_operator.engine.resources import Resource

logger = logging.getLogger(__name__)

_AT_ONCE = 16
_MOST = 10_000


class MarksApi(Protocol):
    """What is needed of the API client; its writes are fenced."""

    async def patch(
        self, resource: Resource, ref: ObjectRef, body: Manifest, /, *, field_manager: str = ...
    ) -> Manifest:
        """Merges `body` in."""


class AckMetrics(Protocol):
    """Where acknowledgements are counted."""

    def succeeded(self, way: Way, /) -> None:
        """Notes the time of an exchange that succeeded."""

    def failed(self, way: Way, /) -> None:
        """Counts an exchange that did not."""

    def acknowledged(self, *, success: bool, result: str) -> None:
        """Counts an outcome that was told."""

    def ack_dropped(self) -> None:
        """Counts an outcome that will not be told."""


@dataclass(slots=True)
class Pending:
    """One outcome on its way: first to the brain, then, where the plan is an object, onto that."""

    outcome: Outcome
    plan: ObjectRef | None = None
    told: bool = False


class Outcomes:
    """What has yet to be told. It outlasts connections; what is about no object is bounded, the oldest goes."""

    def __init__(self, *, metrics: AckMetrics) -> None:
        self._metrics = metrics
        self.waiting: OrderedDict[str, Pending] = OrderedDict()
        self.more = asyncio.Event()

    def __len__(self) -> int:
        return len(self.waiting)

    def tell(self, outcome: Outcome, plan: ObjectRef | None = None) -> None:
        """Has an outcome told; one of the same plan that waits is told in its place."""
        key = plan.uid if plan is not None else f"plan {outcome.plan_id}"
        if key in self.waiting:
            return
        self.waiting[key] = Pending(outcome, plan)
        if len(self.waiting) > _MOST:
            oldest = next((each for each, waits in self.waiting.items() if waits.plan is None), None)
            if oldest is not None:
                del self.waiting[oldest]
                self._metrics.ack_dropped()
        self.more.set()

    def forget(self, uid: str) -> None:
        """Drops what was to be told of an object."""
        self.waiting.pop(uid, None)


class Watcher:
    """Sees plans finish, and go, by the informer that keeps the cache."""

    def __init__(
        self,
        outcomes: Outcomes,
        cache: ObjectCache,
        *,
        user: str,
        happened: Callable[[PlanEvent], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._outcomes, self._cache, self._user, self._happened, self._now = outcomes, cache, user, happened, now
        self._states: dict[str, str] = {}
        self.started = asyncio.Event()
        """Events are told from then on: what was there before is no news."""

    def changed(self, raw: Manifest) -> None:
        """Takes in what the informer reports: the new state, or the last one of what is gone."""
        if not is_bridged(raw, self._user):
            return
        ref = ObjectRef.of({**raw, "apiVersion": PLANS.api_version, "kind": PLANS.kind}, pinned=True)
        current = self._cache.get(key_of(raw))
        if current is None or current["metadata"].get("uid") != ref.uid:
            self._gone(raw, ref)
            return
        self._note(raw, ref)
        if is_acknowledged(raw):
            self._outcomes.forget(ref.uid)
            return
        outcome = outcome_of(raw)
        if outcome is not None:
            self._outcomes.tell(outcome, ref)

    def _gone(self, raw: Manifest, ref: ObjectRef) -> None:
        self._states.pop(ref.uid, None)
        waiting = self._outcomes.waiting.get(ref.uid)
        if waiting is not None and waiting.told:
            self._outcomes.forget(ref.uid)
        elif waiting is not None:
            waiting.plan = None
        elif not is_acknowledged(raw):
            self._outcomes.tell(of_deleted(raw, self._now()))

    def _note(self, raw: Manifest, ref: ObjectRef) -> None:
        state = str((raw.get("status") or {}).get("state") or "")
        event = transition(self._states.get(ref.uid, ""), raw, self._now())
        self._states[ref.uid] = state
        if event is not None and self.started.is_set():
            self._happened(event)


class Teller:
    """Tells what waits, several at once, and goes on trying."""

    def __init__(
        self,
        outcomes: Outcomes,
        api: MarksApi,
        cache: ObjectCache,
        *,
        metrics: AckMetrics,
        rng: random.Random,
        pace: Pace,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._outcomes, self._api, self._cache = outcomes, api, cache
        self._metrics, self._now = metrics, now
        self._backoff = pace.backoff(rng)

    async def run(self, brain: Brain) -> None:
        """Tells until cancelled."""
        while True:
            await self._outcomes.more.wait()
            after = await self.once(brain)
            if after is None:
                self._backoff.reset()
            else:
                await asyncio.sleep(self._backoff.next(at_least=after))

    async def flush(self, brain: Brain) -> None:
        """Tells what there is until nothing is left or something fails."""
        while len(self._outcomes) and await self.once(brain) is None:
            pass

    async def once(self, brain: Brain) -> float | None:
        """Tells the oldest few; gives None where all went well, and otherwise for how long to wait at least."""
        self._outcomes.more.clear()
        some = list(self._outcomes.waiting.items())[:_AT_ONCE]
        results = await asyncio.gather(*(self._tell(brain, key, each) for key, each in some))
        if len(self._outcomes):
            self._outcomes.more.set()
        failed = [each for each in results if each is not None]
        return max(failed) if failed else None

    async def _tell(self, brain: Brain, key: str, each: Pending) -> float | None:
        if not each.told:
            try:
                await brain.acknowledge(each.outcome)
                self._told(each, "taken")
            except Refused as error:
                logger.warning("the brain does not take the outcome of %s: %s", each.outcome.plan_id, error)
                self._told(each, "refused")
            except Unreachable as error:
                logger.warning("%d outcomes wait: %s", len(self._outcomes), error)
                self._metrics.failed("acks")
                return error.after or 0.0
            except Exception:
                logger.exception("telling the outcome of %s", each.outcome.plan_id)
                self._metrics.failed("acks")
                return 0.0
        return await self._mark(key, each)

    def _told(self, each: Pending, result: str) -> None:
        each.told = True
        self._metrics.succeeded("acks")
        self._metrics.acknowledged(success=each.outcome.success, result=result)

    async def _mark(self, key: str, each: Pending) -> float | None:
        """Writes on the plan that the brain was told; one that is gone needs no mark."""
        if each.plan is not None:
            annotations = {ACKNOWLEDGED_AT: rfc3339(self._now())}
            body: Manifest = {"metadata": {"uid": each.plan.uid, "annotations": annotations}}
            try:
                marked = await self._api.patch(PLANS, each.plan, body, field_manager=FIELD_MANAGER)
                self._cache.put(lean(marked))  # what is older and still on its way says nothing new
            except (NotFound, Conflict):
                pass
            except ApiError as error:
                logger.warning("%s: cannot be marked as acknowledged: %s", each.plan, error)
                return 0.0
        if self._outcomes.waiting.get(key) is each:
            del self._outcomes.waiting[key]
        return None
