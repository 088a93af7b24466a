"""`python -m benchmarks.rollouts`: prints the figures and checks them against gates.yaml. It takes ten minutes: a step
is as long as one that nobody has declared."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

from benchmarks.gates import report
from benchmarks.operator.measure import cpu_seconds, percentile, resident_mib, written_by_resource
from benchmarks.operator.process import operator
from benchmarks.rollouts.bare import deliver
from benchmarks.rollouts.canaries import HOLDS, STEPS, Canaries
from benchmarks.rollouts.nodes import Nodes
from devcluster.cluster import Cluster
from sentinel_operator.api.rollout import DEFAULT_STEP_SECONDS
from sentinel_operator.engine.access import Access, Source
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.metrics import Metrics
from sentinel_operator.engine.transport import Limits, Transport

NOT_THE_OPERATORS = ("pods", "pods/status", "endpointslices", "sentrymodels")
"""What the stand-in for the nodes writes, and the edit that begins a canary."""


async def measure(cluster: Cluster, *, count: int, pause: float) -> dict[str, float]:
    """Delivers a version to every model at once and gives the figures by name."""
    access = await Access.open(Source(cluster.kubeconfig))
    api = KubeApi(Transport(access, metrics=Metrics(), limits=Limits(concurrency=16)))
    try:
        bare, least = await deliver(api, namespace="bare", count=count)
        figures = {"bare writes of a canary": least / count, "bare writes of all, s": bare}
        canaries = Canaries(api, "canaries", count, pause)
        async with asyncio.TaskGroup() as group:
            others = [group.create_task(each) for each in (canaries.follow(), Nodes(api, "canaries").run())]
            figures |= await _delivered(cluster, canaries)
            for each in others:
                each.cancel()
    finally:
        await access.close()
    written = figures["operator's writes a canary"]
    figures["operator's writes a step"] = written / STEPS
    figures["operator's writes / bare writes"] = written * count / least
    figures["operator CPU / time of the bare writes"] = figures["operator CPU of all, s"] / bare
    return figures


async def _delivered(cluster: Cluster, canaries: Canaries) -> dict[str, float]:
    async with operator(cluster.kubeconfig) as pid:
        await canaries.create()
        await canaries.served(deadline=600)
        before, busy, started = await written_by_resource(cluster), cpu_seconds(pid), time.perf_counter()
        await canaries.update()
        await canaries.delivered(deadline=600 + 4 * canaries.pause)
        taken = time.perf_counter() - started
        written = await written_by_resource(cluster) - before
        figures = {"operator CPU of all, s": cpu_seconds(pid) - busy, "memory after, MiB": resident_mib(pid)}
    for resource in NOT_THE_OPERATORS:
        del written[resource]
    for resource, number in written.items():
        figures[f"writes a canary: {resource}"] = number / canaries.count
    figures["operator's writes a canary"] = written.total() / canaries.count
    figures["operator's writes a second"] = written.total() / taken
    return figures | _on_time(canaries)


def _on_time(canaries: Canaries) -> dict[str, float]:
    """Gives the time at each step as a multiple of what was declared for it."""
    figures: dict[str, float] = {}
    every: list[float] = []
    for step, weight in HOLDS.items():
        ratios = [length / canaries.pause for length in canaries.lengths(step)]
        figures[f"pause at {weight} % / declared, p50"] = percentile(ratios, 0.5)
        every += ratios
    figures["step / declared p50"] = percentile(every, 0.50)
    figures["step / declared p99"] = percentile(every, 0.99)
    figures["step / declared max"] = max(every)
    figures["steps seen / steps"] = len(every) / (len(HOLDS) * canaries.count)
    figures["whole delivery p50, s"] = percentile(canaries.whole(), 0.50)
    figures["whole delivery max, s"] = max(canaries.whole())
    return figures


def main() -> int:
    """Runs the benchmark; gives 1 when a gate does not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rollouts", description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="canaries at once")
    parser.add_argument("--pause", type=float, default=DEFAULT_STEP_SECONDS, help="seconds declared for each step")
    given = parser.parse_args()
    with Cluster.api_only(name="rollouts") as cluster:
        cluster.kubectl("apply", "--server-side", "-k", "crds")
        figures = asyncio.run(measure(cluster, count=given.count, pause=given.pause))
    return 0 if report("rollouts", figures) else 1


if __name__ == "__main__":
    sys.exit(main())
