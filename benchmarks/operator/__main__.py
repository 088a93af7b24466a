"""`python -m benchmarks.operator`: prints the figures and checks them against gates.yaml."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

from benchmarks.gates import report
from benchmarks.operator.baseline import write_children
from benchmarks.operator.measure import cpu_seconds, percentile, resident_mib, written_so_far
from benchmarks.operator.process import operator
from benchmarks.operator.scenario import NAMESPACES, Fleet
from devcluster.cluster import Cluster
from sentinel_operator.engine.access import Access, Source
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.metrics import Metrics
from sentinel_operator.engine.transport import Limits, Transport


async def measure(cluster: Cluster, *, count: int, large: int, samples: int) -> dict[str, float]:
    """Runs every scenario on one API server and gives the figures by name."""
    access = await Access.open(Source(cluster.kubeconfig))
    api = KubeApi(Transport(access, metrics=Metrics(), limits=Limits(concurrency=16)))
    figures: dict[str, float] = {}
    try:
        await api.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bare"}})
        bare = await write_children(api, namespace="bare", count=count)
        figures[f"bare writes of the children of {count} models, s"] = bare
        await _first_reconcile(cluster, api, figures, count=count, samples=samples, bare=bare)
        await _resync(cluster, figures)
        if large > count:
            await _grow(cluster, api, figures, count=count, large=large)
    finally:
        await access.close()
    return figures


async def _first_reconcile(
    cluster: Cluster, api: KubeApi, figures: dict[str, float], *, count: int, samples: int, bare: float
) -> None:
    fleet = Fleet(api, "models", count)
    async with operator(cluster.kubeconfig) as pid:
        figures["memory idle, MiB"] = resident_mib(pid)
        busy, started = cpu_seconds(pid), time.perf_counter()
        creating = asyncio.create_task(fleet.create())
        await fleet.reconciled(deadline=600)
        await creating
        taken = time.perf_counter() - started
        figures["first reconcile, s"] = taken
        figures["first reconcile / bare writes"] = taken / bare
        figures["operator CPU of the first reconcile, s"] = cpu_seconds(pid) - busy
        figures["memory after the first reconcile, MiB"] = resident_mib(pid)
        latencies = await fleet.status_latency(samples)
        figures["event to status p50, s"] = percentile(latencies, 0.50)
        figures["event to status p99, s"] = percentile(latencies, 0.99)


async def _resync(cluster: Cluster, figures: dict[str, float]) -> None:
    """A fresh operator looks at everything that is there, twice, and has nothing to write."""
    async with operator(cluster.kubeconfig, "--resync=15s") as pid:
        before, busy = await written_so_far(cluster), cpu_seconds(pid)
        await asyncio.sleep(40)
        figures["writes of two no-op resyncs"] = await written_so_far(cluster) - before
        figures["operator CPU of two no-op resyncs, s"] = cpu_seconds(pid) - busy


async def _grow(cluster: Cluster, api: KubeApi, figures: dict[str, float], *, count: int, large: int) -> None:
    fleet = Fleet(api, "many", large - count)
    async with operator(cluster.kubeconfig) as pid:
        small = resident_mib(pid)
        creating = asyncio.create_task(fleet.create())
        await fleet.reconciled(deadline=3600)
        await creating
        figures[f"memory at {large}, MiB"] = resident_mib(pid)
        figures["memory slope, KiB a model"] = (resident_mib(pid) - small) * 1024 / (large - count)


def main() -> int:
    """Runs the benchmark; gives 1 when a gate does not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operator", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="models of the first reconcile")
    parser.add_argument("--large", type=int, default=0, help="models of the memory slope; 0 leaves it out")
    parser.add_argument("--samples", type=int, default=100, help="changes whose latency is measured")
    given = parser.parse_args()
    with Cluster.api_only(name="benchmark") as cluster:
        cluster.kubectl("apply", "--server-side", "-k", "crds")
        figures = asyncio.run(measure(cluster, count=given.count, large=given.large, samples=given.samples))
    return 0 if report("operator", figures) else 1


if __name__ == "__main__":
    sys.exit(main())
