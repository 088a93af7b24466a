"""What plans mean for each other: told to the passes over them, and granted to one of them at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Protocol

from sentinel_operator.api.actionstatus import ACTING, FINISHED
from sentinel_operator.core.actionplan.index import PlanIndex
from sentinel_operator.core.actionplan.locktable import LockTable
from sentinel_operator.core.actionplan.neighbours import targets_of
from sentinel_operator.core.actionplan.surroundings import NOWHERE, Surroundings
from sentinel_operator.core.actionplan.view import TargetView
from sentinel_operator.core.outside import Outside
from sentinel_operator.core.plan import LevelsWanted, Manifest, Plan, Rehearsal
from sentinel_operator.core.policy.policy import Policy
from sentinel_operator.core.targets import TargetKey
from sentinel_operator.engine.cache import Key, ObjectCache, key_of
from sentinel_operator.engine.decider import Decided, Think
from sentinel_operator.engine.errors import ApiError, Conflict, SubjectGone
from sentinel_operator.engine.planreader import Found

logger = logging.getLogger(__name__)

_READS = frozenset({"Validating", "AwaitingApproval", "Scheduled", "Executing", "RollingBack"})
"""States whose passes look at the targets."""
_NEW = ("", "Pending")
_DOUBT = 3.0


class Reader(Protocol):
    """Who reads what is around a plan."""

    async def read(self, plan: Manifest, /) -> Found:
        """Reads every target of a plan with what hangs on it."""


class Policies(Protocol):
    """Who knows the policies."""

    async def fresh(self, *, max_age: float = 1.0) -> tuple[Policy, ...]:
        """Gives all policies as they were at most so many seconds ago."""


class Asks(Protocol):
    """Who asks the API server."""

    async def rehearse(self, rehearsals: Sequence[Rehearsal], /) -> dict[str, str]:
        """Gives what the API server has against patches."""

    async def unmoved(self, raw: Manifest, /) -> None:
        """Reads an object into the cache; raises Conflict or SubjectGone where it is not the one that was seen."""

    async def settle(self, raw: Manifest, /) -> None:
        """Makes sure that an unanswered write over an object is there (Conflict) or will never be."""


class Levels(Protocol):
    """Who measures how workloads are doing."""

    async def told(
        self, targets: Mapping[TargetKey, TargetView], wanted: Sequence[LevelsWanted], /
    ) -> Mapping[TargetKey, TargetView]:
        """Gives the targets with the telemetry of those that it is wanted of; never raises."""


class PlanDesk:
    """Follows the cache of the ActionPlans (`seen` is its observer).

    Whether a plan may take its place (its planId, its share of a rate, its targets) depends on the others, and the
    others learn of it by its status: so from that look to the write of the status one plan at a time goes through.
    """

    def __init__(
        self,
        *,
        reader: Reader,
        policies: Policies,
        wake: Callable[[Key], None],
        transition: Callable[[str], None],
        levels: Levels,
    ) -> None:
        self._reader, self._policies, self._wake, self._transition = reader, policies, wake, transition
        self._levels = levels
        self._asks: Asks | None = None
        self._cache: ObjectCache | None = None
        self._index = PlanIndex()
        self._keys: dict[str, Key] = {}
        self._uids: dict[Key, str] = {}
        self._locks: LockTable | None = None
        self._doubtful: dict[str, Manifest] = {}
        self._one_at_a_time = asyncio.Lock()

    def follow(self, cache: ObjectCache, asks: Asks) -> None:
        """Takes the cache of the plans, and who asks the API server about them."""
        self._cache, self._asks = cache, asks

    # ------------------------------------------------------------------------------------ what is seen

    def seen(self, key: Key, raw: Manifest | None) -> None:
        """Takes in a plan as it is known from now on; None for one that is gone."""
        former = self._uids.get(key)
        if former is not None and (raw is None or raw["metadata"]["uid"] != former):
            self._uids.pop(key)
            self._keys.pop(former, None)
            self._index.remove(former)
            self._release(former)
        if raw is None:
            return
        uid = raw["metadata"]["uid"]
        self._uids[key], self._keys[uid] = uid, key
        self._index.put(raw)
        if state_of(raw) in FINISHED:
            self._release(uid)

    def plans(self) -> Iterable[Manifest]:
        """Gives all plans that are known."""
        cache = self._cache
        return [raw for key in cache if (raw := cache.get(key)) is not None] if cache is not None else []

    def wake_unfinished(self) -> None:
        """Has every plan looked at that may be judged otherwise now."""
        for raw in self.plans():
            if state_of(raw) not in FINISHED:
                self._wake(key_of(raw))

    # ------------------------------------------------------------------------------------ what passes ask

    @asynccontextmanager
    async def decided(self, raw: Manifest, outside: Outside, think: Think) -> AsyncIterator[Decided]:
        """Tells a pass what is around its plan, and gives the plan what it asks for if it can have it."""
        state = state_of(raw)
        if state in FINISHED:
            yield (None, Plan()) if _is_settled(raw) else think(replace(outside, plan=NOWHERE))
            return
        around = await self._around(raw)
        told = think(replace(outside, plan=around))
        if told[1].rehearse and self._asks is not None:
            around = replace(around, rehearsed=await self._asks.rehearse(told[1].rehearse))
        if told[1].wants_levels:
            around = replace(around, targets=await self._levels.told(around.targets, told[1].wants_levels))
        if told[1].rehearse or told[1].wants_levels:
            told = think(replace(outside, plan=around))
        if not told[1].wants_locks:
            self._table.step_back(raw["metadata"]["uid"])
        try:
            if state in _NEW or told[1].wants_locks:
                async with self._alone(raw):
                    yield self._granted(raw, outside, around, think)
            else:
                yield told
        finally:
            self._count(raw)

    async def _around(self, raw: Manifest) -> Surroundings:
        state, uid, targets = state_of(raw), raw["metadata"]["uid"], targets_of(raw)
        # What a plan is judged by is not older than the plan: a policy that was made before it is heard.
        policies = await self._policies.fresh(max_age=0.0 if state in _NEW else 1.0)
        found = await self._reader.read(raw) if state in _READS else Found()
        return Surroundings(
            policies=policies,
            targets=found.targets,
            nodes=found.nodes,
            neighbours=self._index.neighbours(raw),
            locked=state in ACTING and bool(targets) and self._table.has(uid, targets),
            holders=self._table.holders(uid, targets),
        )

    def _granted(self, raw: Manifest, outside: Outside, around: Surroundings, think: Think) -> Decided:
        """Looks at the others again, now that none of them moves, and takes the targets if they can be had."""
        around = replace(around, neighbours=self._index.neighbours(raw))
        told = think(replace(outside, plan=around))
        wanted = told[1].wants_locks
        if not wanted:
            return told
        locked, uid = self._table.take(raw, wanted), raw["metadata"]["uid"]
        around = replace(around, locked=locked, holders=self._table.holders(uid, wanted))
        return think(replace(outside, plan=around))

    @asynccontextmanager
    async def _alone(self, raw: Manifest) -> AsyncIterator[None]:
        uid = raw["metadata"]["uid"]
        async with self._one_at_a_time:
            await self._settle_doubts()
            try:
                yield
            except (Conflict, SubjectGone):
                raise
            except BaseException:
                # The status may have been written all the same: until that is known nobody else is granted anything.
                self._doubtful[uid] = raw
                raise
            finally:
                if uid not in self._doubtful:
                    self._let_go(uid)

    async def _settle_doubts(self) -> None:
        """Raises ApiError as long as it is not known what became of an earlier plan."""
        for uid, raw in list(self._doubtful.items()):
            try:
                async with asyncio.timeout(_DOUBT):
                    if self._asks is not None:
                        await self._asks.settle(raw)
            except (Conflict, SubjectGone) as error:
                logger.info("%s", error)
            except TimeoutError as error:
                raise ApiError("it is not known yet what became of another plan") from error
            del self._doubtful[uid]
            self._let_go(uid)

    # ------------------------------------------------------------------------------------ who has what

    @property
    def _table(self) -> LockTable:
        """As the statuses tell it, from the first pass on: until then another replica grants."""
        if self._locks is None:
            self._locks = LockTable.restored(self.plans())
        return self._locks

    def _let_go(self, uid: str) -> None:
        """A plan that is not in the middle of its change keeps nothing."""
        key = self._keys.get(uid)
        raw = self._cache.get(key) if key is not None and self._cache is not None else None
        if raw is None or state_of(raw) in FINISHED or (state_of(raw) not in ACTING and self._holds(uid, raw)):
            self._release(uid)

    def _holds(self, uid: str, raw: Manifest) -> bool:
        targets = targets_of(raw)
        return bool(targets) and self._table.has(uid, targets)

    def _release(self, uid: str) -> None:
        if self._locks is None:
            return
        for each in self._locks.waiting_for(self._locks.release(uid)):
            if each in self._keys:
                self._wake(self._keys[each])

    def _count(self, raw: Manifest) -> None:
        key = key_of(raw)
        after = self._cache.get(key) if self._cache is not None else None
        if (
            after is not None
            and after["metadata"]["uid"] == raw["metadata"]["uid"]
            and state_of(after) != state_of(raw)
        ):
            self._transition(state_of(after))


def _is_settled(raw: Manifest) -> bool:
    """Of thousands of finished plans not even the spec is read."""
    return bool(raw["status"].get("observedGeneration") == raw["metadata"].get("generation"))


def state_of(raw: Manifest) -> str:
    """Gives the state of a raw plan; empty where it has none yet."""
    status = raw.get("status")
    return str(status.get("state") or "") if isinstance(status, dict) else ""
