"""`python -m benchmarks.plans`: prints the figures and checks them against gates.yaml."""

from __future__ import annotations

import argparse
import asyncio
import sys

from benchmarks.gates import report
from benchmarks.operator.process import running
from benchmarks.plans.bare import carry_out
from benchmarks.plans.stage import allow, build, client
from benchmarks.plans.sustained import Setting, burst, sustained
from devcluster.cluster import Cluster

PARTS = ("sustained", "burst")


async def measure(cluster: Cluster, chosen: argparse.Namespace) -> dict[str, float]:
    """Runs the parts that were chosen, one after the other, on one API server."""
    figures: dict[str, float] = {}
    async with client(cluster.kubeconfig, at_once=32) as api:
        if "sustained" in chosen.parts:
            figures |= await _sustained(cluster, api, chosen)
        if "burst" in chosen.parts:
            await build(api, namespace="burst", targets=chosen.burst)
            await allow(api, namespace="burst", count=chosen.policies)
            async with running(cluster.kubeconfig) as started:
                setting = Setting(cluster=cluster, api=api, running=started, namespace="burst", targets=chosen.burst)
                figures |= await burst(setting, chosen.burst)
    return figures


async def _sustained(cluster: Cluster, api, chosen: argparse.Namespace) -> dict[str, float]:
    await build(api, namespace="bare", targets=chosen.targets)
    count = min(chosen.count, 1000)
    bare = await carry_out(api, namespace="bare", targets=chosen.targets, count=count)
    await build(api, namespace="sustained", targets=chosen.targets)
    await allow(api, namespace="sustained", count=chosen.policies)
    async with running(cluster.kubeconfig) as started:
        setting = Setting(cluster=cluster, api=api, running=started, namespace="sustained", targets=chosen.targets)
        figures = await sustained(setting, chosen.count)
    figures["bare plans a second"] = count / bare
    figures["bare plans a second / plans a second"] = count / bare / figures["plans a second"]
    return figures


def main() -> int:
    """Runs the benchmark; gives 1 when a gate does not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plans", description=__doc__)
    parser.add_argument("parts", nargs="*", default=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--count", type=int, default=15_000, help="plans one after the other")
    parser.add_argument("--targets", type=int, default=500, help="workloads that they are about")
    parser.add_argument("--burst", type=int, default=1_000, help="plans at once, each about a workload of its own")
    parser.add_argument("--policies", type=int, default=10, help="policies by which every plan is judged")
    chosen = parser.parse_args()
    with Cluster.api_only(name="plans", controller_manager=True) as cluster:
        cluster.kubectl("apply", "--server-side", "-k", "crds")
        figures = asyncio.run(measure(cluster, chosen))
    return 0 if report("plans", figures) else 1


if __name__ == "__main__":
    sys.exit(main())
