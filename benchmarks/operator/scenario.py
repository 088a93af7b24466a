"""What is done to the operator, and when it counts as done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.operator.models import CHILDREN, a_model
from sentinel_operator.api.kinds import SENTRY_MODEL
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.resources import Resource

MODELS = Resource.of_kind(SENTRY_MODEL)
NAMESPACES = Resource("v1", "Namespace", "namespaces", namespaced=False)
SELECTOR = (("labelSelector", "app.kubernetes.io/managed-by=sentinel-operator"),)
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Fleet:
    """A number of models in one namespace."""

    api: KubeApi
    namespace: str
    count: int

    async def create(self) -> None:
        """Makes the namespace and every model, some at a time."""
        await self.api.create(
            NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        )
        await _each(range(self.count), self._create_one)

    async def reconciled(self, *, deadline: float) -> None:
        """Waits until every model has every child and a status of its generation."""
        await _until(self._is_reconciled, deadline=deadline, what=f"{self.count} models reconciled")

    async def status_latency(self, samples: int) -> list[float]:
        """Changes `spec.replicas` of models one by one; gives the seconds until the status tells the generation."""
        latencies = []
        for index in range(samples):
            ref = self._ref(index * self.count // samples)
            started = time.perf_counter()
            changed = await self.api.patch(MODELS, ref, {"spec": {"replicas": 3}})
            await self._observed(ref, changed["metadata"]["generation"])
            latencies.append(time.perf_counter() - started)
        return latencies

    async def _observed(self, ref: ObjectRef, generation: int) -> None:
        version = "0"
        query = (("fieldSelector", f"metadata.name={ref.name}"),)
        async with asyncio.timeout(60):
            async for event in self.api.watch(MODELS, resource_version=version, seconds=60, idle=60, query=query):
                item = event["object"]
                if item.get("status", {}).get("observedGeneration") == generation:
                    return

    def _ref(self, index: int) -> ObjectRef:
        return ObjectRef(MODELS.api_version, MODELS.kind, self.namespace, f"model-{index:05d}")

    async def _create_one(self, index: int) -> None:
        await self.api.create(MODELS, a_model(index, namespace=self.namespace))

    async def _is_reconciled(self) -> bool:
        for api_version, plural in CHILDREN:
            items, _ = await self.api.list(Resource(api_version, "", plural), namespace=self.namespace, query=SELECTOR)
            if len(items) < self.count:
                return False
        models, _ = await self.api.list(MODELS, namespace=self.namespace)
        return all(_is_observed(model) for model in models)


def _is_observed(model: Manifest) -> bool:
    observed: int = model.get("status", {}).get("observedGeneration", -1)
    return bool(observed == model["metadata"]["generation"])


async def _each(indices: Iterable[int], one) -> None:
    slots = asyncio.Semaphore(_AT_ONCE)

    async def bounded(index: int) -> None:
        async with slots:
            await one(index)

    async with asyncio.TaskGroup() as group:
        for index in indices:
            group.create_task(bounded(index))


async def _until(holds, *, deadline: float, what: str) -> None:
    async with asyncio.timeout(deadline):
        while not await holds():  # noqa: ASYNC110 - the API server is asked, there is nothing to be woken by
            await asyncio.sleep(0.5)
    del what
