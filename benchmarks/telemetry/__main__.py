"""`python -m benchmarks.telemetry`: prints the figures and checks them against gates.yaml.

Every GPU pod of a few hundred models is on a node of its own where there are that many, so that as many writes as
possible concern a model; and the utilisation of every GPU is another one at each write.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

from benchmarks.gates import report
from benchmarks.operator.measure import cpu_seconds, percentile, resident_mib, written_by_resource
from benchmarks.operator.process import operator
from benchmarks.operator.scenario import MODELS, SELECTOR
from benchmarks.rollouts.nodes import PODS, Nodes, follow
from benchmarks.telemetry.agents import Agents, node_of
from benchmarks.telemetry.models import GpuModels
from devcluster.cluster import Cluster
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.access import Access, Source
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.metrics import Metrics
from sentinel_operator.engine.transport import Limits, Transport

SETTLE = 75.0
"""Seconds until what the arrival of the nodes has caused is over: a model is looked at again once a minute."""


async def measure(cluster: Cluster, *, models: int, nodes: int, seconds: float, samples: int) -> dict[str, float]:
    """Gives the figures by name."""
    access = await Access.open(Source(cluster.kubeconfig))
    api = KubeApi(Transport(access, metrics=Metrics(), limits=Limits(concurrency=16)))
    fleet, agents = GpuModels(api, "gpus", models), Agents(api, nodes)
    stand_in = Nodes(api, fleet.namespace, place=lambda number: {"nodeName": node_of(number % nodes)})
    try:
        async with asyncio.TaskGroup() as group, operator(cluster.kubeconfig) as pid:
            others = [group.create_task(each) for each in (follow(api, MODELS, fleet.seen), stand_in.run())]
            await fleet.create()
            await fleet.served(deadline=600)
            figures = await _joined(cluster, api, fleet, agents, pid, seconds=seconds, samples=samples)
            for each in others:
                each.cancel()
    finally:
        await access.close()
    return figures


async def _joined(
    cluster: Cluster, api: KubeApi, fleet: GpuModels, agents: Agents, pid: int, *, seconds: float, samples: int
) -> dict[str, float]:
    pods, _ = await api.list(PODS, namespace=fleet.namespace, query=SELECTOR)
    agents.place(pods)
    await asyncio.sleep(SETTLE)
    without, _, _ = await _window(cluster, pid, seconds)
    await agents.create()
    async with asyncio.TaskGroup() as group:
        writing = group.create_task(agents.run())
        await asyncio.sleep(SETTLE)
        told = agents.written
        with_them, written, taken = await _window(cluster, pid, seconds)
        told = agents.written - told
        seen = [await _until_seen(fleet, agents, pod) for pod in pods[: 2 * samples : 2]]
        writing.cancel()
    return {
        "pods on GPUs": len(pods),
        "CPU without telemetry, % of a core": without,
        "CPU with telemetry, % of a core": with_them,
        "CPU of the telemetry, % of a core": with_them - without,
        "agents' writes, /s": told / taken,
        "writes of NodeTelemetry at the API server, /s": written["nodetelemetries/status"] / taken,
        "writes of SentryModel at the API server, /s": written["sentrymodels/status"] / taken,
        "memory, MiB": resident_mib(pid),
        "node's write to model's status p50, s": percentile(seen, 0.5),
        "node's write to model's status p99, s": percentile(seen, 0.99),
    }


async def _window(cluster: Cluster, pid: int, seconds: float):
    """Gives what the operator spends, in percent of a core, what is written meanwhile, and how long that took."""
    before, busy, started = await written_by_resource(cluster), cpu_seconds(pid), time.perf_counter()
    await asyncio.sleep(seconds)
    spent, taken = cpu_seconds(pid) - busy, time.perf_counter() - started
    return 100 * spent / taken, await written_by_resource(cluster) - before, taken


async def _until_seen(fleet: GpuModels, agents: Agents, pod: Manifest) -> float:
    """Gives the seconds from the moment at which an agent writes that a GPU is hurt to when the model tells it."""
    started = time.perf_counter()
    await agents.hurt(pod["spec"]["nodeName"])
    await fleet.hurt(pod["metadata"]["name"], deadline=60)
    return time.perf_counter() - started


def main() -> int:
    """Runs the benchmark; gives 1 when a gate does not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.telemetry", description=__doc__)
    parser.add_argument("--models", type=int, default=400, help="models, each with two pods on a GPU")
    parser.add_argument("--nodes", type=int, default=1000, help="nodes, each with eight GPUs")
    parser.add_argument("--seconds", type=float, default=120.0, help="how long each of the two windows is")
    parser.add_argument("--samples", type=int, default=50, help="GPUs that are hurt, to see how soon a model tells it")
    given = parser.parse_args()
    with Cluster.api_only(name="telemetry") as cluster:
        cluster.kubectl("apply", "--server-side", "-k", "crds")
        figures = asyncio.run(
            measure(cluster, models=given.models, nodes=given.nodes, seconds=given.seconds, samples=given.samples)
        )
    return 0 if report("telemetry", figures) else 1


if __name__ == "__main__":
    sys.exit(main())
