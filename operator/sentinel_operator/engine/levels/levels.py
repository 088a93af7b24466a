"""How the targets of plans are doing, measured when a plan is judged. It never fails and never waits for long: what
does not answer is not known."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from sentinel_operator.api.fields import seconds
from sentinel_operator.api.kinds import SENTRY_MODEL
from sentinel_operator.api.servicelevels import ServiceLevels
from sentinel_operator.core.actionplan.view import TargetView
from sentinel_operator.core.levels.measured import Level, Measured, Telemetry, unknown
from sentinel_operator.core.levels.queries import query_for
from sentinel_operator.core.plan import LevelsWanted
from sentinel_operator.core.targets import TargetKey

logger = logging.getLogger(__name__)

REMEMBERED = 5.0
"""Seconds for which a measurement is believed: of a flood of plans each costs none of its own."""
_OWN_PATIENCE = 5.0
_AT_ONCE = 32
_KEPT = 8192


class Asks(Protocol):
    """Who asks a Prometheus."""

    async def level(self, level: Level, target: TargetKey, settings: ServiceLevels, /) -> Measured:
        """Gives one figure, or why it is not known."""

    async def close(self) -> None:
        """Ends all connections."""


class Looks(Protocol):
    """Who looks at models by itself."""

    async def level(self, level: Level, target: TargetKey, view: TargetView, settings: ServiceLevels, /) -> Measured:
        """Gives one figure, or why it is not known."""

    async def close(self) -> None:
        """Ends all connections."""


class _Place(NamedTuple):
    uid: str
    level: Level


@dataclass(slots=True)
class _Kept:
    task: asyncio.Task[Measured]
    until: float = float("inf")
    """Known once it has ended."""


class Levels:
    """Owns what is being measured until closed."""

    def __init__(
        self, *, settings: Callable[[], ServiceLevels], asks: Asks, looks: Looks, clock: Callable[[], float]
    ) -> None:
        self._settings, self._asks, self._looks, self._clock = settings, asks, looks, clock
        self._known: OrderedDict[_Place, _Kept] = OrderedDict()
        self._by: ServiceLevels | None = None
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def told(
        self, targets: Mapping[TargetKey, TargetView], wanted: Sequence[LevelsWanted]
    ) -> Mapping[TargetKey, TargetView]:
        """Gives the targets with the telemetry of those that it is wanted of."""
        settings = self._settings()
        if settings != self._by:
            self._by = settings
            self._known.clear()
        begun = {
            each.target: {
                level: self._begun(level, each.target, targets[each.target], settings) for level in each.levels
            }
            for each in wanted
        }
        running = [task for tasks in begun.values() for task in tasks.values()]
        if running:
            await asyncio.wait(running)  # each has its own deadline; whoever waits and is cancelled takes none along
        found = {
            key: replace(targets[key], telemetry=Telemetry.of({level: task.result() for level, task in tasks.items()}))
            for key, tasks in begun.items()
        }
        return {**targets, **found}

    async def close(self) -> None:
        """Ends what is under way."""
        running = [each.task for each in self._known.values() if not each.task.done()]
        for each in running:
            each.cancel()
        if running:
            await asyncio.wait(running, timeout=5.0)
        await asyncio.gather(self._asks.close(), self._looks.close())

    def _begun(
        self, level: Level, target: TargetKey, view: TargetView, settings: ServiceLevels
    ) -> asyncio.Task[Measured]:
        uid = view.raw["metadata"]["uid"] if view.raw is not None else str(target)
        place = _Place(uid, level)
        known = self._known.get(place)
        if known is None or self._clock() >= known.until:
            work = self._measured(level, target, view, settings)
            made = self._known[place] = _Kept(asyncio.create_task(work, name=f"{level} of {target}"))
            made.task.add_done_callback(lambda _: self._ended(made))
            self._known.move_to_end(place)
            self._forget()
            return made.task
        return known.task

    def _ended(self, kept: _Kept) -> None:
        kept.until = self._clock() + REMEMBERED if not kept.task.cancelled() else float("-inf")

    def _forget(self) -> None:
        """The oldest go first; what is under way stays until it has its answer."""
        while len(self._known) > _KEPT and next(iter(self._known.values())).task.done():
            self._known.popitem(last=False)

    async def _measured(self, level: Level, target: TargetKey, view: TargetView, settings: ServiceLevels) -> Measured:
        source = settings.prometheus
        patience = seconds(source.timeout) if source is not None else _OWN_PATIENCE
        try:
            async with asyncio.timeout(patience), self._free:
                if source is not None and query_for(level, target, settings) is not None:
                    return await self._asks.level(level, target, settings)
                if target.kind == SENTRY_MODEL.kind:
                    return await self._looks.level(level, target, view, settings)
        except TimeoutError:
            return unknown(f"there was no answer within {patience:g} s")
        except Exception:
            logger.exception("measuring %s of %s", level, target)
            return unknown("it could not be measured, and the operator's log says why")
        return unknown(f"nobody is asked about a {target.kind}: SentinelConfig spec.serviceLevels has no query for it")
