"""What a pass decides: what it is told, and what is asked for it once its plan shows what it depends on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from sentinel_operator.api.nodetelemetry import NodeTelemetryStatus
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.core.budget.claim import Claimant
from sentinel_operator.core.hashing import hash8
from sentinel_operator.core.outside import Outside
from sentinel_operator.core.plan import Manifest, Plan
from sentinel_operator.core.reconciler import Reconciler
from sentinel_operator.core.rollout.observed import Budget
from sentinel_operator.engine.cache import Key
from sentinel_operator.engine.errands import Errands
from sentinel_operator.engine.references import References
from sentinel_operator.engine.view import View

Decided = tuple[Any, Plan]
Think = Callable[[Outside], Decided]
"""Observes and plans with what it is told; may be asked any number of times within a pass."""


class Slots(Protocol):
    """Who grants slots of the cluster's change budget."""

    def unasked(self) -> Budget:
        """Gives what a pass is told that has not asked."""

    def ask(self, raw: Manifest) -> Budget:
        """Answers a pass that wants to begin; what is granted is reserved until the pass is over."""

    def passed(self, who: Claimant) -> None:
        """Takes in the end of a pass."""

    def failed(self, who: Claimant, *, certain: bool) -> None:
        """Takes in that a pass failed; `certain`: its status was not written."""


class Spare(Protocol):
    """Who knows whether there is room in the cluster."""

    async def spare(self, asker: str, template: Manifest) -> bool | None:
        """Tells whether one more pod of a template finds room; None where that cannot be told."""


class Telemetry(Protocol):
    """Who knows what nodes tell of themselves."""

    def of(self, pods: Iterable[Manifest]) -> Mapping[str, NodeTelemetryStatus]:
        """Gives what the nodes of pods have told, by node."""


class Around(Protocol):
    """Who answers what the plans of one kind depend on. What it has granted holds until the context ends, and that is
    after the plan has been carried out."""

    def decided(self, raw: Manifest, outside: Outside, think: Think) -> AbstractAsyncContextManager[Decided]:
        """Gives what is observed and planned in the end."""


class Budgeted:
    """Answers whether a rollout may begin, and whether there is room for its pods."""

    def __init__(self, slots: Slots, capacity: Spare) -> None:
        self._slots, self._capacity = slots, capacity

    @asynccontextmanager
    async def decided(self, raw: Manifest, outside: Outside, think: Think) -> AsyncIterator[Decided]:
        """Asks for a slot first, and for room for what the plan would make then."""
        outside = replace(outside, budget=self._slots.unasked())
        observed, plan = think(outside)
        if plan.wants_slot:
            outside = replace(outside, budget=self._slots.ask(raw))
            observed, plan = think(outside)
        if plan.wants_room is not None:
            asker = f"{raw['metadata']['uid']}/{hash8(plan.wants_room)}"
            spare = await self._capacity.spare(asker, plan.wants_room)
            observed, plan = think(replace(outside, spare=spare))
        yield observed, plan


class Decider:
    """Decides for the objects of one controller."""

    def __init__(
        self,
        reconciler: Reconciler[Any],
        view: View,
        *,
        references: References,
        config: Callable[[], SentinelConfigSpec],
        now: Callable[[], datetime],
        errands: Errands,
        telemetry: Telemetry,
        around: Around,
    ) -> None:
        self._reconciler, self._view, self._references = reconciler, view, references
        self._config, self._now = config, now
        self._errands, self._telemetry, self._around = errands, telemetry, around

    @asynccontextmanager
    async def decided(self, key: Key, raw: Manifest) -> AsyncIterator[Decided]:
        """Gives what is observed and planned; what was granted for it holds until the context ends."""
        children, pods = self._view.children_of(key)
        references = await self._references.read(key, self._reconciler.references(raw))

        def think(outside: Outside) -> Decided:
            told = self._config(), self._now()
            observed = self._reconciler.observe(raw, children, pods, references, *told, outside)
            return observed, self._reconciler.plan(observed)

        outside = replace(self._errands.found(raw), nodes=self._telemetry.of(pods))
        async with self._around.decided(raw, outside, think) as decided:
            yield decided
