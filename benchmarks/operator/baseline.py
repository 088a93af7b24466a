"""The bare baseline: the same children written by the same client, with no operator around it."""

from __future__ import annotations

import asyncio
import time

from benchmarks.operator.models import a_model
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.sentrymodel.render import render
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.resources import Resource

_PLURALS = {
    "ConfigMap": "configmaps",
    "Deployment": "deployments",
    "NetworkPolicy": "networkpolicies",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
}
_AT_ONCE = 16


async def write_children(api: KubeApi, *, namespace: str, count: int) -> float:
    """Applies every child of `count` models as fast as the API server takes them; gives the seconds."""
    slots = asyncio.Semaphore(_AT_ONCE)
    manifests = [_children(index, namespace) for index in range(count)]
    started = time.perf_counter()

    async def one(children: list[Manifest]) -> None:
        async with slots:
            for child in children:
                await api.apply(Resource(child["apiVersion"], child["kind"], _PLURALS[child["kind"]]), child)

    async with asyncio.TaskGroup() as group:
        for children in manifests:
            group.create_task(one(children))
    return time.perf_counter() - started


def _children(index: int, namespace: str) -> list[Manifest]:
    model = a_model(index, namespace=namespace)
    model["metadata"] |= {"uid": f"00000000-0000-0000-0000-{index:012d}", "generation": 1}
    children = render(model, SentinelConfigSpec())
    for child in children:
        child["metadata"].pop("ownerReferences", None)  # there is no owner: they would be garbage
    return children
