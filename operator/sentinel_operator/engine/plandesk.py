"""What is around a plan: told to the passes over it, and taken for it as soon as one has decided."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Protocol

from sentinel_operator.api.actionstatus import FINISHED
from sentinel_operator.core.actionplan.remembered import is_settled
from sentinel_operator.core.actionplan.surroundings import NOWHERE, Surroundings
from sentinel_operator.core.actionplan.view import TargetView
from sentinel_operator.core.outside import Outside
from sentinel_operator.core.plan import LevelsWanted, Manifest, Plan, Rehearsal
from sentinel_operator.core.policy.policy import Policy
from sentinel_operator.core.targets import TargetKey
from sentinel_operator.engine.cache import Key, ObjectCache, key_of, version_of
from sentinel_operator.engine.decider import Decided, Think
from sentinel_operator.engine.errors import ApiError, Conflict, NotLeader, SubjectGone
from sentinel_operator.engine.plangrants import Decide, PlanGrants, state_of
from sentinel_operator.engine.planreader import Found

logger = logging.getLogger(__name__)

_NEW = ("", "Pending")
_DOUBT = 3.0
_QUESTIONS = 2
"""As many as there are: what the API server says of it, and how its targets are doing."""


class Reader(Protocol):
    """Who reads what is around a plan."""

    async def read(self, plan: Manifest, /) -> Found:
        """Reads every target of a plan with what hangs on it."""


class Policies(Protocol):
    """Who knows the policies."""

    async def fresh(self, *, after: int = 0) -> tuple[Policy, ...]:
        """Gives all policies as they were a moment ago, and not before the write with that resourceVersion."""


class Asks(Protocol):
    """Who asks the API server."""

    async def rehearse(self, rehearsals: Sequence[Rehearsal], /) -> dict[str, str]:
        """Gives what the API server has against patches."""

    async def settle(self, raw: Manifest, /) -> None:
        """Makes sure that an unanswered write over an object is there (Conflict) or will never be."""


class Levels(Protocol):
    """Who measures how workloads are doing."""

    async def told(
        self, targets: Mapping[TargetKey, TargetView], wanted: Sequence[LevelsWanted], /
    ) -> Mapping[TargetKey, TargetView]:
        """Gives the targets with the telemetry of those that it is wanted of; never raises."""


class PlanDesk:
    """Follows the cache of the ActionPlans (`seen` is its observer)."""

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
        self._grants = PlanGrants(plans=self.plans, wake=wake)

    def follow(self, cache: ObjectCache, asks: Asks) -> None:
        """Takes the cache of the plans, and who asks the API server about them."""
        self._cache, self._asks = cache, asks

    def seen(self, key: Key, raw: Manifest | None) -> None:
        """Takes in a plan as it is known from now on; None for one that is gone."""
        self._grants.seen(key, raw)

    def plans(self) -> Iterable[Manifest]:
        """Gives all plans that are known."""
        cache = self._cache
        return [raw for key in cache if (raw := cache.get(key)) is not None] if cache is not None else []

    def wake_unfinished(self) -> None:
        """Has every plan looked at that may be judged otherwise now."""
        for raw in self.plans():
            if state_of(raw) not in FINISHED:
                self._wake(key_of(raw))

    @asynccontextmanager
    async def decided(self, raw: Manifest, outside: Outside, think: Think) -> AsyncIterator[Decided]:
        """Tells a pass what is around its plan, and gives the plan what it asks for if it can have it."""
        if state_of(raw) in FINISHED:
            yield (None, Plan()) if is_settled(raw) else think(replace(outside, plan=NOWHERE))
            return
        await self._settle_doubt(raw)
        around = await self._around(raw)
        certain = False
        try:
            decided = await self._decided(raw, around, lambda told: think(replace(outside, plan=told)))
            yield decided
            certain = True
            self._count(raw, decided[1])
        except (Conflict, SubjectGone, NotLeader):
            certain = True
            raise
        finally:
            self._grants.over(raw, certain=certain)

    async def _around(self, raw: Manifest) -> Surroundings:
        # What a plan is judged by is not older than the plan: a policy that was made before it is heard.
        policies = await self._policies.fresh(after=version_of(raw) if state_of(raw) in _NEW else 0)
        found = await self._reader.read(raw)
        return Surroundings(policies=policies, targets=found.targets, nodes=found.nodes)

    async def _decided(self, raw: Manifest, around: Surroundings, decide: Decide) -> Decided:
        """Asks what the plan turns out to depend on, and has it decided with the answers; nothing is awaited then."""
        decided = self._grants.decided(raw, around, decide)
        for _ in range(_QUESTIONS):
            plan = decided[1]
            if not (plan.rehearse or plan.wants_levels):
                break
            if plan.rehearse:
                around = replace(around, rehearsed=await self._rehearsed(plan))
            if plan.wants_levels:
                around = replace(around, targets=await self._levels.told(around.targets, plan.wants_levels))
            decided = self._grants.decided(raw, around, decide)
        return decided

    async def _rehearsed(self, plan: Plan) -> Mapping[str, str]:
        return await self._asks.rehearse(plan.rehearse) if self._asks is not None else {}

    async def _settle_doubt(self, raw: Manifest) -> None:
        """Raises where the plan's last write was not answered: it is there, never will be, or that is still open."""
        if not self._grants.in_doubt(raw) or self._asks is None:
            return
        try:
            async with asyncio.timeout(_DOUBT):
                await self._asks.settle(raw)
        except TimeoutError as error:
            raise ApiError("it is not known yet what became of the plan's status") from error
        self._grants.over(raw, certain=True)
        raise Conflict("what was written last is not there, and will not be")

    def _count(self, raw: Manifest, plan: Plan) -> None:
        """Counts each state to which the plan has come by this pass."""
        after = self._cache.get(key_of(raw)) if self._cache is not None else None
        if after is not None and after["metadata"]["uid"] == raw["metadata"]["uid"]:
            for state in plan.passed if state_of(after) != state_of(raw) else ():
                self._transition(state)
