"""When each plan was posted, and how and when it was seen to end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.plans.stage import PLANS, plan
from benchmarks.rollouts.nodes import follow
from sentinel_operator.api.actionstatus import FINISHED
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.kube import KubeApi

_QUIET = 120.0


@dataclass(slots=True)
class Following:
    """The plans of one namespace, over so many workloads by turns."""

    api: KubeApi
    namespace: str
    targets: int
    posted: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    states: Counter[str] = field(default_factory=Counter)
    judged: dict[str, float] = field(default_factory=dict)
    """When a plan was first seen to have been looked at."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow(self) -> None:
        """Notes what the statuses tell, until it is cancelled."""
        await follow(self.api, PLANS, lambda raw: self._seen(raw, time.perf_counter()))

    async def post(self, index: int, *, api: KubeApi | None = None) -> None:
        """Creates one plan."""
        raw = plan(index, namespace=self.namespace, target=index % self.targets)
        self.posted[raw["metadata"]["name"]] = time.perf_counter()
        await (api or self.api).create(PLANS, raw)

    async def finished(self, count: int) -> None:
        """Waits until so many plans have ended; raises where none does for a while."""
        await self.until(lambda: len(self.ended) >= count)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Waits for something that the statuses tell."""
        while not holds():
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), _QUIET)
            except TimeoutError:
                told = f"{len(self.posted)} posted, {len(self.ended)} ended: {dict(self.states)}"
                raise RuntimeError(f"nothing happens any more; {told}") from None

    def wake(self, *_: object) -> None:
        """Has whoever waits look again."""
        self._changed.set()

    @property
    def seconds(self) -> float:
        """Gives the time from the first post to the last end."""
        return max(self.ended.values()) - min(self.posted.values())

    def taken(self) -> list[float]:
        """Gives how long each plan took, from the post to the end."""
        return [self.ended[name] - self.posted[name] for name in self.ended]

    def _seen(self, raw: Manifest, now: float) -> None:
        name, state = raw["metadata"]["name"], (raw.get("status") or {}).get("state")
        if raw["metadata"]["namespace"] != self.namespace or name not in self.posted or not state:
            return
        self.judged.setdefault(name, now)
        if state in FINISHED and name not in self.ended:
            self.ended[name] = now
            self.states[state] += 1
        self._changed.set()
