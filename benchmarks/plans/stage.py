"""What plans are about: workloads without pods, whose controller alone decides, and policies that let them pass."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.operator.scenario import NAMESPACES
from sentinel_operator.api.kinds import ACTION_PLAN, ACTION_POLICY
from sentinel_operator.core.actionplan.stamps import REQUESTED_BY, written
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.policy.facts import Identity
from sentinel_operator.engine.access import Access, Source
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.metrics import Metrics
from sentinel_operator.engine.resources import Resource
from sentinel_operator.engine.transport import Limits, Transport

PLANS, POLICIES = Resource.of_kind(ACTION_PLAN), Resource.of_kind(ACTION_POLICY)
WORKLOADS = Resource("apps/v1", "StatefulSet", "statefulsets")
BRAIN = "benchmark"
AT_ONCE = 16


@asynccontextmanager
async def client(kubeconfig: Path, *, at_once: int = AT_ONCE) -> AsyncIterator[KubeApi]:
    """Gives a client that sends so many requests at once."""
    access = await Access.open(Source(kubeconfig))
    try:
        yield KubeApi(Transport(access, metrics=Metrics(), limits=Limits(concurrency=at_once)))
    finally:
        await access.close()


async def each(count: int, one: Callable[[int], Awaitable[object]], *, at_once: int = AT_ONCE) -> None:
    """Does something with every number, some at a time."""
    slots = asyncio.Semaphore(at_once)

    async def bounded(index: int) -> None:
        async with slots:
            await one(index)

    async with asyncio.TaskGroup() as group:
        for index in range(count):
            group.create_task(bounded(index))


async def build(api: KubeApi, *, namespace: str, targets: int) -> None:
    """Makes a namespace with its workloads, and waits until their controller has seen them all."""
    await api.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    await each(targets, lambda index: api.create(WORKLOADS, workload(index, namespace=namespace)))
    async with asyncio.timeout(600):
        while not all(map(_is_seen, (await api.list(WORKLOADS, namespace=namespace))[0])):  # noqa: ASYNC110
            await asyncio.sleep(0.5)


async def allow(api: KubeApi, *, namespace: str, count: int) -> None:
    """Makes policies that all judge every plan of the namespace, and let it pass."""
    for index in range(count):
        await api.create(POLICIES, policy(index, namespace=namespace))


def workload(index: int, *, namespace: str) -> Manifest:
    """Gives a StatefulSet without pods: a restart is a change of its template, which its controller takes notice of
    by a new revision and its status, and no kubelet is needed."""
    labels = {"app": name_of(index)}
    pod = {"containers": [{"name": "main", "image": "registry.test/web:1"}]}
    return {
        "apiVersion": WORKLOADS.api_version,
        "kind": WORKLOADS.kind,
        "metadata": {"name": name_of(index), "namespace": namespace},
        "spec": {
            "replicas": 0,
            "serviceName": "none",
            "revisionHistoryLimit": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def policy(index: int, *, namespace: str) -> Manifest:
    """Gives a policy of two rules: a rate of each workload, and another by turns."""
    others: tuple[Manifest, ...] = (
        {"type": "Quota", "quota": {"maxReplicas": 20}},
        {"type": "BlastRadius", "blastRadius": {"maxTargets": 10_000}},
        {"type": "ChangeFreeze", "changeFreeze": {"windows": [{"start": _LONG_AGO[0], "end": _LONG_AGO[1]}]}},
    )
    rate = {"type": "RateLimit", "rateLimit": {"maxPerMinute": 1000 + index, "scope": "Workload"}}
    return {
        "apiVersion": POLICIES.api_version,
        "kind": POLICIES.kind,
        "metadata": {"name": f"{namespace}-{index:03d}"},
        "spec": {"selector": {"namespaces": [namespace]}, "rules": [rate, others[index % len(others)]]},
    }


_LONG_AGO = ("2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z")


def plan(index: int, *, namespace: str, target: int, by: str = BRAIN, stamped: bool = True) -> Manifest:
    """Gives a plan that restarts one workload. Where admission does not say who made it, it is written down here."""
    target_ = {"apiVersion": WORKLOADS.api_version, "kind": WORKLOADS.kind, "name": name_of(target)}
    annotations = {"annotations": {REQUESTED_BY: written(Identity(username=by))}} if stamped else {}
    return {
        "apiVersion": PLANS.api_version,
        "kind": PLANS.kind,
        "metadata": {"name": f"plan-{index:06d}", "namespace": namespace, **annotations},
        "spec": {
            "planId": f"{namespace}-{index:06d}",
            "source": by,
            "decisions": [{"id": "restart", "verb": "restart", "target": target_}],
        },
    }


def name_of(target: int) -> str:
    """Names a workload."""
    return f"web-{target:05d}"


def _is_seen(raw: Manifest) -> bool:
    seen = (raw.get("status") or {}).get("observedGeneration")
    return bool(seen == raw["metadata"]["generation"])
