"""`python -m benchmarks.plans`: prints the figures and checks them against gates.yaml."""

from __future__ import annotations

import argparse
import asyncio
import sys

from benchmarks.gates import report
from benchmarks.operator.process import running
from benchmarks.plans.bare import carry_out
from benchmarks.plans.finished import compared, idle
from benchmarks.plans.stage import PLANS, allow, build, client
from benchmarks.plans.sustained import Setting, burst, sustained
from benchmarks.plans.webhook import webhook
from devcluster.cluster import Cluster
from sentinel_operator.engine.kube import KubeApi

PARTS = ("webhook", "sustained", "burst", "finished")


async def measure(cluster: Cluster, chosen: argparse.Namespace) -> dict[str, float]:
    """Runs the parts that were chosen, one after the other, on one API server. The plans that the one about many leaves
    behind are those beside which an operator has nothing to do."""
    figures: dict[str, float] = {}
    async with client(cluster.kubeconfig, at_once=32) as api:
        await build(api, namespace="idle", targets=1)
        without = await idle(cluster, api, namespace="idle", number=0, over=0) if "finished" in chosen.parts else None
        if "webhook" in chosen.parts:
            figures |= await webhook(cluster, api, rounds=chosen.rounds)
        if "sustained" in chosen.parts:
            figures |= await _sustained(cluster, api, chosen)
        if "burst" in chosen.parts:
            figures |= await _burst(cluster, api, chosen)
        if without is not None:
            over = len((await api.list(PLANS))[0])
            figures |= compared(without, await idle(cluster, api, namespace="idle", number=1, over=over))
    return figures


async def _burst(cluster: Cluster, api: KubeApi, chosen: argparse.Namespace) -> dict[str, float]:
    await build(api, namespace="burst", targets=chosen.burst)
    await allow(api, namespace="burst", count=chosen.policies)
    async with running(cluster.kubeconfig) as started:
        setting = Setting(cluster=cluster, api=api, running=started, namespace="burst", targets=chosen.burst)
        return await burst(setting, chosen.burst)


async def _sustained(cluster: Cluster, api: KubeApi, chosen: argparse.Namespace) -> dict[str, float]:
    await build(api, namespace="bare", targets=chosen.targets)
    count = min(chosen.count, 1000)
    bare = await carry_out(api, namespace="bare", targets=chosen.targets, count=count)
    await build(api, namespace="sustained", targets=chosen.targets)
    await allow(api, namespace="sustained", count=chosen.policies)
    async with running(cluster.kubeconfig) as started:
        setting = Setting(cluster=cluster, api=api, running=started, namespace="sustained", targets=chosen.targets)
        figures = await sustained(setting, chosen.count, longest=chosen.seconds)
    figures["bare plans a second"] = count / bare
    figures["bare plans a second / plans a second"] = count / bare / figures["plans a second"]
    return figures


def main() -> int:
    """Runs the benchmark; gives 1 when a gate does not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plans", description=__doc__)
    parser.add_argument("parts", nargs="*", default=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--count", type=int, default=15_000, help="plans one after the other")
    parser.add_argument("--seconds", type=float, default=3600, help="after which no more are posted")
    parser.add_argument("--targets", type=int, default=500, help="workloads that they are about")
    parser.add_argument("--rounds", type=int, default=10, help="times that two hundred plans are created at once")
    parser.add_argument("--burst", type=int, default=1_000, help="plans at once, each about a workload of its own")
    parser.add_argument("--policies", type=int, default=10, help="policies by which every plan is judged")
    chosen = parser.parse_args()
    with Cluster.api_only(name="plans", controller_manager=True) as cluster:
        cluster.kubectl("apply", "--server-side", "-k", "crds")
        figures = asyncio.run(measure(cluster, chosen))
    return 0 if report("plans", figures) else 1


if __name__ == "__main__":
    sys.exit(main())
