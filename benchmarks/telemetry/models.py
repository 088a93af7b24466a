"""Models whose pods ask for a GPU, and what their statuses tell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.operator.models import a_model
from benchmarks.operator.scenario import MODELS, NAMESPACES
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.kube import KubeApi

_AT_ONCE = 16


def a_gpu_model(index: int, *, namespace: str) -> dict[str, Any]:
    """Gives one model of two pods, each with a GPU."""
    model = a_model(index, namespace=namespace)
    model["spec"]["runtime"] = {"gpu": {"count": 1}}
    return model


@dataclass(slots=True)
class GpuModels:
    """A number of them in one namespace."""

    api: KubeApi
    namespace: str
    count: int
    _serving: set[str] = field(default_factory=set)
    _hurt: set[str] = field(default_factory=set)
    """Pods of which a model tells that their GPU is not well."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def create(self) -> None:
        """Makes the namespace and every model, some at a time."""
        named = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        await self.api.create(NAMESPACES, named)
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(index: int) -> None:
            async with slots:
                await self.api.create(MODELS, a_gpu_model(index, namespace=self.namespace))

        async with asyncio.TaskGroup() as group:
            for index in range(self.count):
                group.create_task(one(index))

    def seen(self, model: Manifest) -> None:
        """Takes in what a model's status tells."""
        status = model.get("status") or {}
        if (status.get("stable") or {}).get("version"):
            self._serving.add(model["metadata"]["name"])
        self._hurt |= {each["pod"] for each in status.get("gpu") or () if each["health"] == "Degraded"}
        self._changed.set()

    async def served(self, *, deadline: float) -> None:
        """Waits until every model serves."""
        await self._until(lambda: len(self._serving) == self.count, deadline)

    async def hurt(self, pod: str, *, deadline: float) -> None:
        """Waits until a model tells that the GPU of its pod is not well."""
        await self._until(lambda: pod in self._hurt, deadline)

    async def _until(self, holds: Callable[[], bool], deadline: float) -> None:
        async with asyncio.timeout(deadline):
            while not holds():
                self._changed.clear()
                await self._changed.wait()
