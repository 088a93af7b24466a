"""What the plans that are over cost the operator: nothing, but for the memory of their names."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from benchmarks.operator.measure import cpu_seconds, resident_mib
from benchmarks.operator.process import running
from benchmarks.plans.following import Following
from devcluster.cluster import Cluster
from sentinel_operator.engine.kube import KubeApi

_QUIET = 10.0
_IDLE = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """An operator with nothing to do."""

    plans: int
    """That are over."""
    ready: float
    """Seconds from the start of the process until it says that it is ready."""
    judged: float
    """Seconds from there until a plan that is posted then was judged."""
    cpu: float
    """Share of a core, in percent."""
    memory: float
    """Resident, in MiB."""


async def idle(cluster: Cluster, api: KubeApi, *, namespace: str, number: int, over: int) -> Idle:
    """Starts an operator beside so many plans that are over, has it judge one more, and leaves it alone."""
    began = time.perf_counter()
    async with running(cluster.kubeconfig) as started:
        ready = time.perf_counter()
        plans = Following(api, namespace, 1)
        following = asyncio.create_task(plans.follow())
        await plans.post(number)
        await plans.until(lambda: bool(plans.judged))
        judged = min(plans.judged.values())
        await plans.finished(1)
        following.cancel()
        await asyncio.sleep(_QUIET)
        busy = cpu_seconds(started.pid)
        await asyncio.sleep(_IDLE)
        return Idle(
            plans=over,
            ready=ready - began,
            judged=judged - ready,
            cpu=(cpu_seconds(started.pid) - busy) * 100 / _IDLE,
            memory=resident_mib(started.pid),
        )


def compared(without: Idle, beside: Idle) -> dict[str, float]:
    """Gives what the plans cost, by name."""
    return {
        "finished plans": beside.plans - without.plans,
        "finished: CPU idle, % of a core": beside.cpu,
        "finished: CPU idle without them, % of a core": without.cpu,
        "finished: CPU idle more than without them, % of a core": beside.cpu - without.cpu,
        "finished: memory, MiB": beside.memory,
        "finished: memory without them, MiB": without.memory,
        "finished: memory a plan, KiB": (beside.memory - without.memory) * 1024 / (beside.plans - without.plans),
        "finished: start until ready, s": beside.ready,
        "finished: start until ready without them, s": without.ready,
        "finished: ready until a plan is judged, s": beside.judged,
        "finished: ready until a plan is judged without them, s": without.judged,
    }
