"""What is not the model's own: waited for, named, and never touched."""

from __future__ import annotations

import copy

from tests.support.builders import NOW, a_model, a_pod
from tests.support.simulation import World
from tests.unit.core.sentrymodel.scenes import full


def of_somebody_else(child: dict) -> dict:
    stranger = copy.deepcopy(child)
    stranger["metadata"]["ownerReferences"][0]["uid"] = "a-former-object-of-this-name"
    return stranger


def test_children_of_a_former_namesake_are_waited_for_and_not_touched():
    world = World.of(a_model().with_replicas(2))
    world.settle()
    world.lose_status()
    world.objects = {key: of_somebody_else(child) for key, child in world.objects.items()}
    plan = world.plan()
    assert (plan.apply, plan.scale, plan.delete) == ((), (), ())
    world.pass_once()
    assert world.condition("Ready")["reason"] == "NameConflict"
    assert world.condition("Reconciling")["status"] == "True"
    assert "another owner" in world.condition("Ready")["message"]
    assert "Service team-a/fraud" in world.condition("Ready")["message"]
    world.objects, world.pods = {}, []
    world.settle()
    assert world.condition("Ready")["status"] == "True"


def test_an_object_that_is_not_ours_is_neither_pruned_nor_scaled():
    world = full()
    for key in (("HorizontalPodAutoscaler", "fraud"), ("HTTPRoute", "fraud")):
        world.objects[key] = of_somebody_else(world.objects[key])
    world.edit(a_model().with_replicas(1))
    assert not [step for step in world.plan().delete if step.ref.kind in {"HorizontalPodAutoscaler", "HTTPRoute"}]


def test_what_is_not_there_yet_is_not_taken_from_whoever_may_have_it():
    world = World.of(a_model())
    assert not any(step.force for step in world.plan().apply)
    world.settle()
    assert all(step.force for step in world.plan().apply)


def test_deletes_are_pinned_to_the_object_that_was_seen():
    world = full()
    world.edit(a_model().with_replicas(1))
    deletes = world.plan().delete
    assert deletes
    assert all(step.ref.uid == world.objects[step.ref.kind, step.ref.name]["metadata"]["uid"] for step in deletes)


def test_pods_that_serve_nobody_of_ours_do_not_count():
    world = World.of(a_model().with_replicas(2))
    world.settle()
    copied = copy.deepcopy(world.pods[0].builder.raw)
    copied["metadata"] |= {"name": "debug", "ownerReferences": []}
    going = a_pod(world.pods[0].builder.deployment, "going").ready().going().raw
    evicted = a_pod(world.pods[0].builder.deployment, "evicted").raw
    evicted["status"]["phase"] = "Failed"
    adopted = copy.deepcopy(world.pods[0].builder.raw)
    adopted["metadata"] |= {"name": "theirs"}
    adopted["metadata"]["ownerReferences"][0]["name"] = "a-replicaset-of-theirs"
    pods = (*(pod.builder.raw for pod in world.pods), copied, adopted, going, evicted)
    seen = world.reconciler.observe(world.model, tuple(world.objects.values()), pods, {}, world.config, NOW)
    assert seen.ready(world.status["stable"]["revision"]) == 2
