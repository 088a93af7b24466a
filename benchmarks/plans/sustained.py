"""Plans one after the other, many under way: how many a second are carried out, each once, and by how many requests."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchmarks.operator.measure import cpu_seconds, percentile, resident_mib, written_by_resource
from benchmarks.operator.process import Running, requests_of
from benchmarks.plans.following import Following
from benchmarks.plans.stage import WORKLOADS, each
from devcluster.cluster import Cluster
from sentinel_operator.engine.kube import KubeApi

UNFINISHED = 200
"""So many plans are under way at once, at most."""
SOON = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """An operator that runs, and the plans that are posted to it."""

    cluster: Cluster
    api: KubeApi
    running: Running
    namespace: str
    targets: int


async def sustained(setting: Setting, most: int, *, longest: float) -> dict[str, float]:
    """Posts plans as long as not too many are under way, until there are enough or the time is over; gives the figures
    by name."""
    async with _followed(setting) as plans:
        slots = asyncio.Semaphore(UNFINISHED)
        before = await _Cost.now(setting)
        poster = asyncio.create_task(_post(plans, most, slots, until=time.perf_counter() + longest))
        poster.add_done_callback(plans.wake)
        ended = 0
        while not poster.done():
            known = ended
            await plans.until(lambda known=known: len(plans.ended) > known or poster.done())
            ended = len(plans.ended)
            for _ in range(ended - known):
                slots.release()
        count = await poster
        await plans.finished(count)
        cost = await _Cost.now(setting) - before
        figures = await _judge(setting, plans, count)
    return {
        "sustained: plans": count,
        "plans a second": count / plans.seconds,
        "sustained: a plan p50, s": percentile(plans.taken(), 0.5),
        "sustained: a plan p99, s": percentile(plans.taken(), 0.99),
        "operator CPU a plan, ms": cost.cpu * 1000 / count,
        "operator's requests a plan": cost.requests.total() / count,
        "writes of all a plan": cost.writes.total() / count,
        "memory after, MiB": resident_mib(setting.running.pid),
        **{f"CPU a plan, ms: {role}": seconds * 1000 / count for role, seconds in cost.others.items()},
        **{f"requests a plan: {name}": number / count for name, number in cost.requests.most_common(8)},
        **{f"sustained: {name}": value for name, value in figures.items()},
    }


async def burst(setting: Setting, count: int) -> dict[str, float]:
    """Posts one plan for each of so many workloads at once; gives how soon they were carried out."""
    async with _followed(setting) as plans:
        posting = asyncio.create_task(each(count, plans.post))
        await plans.finished(count)
        await posting
        figures = await _judge(setting, plans, count)
    taken = plans.taken()
    return {
        "burst: carried out within 30 s": sum(each_ <= SOON for each_ in taken) / count,
        "burst: a plan p50, s": percentile(taken, 0.5),
        "burst: a plan p99, s": percentile(taken, 0.99),
        "burst: all, s": plans.seconds,
        **{f"burst: {name}": value for name, value in figures.items()},
    }


async def _post(plans: Following, most: int, slots: asyncio.Semaphore, *, until: float) -> int:
    async with asyncio.TaskGroup() as group:
        for index in range(most):
            await slots.acquire()
            if time.perf_counter() > until:
                return index
            group.create_task(plans.post(index))
    return most


async def _judge(setting: Setting, plans: Following, count: int) -> dict[str, float]:
    """Tells how many plans were not completed, and how many changes there are too many or too few."""
    items, _ = await setting.api.list(WORKLOADS, namespace=setting.namespace)
    wanted = Counter(index % setting.targets for index in range(count))
    made = {int(each_["metadata"]["name"].rpartition("-")[2]): each_["metadata"]["generation"] - 1 for each_ in items}
    return {
        "plans that were not completed": count - plans.states["Completed"],
        "changes that were not made once": sum(abs(made[index] - wanted[index]) for index in made),
    }


@asynccontextmanager
async def _followed(setting: Setting) -> AsyncIterator[Following]:
    plans = Following(setting.api, setting.namespace, setting.targets)
    task = asyncio.create_task(plans.follow())
    try:
        yield plans
    finally:
        task.cancel()


@dataclass(frozen=True, slots=True)
class _Cost:
    cpu: float
    others: dict[str, float]
    """Of whatever else of the cluster runs on the machine."""
    requests: Counter[str]
    writes: Counter[str]

    @classmethod
    async def now(cls, setting: Setting) -> _Cost:
        running, processes = setting.running, setting.cluster.processes
        pids = {role: processes.pid(role) for role in processes.roles()} | {"load generator": os.getpid()}
        return cls(
            cpu_seconds(running.pid),
            {role: cpu_seconds(pid) for role, pid in pids.items() if pid is not None},
            await requests_of(running),
            await written_by_resource(setting.cluster),
        )

    def __sub__(self, before: _Cost) -> _Cost:
        others = {role: seconds - before.others[role] for role, seconds in self.others.items()}
        return _Cost(self.cpu - before.cpu, others, self.requests - before.requests, self.writes - before.writes)
