"""Models that are delivered as canaries, and when each was seen to reach each step."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from benchmarks.operator.models import a_model
from benchmarks.operator.scenario import MODELS, NAMESPACES
from benchmarks.rollouts.nodes import follow
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.engine.kube import KubeApi

WEIGHTS = (10, 50)
"""Each followed by a pause; the takeover comes last."""
HOLDS = {2 * index + 1: weight for index, weight in enumerate(WEIGHTS)}
"""The steps that have a schedule, with the weight that they hold."""
STEPS = 2 * len(WEIGHTS) + 2
"""With the switch and the drain of the takeover."""
_AT_ONCE = 16


def a_canary(index: int, *, namespace: str, pause: float) -> dict[str, Any]:
    """Gives one model that is delivered by weights with a pause at each."""
    model = a_model(index, namespace=namespace)
    held = {"pause": {"duration": f"{pause:g}s"}}
    steps = [step for weight in WEIGHTS for step in ({"setWeight": weight}, held)]
    model["spec"]["rollout"] = {"strategy": "Canary", "canary": {"steps": steps}}
    return model


@dataclass(slots=True)
class Canaries:
    """A number of them in one namespace."""

    api: KubeApi
    namespace: str
    count: int
    pause: float
    reached: dict[str, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))
    """By model and step, when its status told the step first."""
    asked: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    ready: set[str] = field(default_factory=set)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def create(self) -> None:
        """Makes the namespace and every model at its first version."""
        named = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        await self.api.create(NAMESPACES, named)
        await _each(self.count, self._create_one)

    async def update(self) -> None:
        """Asks for the second version of every model."""
        await _each(self.count, self._update_one)

    async def follow(self) -> None:
        """Notes what the statuses tell, until it is cancelled."""
        await follow(self.api, MODELS, lambda model: self._seen(model, time.perf_counter()))

    async def served(self, *, deadline: float) -> None:
        """Waits until every model serves its first version."""
        await self._until(lambda: len(self.ready) == self.count, deadline, "models served")

    async def delivered(self, *, deadline: float) -> None:
        """Waits until every model serves its second version, and the first is gone."""
        await self._until(lambda: len(self.ended) == self.count, deadline, "canaries promoted")

    def lengths(self, step: int) -> list[float]:
        """Gives how long each model was at a step, of those that were seen to come to it and to leave it."""
        return [steps[step + 1] - steps[step] for steps in self.reached.values() if {step, step + 1} <= steps.keys()]

    def whole(self) -> list[float]:
        """Gives how long each delivery took, from the edit on."""
        return [self.ended[name] - self.asked[name] for name in self.ended]

    def _seen(self, model: Manifest, now: float) -> None:
        name, status = model["metadata"]["name"], model.get("status") or {}
        rollout, version = status.get("rollout") or {}, (status.get("stable") or {}).get("version")
        if version == "1.0.0":
            self.ready.add(name)
        if name in self.asked and rollout.get("candidate"):
            self.reached[name].setdefault(rollout.get("step", 0), now)
        if name in self.asked and version == "2.0.0":
            self.ended.setdefault(name, now)
        self._changed.set()

    async def _create_one(self, index: int) -> None:
        await self.api.create(MODELS, a_canary(index, namespace=self.namespace, pause=self.pause))

    async def _update_one(self, index: int) -> None:
        name = f"model-{index:05d}"
        self.asked[name] = time.perf_counter()
        ref = ObjectRef(MODELS.api_version, MODELS.kind, self.namespace, name)
        await self.api.patch(MODELS, ref, {"spec": {"model": {"version": "2.0.0", "digest": f"sha256:{'f' * 64}"}}})

    async def _until(self, holds: Any, deadline: float, what: str) -> None:
        try:
            async with asyncio.timeout(deadline):
                while not holds():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            told = f"{len(self.ready)} serve, {len(self.ended)} are promoted"
            raise RuntimeError(f"not all of {self.count} {what} in {deadline:g} s: {told}") from None


async def _each(count: int, one: Any) -> None:
    slots = asyncio.Semaphore(_AT_ONCE)

    async def bounded(index: int) -> None:
        async with slots:
            await one(index)

    async with asyncio.TaskGroup() as group:
        for index in range(count):
            group.create_task(bounded(index))
