"""A model's own status says which GPUs its pods are on and how those are; pods leave one that has failed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sentinel_operator.core.outside import Outside
from tests.support.simulation import World
from tests.unit.core.gpu.scenes import FATAL, XID, gpu, node, on
from tests.unit.core.sentrymodel.scenes import serving, v

GPU = {"gpu": {"count": 1}}


def world_with(**spec: Any) -> World:
    """Two pods, each on a node and a GPU of its own."""
    world = serving(v(1).with_replicas(2).with_spec(runtime=GPU, **spec))
    world.wait(60)
    return tell(world, {})


def tell(world: World, more: dict[int, dict[str, Any]], *, age: float = 0) -> World:
    nodes = {}
    for number, pod in enumerate(world.pods):
        pod.builder = replace(pod.builder, node=f"n{number}")
        device = gpu(f"GPU-{number}", on(pod.builder.name, utilizationPercent=42), **more.get(number, {}))
        nodes[f"n{number}"] = node(device, at=world.now - timedelta(seconds=age))
    world.outside = Outside(nodes=nodes)
    return world


def test_the_status_names_each_gpu_and_rounds_how_busy_it_is():
    world = world_with()
    world.pass_once()
    told = world.status["gpu"]
    assert [(each["uuid"], each["node"], each["health"], each["utilizationPercent"]) for each in told] == [
        ("GPU-0", "n0", "Healthy", 40),
        ("GPU-1", "n1", "Healthy", 40),
    ]
    assert world.condition("GPUHealthy")["status"] == "True"
    assert world.pass_once() == 0


def test_a_fatal_xid_is_told_once_and_its_pod_is_evicted_and_no_other():
    world = world_with()
    world.pass_once()
    tell(world, {0: {**FATAL, "lastXid": XID}})
    plan = world.plan()
    assert [each.ref.name for each in plan.evict] == [world.pods[0].builder.name]
    (event,) = [each for each in plan.events if each.reason == "GPUFailed"]
    assert event.message == (
        f"GPU GPU-0 of node n0: FatalXid (Xid 79); pod {world.pods[0].builder.name} is on it and is moved"
    )
    world.execute(replace(plan, evict=()))  # as where the budget forbids it for now
    condition = world.condition("GPUHealthy")
    assert (condition["status"], condition["reason"]) == ("False", "GPUFailed")
    again = world.plan()
    assert [each.reason for each in again.events] == []
    assert again.evict == plan.evict
    assert again.requeue_after == 5


def test_a_pod_that_has_just_come_to_a_broken_gpu_is_left_alone_for_a_while():
    world = world_with()
    pod = world.pods[0]
    pod.builder = replace(pod.builder, created=world.now.strftime("%Y-%m-%dT%H:%M:%SZ"))
    tell(world, {0: FATAL})
    plan = world.plan()
    assert plan.evict == ()
    assert plan.requeue_after is not None
    assert plan.requeue_after <= 30
    world.wait(31)
    assert len(tell(world, {0: FATAL}).plan().evict) == 1


@pytest.mark.parametrize("health", ["Degraded", "Healthy", "Unknown"])
def test_a_gpu_that_is_only_worse_keeps_its_pod(health: str):
    world = tell(world_with(), {0: {"health": health, "reasons": ["HardwareSlowdown"]}})
    assert world.plan().evict == ()


def test_a_node_that_says_nothing_any_more_moves_nobody_and_is_not_called_healthy():
    world = tell(world_with(), {0: FATAL}, age=300)
    assert world.plan().evict == ()
    world.pass_once()
    condition = world.condition("GPUHealthy")
    assert (condition["status"], condition["reason"]) == ("Unknown", "NoTelemetry")


def test_pods_stay_where_the_user_wants_them_to_and_where_nothing_may_be_changed():
    kept = tell(world_with(disruption={"maxUnavailable": 1, "moveOffFailedGpus": False}), {0: FATAL})
    assert kept.plan().evict == ()
    suspended = tell(world_with(suspend=True), {0: FATAL})
    assert suspended.plan().evict == ()


def test_a_model_without_gpus_has_nothing_to_say_of_them():
    world = serving(v(1))
    assert world.condition("GPUHealthy") == {}
    assert "gpu" not in world.status
