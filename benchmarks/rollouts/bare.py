"""The bare baseline: what a script would write to bring one version after another, with nobody who decides."""

from __future__ import annotations

import asyncio
import itertools
import time

from benchmarks.operator.baseline import write_children
from benchmarks.operator.scenario import NAMESPACES
from benchmarks.rollouts.canaries import WEIGHTS, a_canary
from benchmarks.rollouts.nodes import DEPLOYMENTS, SERVICES
from sentinel_operator.core.names import REVISION
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.core.rollout.arithmetic import beside
from sentinel_operator.core.sentrymodel.render import render
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.resources import CONFIG_MAPS

_AT_ONCE = 16


async def deliver(api: KubeApi, *, namespace: str, count: int) -> tuple[float, int]:
    """Writes every change of routing and replicas of `count` canaries at once; gives the seconds and the writes."""
    await api.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    await write_children(api, namespace=namespace, count=count)
    slots = asyncio.Semaphore(_AT_ONCE)
    written: list[int] = []
    plans = [_children(index, namespace) for index in range(count)]
    started = time.perf_counter()

    async def one(children: dict[str, Manifest]) -> None:
        async with slots:
            written.append(await _deliver(api, children))

    async with asyncio.TaskGroup() as group:
        for children in plans:
            group.create_task(one(children))
    return time.perf_counter() - started, sum(written)


async def _deliver(api: KubeApi, children: dict[str, Manifest]) -> int:
    """One new revision: its configuration and Deployment, a number of pods for each weight, the Service opened to both
    and then turned to the new one, the old one ended."""
    deployment, service = children["Deployment"], children["Service"]
    replicas, revision = deployment["spec"]["replicas"], deployment["metadata"]["labels"][REVISION]
    counts = [min(replicas, beside(replicas, weight)) for weight in WEIGHTS] + [replicas]
    deployment["spec"]["replicas"] = counts[0]
    await api.apply(CONFIG_MAPS, children["ConfigMap"])
    await api.apply(DEPLOYMENTS, deployment)
    shared, only = ({REVISION: None}, {REVISION: revision})
    ref = ObjectRef.of(service)
    await api.patch(SERVICES, ref, {"spec": {"selector": shared}})
    done = 3
    for before, count in itertools.pairwise(counts):
        if count != before:
            await api.scale(DEPLOYMENTS, ObjectRef.of(deployment), count)
            done += 1
    await api.patch(SERVICES, ref, {"spec": {"selector": only}})
    await api.scale(DEPLOYMENTS, ObjectRef.of(children["former"]), 0)
    return done + 2


def _children(index: int, namespace: str) -> dict[str, Manifest]:
    former, model = (a_canary(index, namespace=namespace, pause=1) for _ in range(2))
    del former["spec"]["rollout"]  # as `write_children` has made it
    model["spec"]["model"] |= {"version": "2.0.0", "digest": f"sha256:{'f' * 64}"}
    found = {child["kind"]: child for child in render(model)}
    for child in found.values():
        child["metadata"].pop("ownerReferences", None)
    return {**found, "former": next(child for child in render(former) if child["kind"] == "Deployment")}
