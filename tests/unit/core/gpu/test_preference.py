"""Pods that ask for GPUs prefer nodes whose GPUs are well, and nothing is made anew for it."""

from __future__ import annotations

import copy
from typing import Any

from tests.support.builders import ModelBuilder
from tests.support.simulation import World
from tests.unit.core.sentrymodel.scenes import serving, v

GPU = {"gpu": {"count": 1}}
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
ZONE = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}


def a_gpu_model(**spec: Any) -> ModelBuilder:
    return v(1).with_spec(runtime=GPU, **spec)


def deployment(world: World) -> Any:
    (found,) = [each for (kind, _), each in world.objects.items() if kind == "Deployment"]
    return found


def affinity(world: World) -> Any:
    return deployment(world)["spec"]["template"]["spec"].get("affinity")


def test_a_node_with_a_gpu_at_fault_is_not_preferred():
    (term,) = affinity(serving(a_gpu_model()))["nodeAffinity"][PREFERRED]
    (rule,) = term["preference"]["matchExpressions"]
    assert rule == {"key": "sentinel.dev/gpu-health", "operator": "NotIn", "values": ["Degraded", "Failed"]}


def test_what_the_user_says_of_nodes_stays():
    theirs = {
        "nodeAffinity": {
            REQUIRED: {"nodeSelectorTerms": [ZONE]},
            PREFERRED: [{"weight": 7, "preference": ZONE}],
        },
        "podAffinity": {REQUIRED: [{"topologyKey": "zone"}]},
    }
    found = affinity(serving(a_gpu_model(pod={"affinity": copy.deepcopy(theirs)})))
    assert found["podAffinity"] == theirs["podAffinity"]
    assert found["nodeAffinity"][REQUIRED] == theirs["nodeAffinity"][REQUIRED]
    first, second = found["nodeAffinity"][PREFERRED]
    assert first == theirs["nodeAffinity"][PREFERRED][0]
    assert second["preference"]["matchExpressions"][0]["key"] == "sentinel.dev/gpu-health"


def test_a_model_without_gpus_does_not_care():
    assert affinity(serving(v(1))) is None


def test_pods_that_were_made_without_it_are_not_made_anew():
    world = serving(a_gpu_model())
    del deployment(world)["spec"]["template"]["spec"]["affinity"]  # as an operator made it that knew of no such thing
    assert world.pass_once() == 0
    assert affinity(world) is None
    world.edit(v(2).with_spec(runtime=GPU))
    world.settle()
    made = [each for (kind, _), each in world.objects.items() if kind == "Deployment" and each["spec"]["replicas"]]
    assert ["affinity" in each["spec"]["template"]["spec"] for each in made] == [True]
