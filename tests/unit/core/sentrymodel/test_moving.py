"""The last pod that answers leaves a failed GPU when another one answers in its place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sentinel_operator.core.outside import Outside
from tests.support.simulation import World
from tests.unit.core.gpu.scenes import FATAL, gpu, node, on
from tests.unit.core.sentrymodel.scenes import serving, v

GPU = {"gpu": {"count": 1}}


class Nodes:
    """Gives each pod a node and a GPU of its own, and says of some of them that they have failed."""

    def __init__(self, world: World) -> None:
        self.world, self.failed = world, set[str]()
        world.watched = lambda _: self.tell()
        self.tell()

    def fail(self, *pods: str) -> None:
        self.failed |= set(pods)
        self.tell()

    def tell(self) -> None:
        world, nodes = self.world, {}
        for pod in world.pods:
            name = pod.builder.name
            pod.builder = replace(pod.builder, node=f"node-of-{name}")
            device = gpu(f"GPU-{name}", on(name), **(FATAL if name in self.failed else {}))
            nodes[f"node-of-{name}"] = node(device, at=world.now)
        world.outside = Outside(nodes=nodes)

    @property
    def pods(self) -> list[str]:
        return [pod.builder.name for pod in self.world.pods if not pod.builder.deleting]


def alone(**spec: Any) -> tuple[World, Nodes]:
    """One pod on a GPU that has just failed."""
    world = serving(v(1).with_replicas(1).with_spec(runtime=GPU, **spec))
    world.wait(60)
    nodes = Nodes(world)
    world.pass_once()
    nodes.fail(*nodes.pods)
    return world, nodes


def test_another_pod_is_ready_before_the_only_one_leaves_and_then_there_is_one_again():
    world, nodes = alone()
    (sick,) = nodes.pods
    answering = []
    tell = world.watched
    world.watched = lambda each: (tell(each), answering.append(each.ready()))[0]
    plan = world.plan()
    assert plan.evict == ()
    assert [step.replicas for step in plan.scale] == [2]
    (event,) = [each for each in plan.events if each.reason == "GPUFailed"]
    assert event.message.endswith(f"pod {sick} is on it and is moved once another one answers")
    world.settle()
    assert min(answering) == 1
    assert sick not in nodes.pods
    assert world.replicas() == {"1.0.0": 1}
    assert world.condition("GPUHealthy")["status"] == "True"
    assert world.condition("Ready")["status"] == "True"
    assert world.pass_once() == 0


def test_the_new_pod_has_to_be_among_the_endpoints_before_the_old_one_leaves():
    world, nodes = alone()
    world.pass_once()
    world.deployments_act()
    nodes.tell()
    world.kubelets_act()
    nodes.tell()
    assert world.plan().evict == ()
    world.services_act()
    assert len(world.plan().evict) == 1


def test_the_number_is_lowered_when_the_old_pod_has_ended_so_that_it_cannot_be_the_new_one_that_goes():
    world, nodes = alone()
    (sick,) = nodes.pods
    world.pass_once()
    world.deployments_act()
    world.kubelets_act()
    world.services_act()
    nodes.tell()
    world.pass_once()
    assert [pod.builder.name for pod in world.pods if pod.builder.deleting] == [sick]
    nodes.tell()
    assert world.plan().scale == ()
    world.pods = [pod for pod in world.pods if not pod.builder.deleting]
    nodes.tell()
    assert [step.replicas for step in world.plan().scale] == [1]


def test_where_no_other_gpu_is_free_the_pod_leaves_after_five_minutes():
    world, nodes = alone()
    world.pass_once()
    world.deployments_act()
    for pod in world.pods[1:]:
        created = world.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        pod.builder = replace(pod.builder.unschedulable("0/2 nodes: Insufficient nvidia.com/gpu"), created=created)
    nodes.tell()
    plan = world.plan()
    assert plan.evict == ()
    world.execute(plan)
    world.wait(299)
    nodes.tell()
    plan = world.plan()
    assert plan.evict == ()
    assert plan.requeue_after == 1
    world.wait(1)
    nodes.tell()
    assert len(world.plan().evict) == 1


def test_a_pod_that_does_not_answer_any_more_is_not_waited_for():
    world, nodes = alone()
    world.break_pods(1)
    nodes.tell()
    plan = world.plan()
    assert len(plan.evict) == 1
    assert plan.scale == ()


def test_a_gpu_that_recovers_meanwhile_ends_it():
    world, nodes = alone()
    world.pass_once()
    nodes.failed.clear()
    nodes.tell()
    assert [step.replicas for step in world.plan().scale] == [1]
    world.settle()
    assert world.replicas() == {"1.0.0": 1}


def test_a_new_pod_that_comes_to_a_broken_gpu_does_not_take_the_place_of_the_old_one():
    world, nodes = alone()
    world.pass_once()
    world.deployments_act()
    world.kubelets_act()
    world.services_act()
    nodes.fail(*nodes.pods)
    plan = world.plan()
    assert len(plan.evict) == 1
    world.execute(plan)
    assert world.ready() == 1


def test_where_a_budget_sees_to_it_no_pod_is_added():
    world = serving(v(1).with_replicas(2).with_spec(runtime=GPU))
    world.wait(60)
    nodes = Nodes(world)
    nodes.fail(*nodes.pods)
    plan = world.plan()
    assert plan.scale == ()
    assert len(plan.evict) == 2


def test_a_budget_that_lets_all_go_leaves_one():
    world = serving(v(1).with_replicas(2).with_spec(runtime=GPU, disruption={"maxUnavailable": "100%"}))
    world.wait(60)
    nodes = Nodes(world)
    nodes.fail(*nodes.pods)
    plan = world.plan()
    assert [step.replicas for step in plan.scale] == [3]
    assert len(plan.evict) == 1
    world.settle()
    assert world.replicas() == {"1.0.0": 2}
    assert not nodes.failed & set(nodes.pods)


def test_what_an_autoscaler_scales_is_left_to_it():
    world = serving(v(1).with_autoscaling(1, 1).with_spec(runtime=GPU))
    world.wait(60)
    nodes = Nodes(world)
    nodes.fail(*nodes.pods)
    plan = world.plan()
    assert plan.scale == ()
    assert len(plan.evict) == 1


def test_while_a_version_is_delivered_no_pod_is_added_for_this():
    world, nodes = alone()
    world.edit(v(2).with_replicas(1).with_spec(runtime=GPU))
    nodes.tell()
    world.pass_once()
    nodes.tell()
    assert world.status["rollout"]["candidate"]
    plan = world.plan()
    assert len(plan.evict) == 1


@pytest.mark.parametrize("spec", [{"suspend": True}, {"disruption": {"moveOffFailedGpus": False}}])
def test_nothing_is_done_where_the_user_does_not_want_it(spec: dict[str, Any]):
    world, _ = alone(**spec)
    plan = world.plan()
    assert (plan.scale, plan.evict) == ((), ())
