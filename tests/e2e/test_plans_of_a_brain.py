"""Plans that a brain streams over gRPC: done as a person's are, and the brain is told what became of them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from demo.load import Load
from demo.proposing import BrainPod, install_bridge
from devcluster.cluster import Cluster
from devcluster.paths import REPOSITORY
from tests.e2e.faults import STORE, node_of, node_without_store, version_of
from tests.e2e.plans import policy
from tests.e2e.rollouts import delivered, lossless, pods
from tests.e2e.world import MODEL, Raw, World, eventually

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces are made by root alone"),
    pytest.mark.xdist_group("apart"),
]
NEWER = "newer"
"""A version that no other test has delivered."""


@pytest.fixture(scope="module")
def brain(apart_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrainPod]:
    """Gives a brain that the bridge talks to."""
    install_bridge(apart_cluster)
    made = BrainPod.start(apart_cluster, tmp_path_factory.mktemp("brain"), node=node_of(apart_cluster, *STORE))
    made.connect()
    yield made
    made.disconnect()
    apart_cluster.kubectl("delete", "--wait=false", "-k", str(REPOSITORY / "manifests" / "bridge"))


def test_a_model_is_restarted_rolled_back_and_scaled(planned_world: World, planned_load: Load, brain: BrainPod) -> None:
    world = planned_world
    newer = delivered(world, {"strategy": "RollingUpdate"}, version="1.1.0")
    newer["spec"]["model"]["version"] = NEWER
    world.apply(newer)
    assert version_of(world.await_ready()) == NEWER
    before, old = planned_load.tally(), {pod["metadata"]["uid"] for pod in pods(world)}

    _done(brain, world, "restart")
    _done(brain, world, "rollback", params={"revision": "previous"})
    _done(brain, world, "scale", params={"replicas": "3", "reason": "the evening"})

    now = world.await_ready()
    assert now["status"]["readyReplicas"] == 3
    assert version_of(now) != NEWER
    assert not old & {pod["metadata"]["uid"] for pod in pods(world)}
    lossless(planned_load, before)


def test_a_node_is_drained(planned_world: World, planned_load: Load, brain: BrainPod, apart_cluster: Cluster) -> None:
    """The bridge itself may be on that node."""
    node, before = node_without_store(apart_cluster), planned_load.tally()
    try:
        _done(brain, planned_world, "drain", target={"kind": "Node", "name": node}, within=240)
        assert {pod["spec"]["nodeName"] for pod in pods(planned_world)}.isdisjoint({node})
    finally:
        apart_cluster.kubectl("uncordon", node)
    lossless(planned_load, before)


def test_a_brain_is_told_why_a_policy_forbids_it(planned_world: World, planned_load: Load, brain: BrainPod) -> None:
    was = planned_world.get("sentrymodel", MODEL)["spec"]
    with policy(planned_world, "floor", {"type": "BlastRadius", "blastRadius": {"minHealthy": 2}}):
        told = _proposed(brain, planned_world, "scale", params={"replicas": "1", "estimated_cost_per_hour": "0"})
    assert not told.get("success")
    assert "at least 2 have to" in told["message"]
    assert planned_world.get("sentrymodel", MODEL)["spec"] == was
    assert planned_load.tally().failed == 0


def test_telemetry_arrives_with_the_name_of_the_cluster(planned_world: World, brain: BrainPod) -> None:
    told = eventually(lambda: brain.told() if brain.told()["points"] else None, within=90)
    assert {"deployment_replicas_available", "deployment_replicas_desired"} <= set(told["points"])
    assert told["clusters"] == ["demo"]


def _done(brain: BrainPod, world: World, verb: str, **said: Any) -> None:
    told = _proposed(brain, world, verb, **said)
    assert told.get("success"), told
    assert told["metrics"]["state"] == "Completed"


def _proposed(
    brain: BrainPod, world: World, verb: str, *, target: Raw | None = None, within: float = 120.0, **said: Any
) -> Raw:
    """Has the brain propose one decision, about the model unless another target is given; gives what it is told."""
    plan_id = f"{world.namespace}.{verb}.{time.monotonic_ns()}"
    about = target or {"workload": MODEL, "namespace": world.namespace}
    decision = {"verb": verb, "target": about, **said}
    brain.offer({"plan_id": plan_id, "source": "InfraMind", "created_at": int(time.time()), "decisions": [decision]})
    return brain.outcome(plan_id, within=within)
