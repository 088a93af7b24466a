"""A change of what a node tells wakes those whose pods are concerned, and nobody else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sentinel_operator.core.conditions import rfc3339
from sentinel_operator.engine.cache import Key, ObjectCache, Owner
from sentinel_operator.engine.telemetry import NodeTelemetries
from tests.support.builders import NOW
from tests.support.clock import FakeTimers


class Scene:
    """Models with a pod each, and what is woken."""

    def __init__(self, *names: str) -> None:
        pods = ObjectCache()
        for name in names or ("a", "b"):
            labels = {"sentinel.dev/kind": "SentryModel", "sentinel.dev/name": f"model-{name}"}
            metadata = {"namespace": "team-a", "name": name, "uid": name, "resourceVersion": "1", "labels": labels}
            pods.put({"kind": "Pod", "metadata": metadata})
        self.woken: list[str] = []
        self.later: list[tuple[str, float]] = []
        self.timers = FakeTimers()
        self.began = self.timers.time()
        self.telemetries = NodeTelemetries(pods=pods, wake=self._wake, timers=self.timers, now=self.now)

    def now(self):
        return NOW + timedelta(seconds=self.timers.time() - self.began)

    def _wake(self, owner: Owner, seconds: float) -> None:
        if seconds:
            self.later.append((owner.name, seconds))
        else:
            self.woken.append(owner.name)

    def tell(self, *pods: str, node: str = "n1", age: float = 0.0, **more: Any) -> Scene:
        on = [{"namespace": "team-a", "name": pod} for pod in pods]
        device = {"uuid": "GPU-1", "index": 0, "health": "Healthy", "pods": on, **more}
        observed = rfc3339(self.now() - timedelta(seconds=age))
        raw = {"metadata": {"name": node}, "status": {"observedAt": observed, "devices": [device]}}
        self.woken, self.later = [], []
        self.telemetries.seen(Key("", node), raw)
        return self


def test_what_matters_wakes_at_once_and_how_busy_it_is_waits():
    scene = Scene().tell("a")
    assert scene.woken == ["model-a"]
    assert scene.tell("a", utilizationPercent=80).woken == []
    assert scene.later == [("model-a", 60.0)]
    assert scene.tell("a", health="Failed", reasons=["FatalXid"]).woken == ["model-a"]


def test_who_is_about_as_busy_as_before_is_left_alone():
    scene = Scene().tell("a", utilizationPercent=78, memoryUsedBytes=1000)
    scene.tell("a", utilizationPercent=82, memoryUsedBytes=2000)
    assert (scene.woken, scene.later) == ([], [])


def test_whose_turn_is_fixed_gets_no_second_one_before_it_is_over():
    scene = Scene().tell("a")
    assert scene.tell("a", utilizationPercent=80).later == [("model-a", 60.0)]
    assert scene.tell("a", utilizationPercent=20).later == []
    scene.timers.advance(61)
    assert scene.tell("a", utilizationPercent=80).later == [("model-a", 60.0)]


def test_in_a_large_cluster_there_is_one_such_model_a_second():
    names = [f"m{number}" for number in range(200)]
    scene = Scene(*names)
    for name in names:
        scene.tell(name, node=f"node-of-{name}")
    delays = [scene.tell(name, node=f"node-of-{name}", utilizationPercent=80).later[0][1] for name in names]
    assert delays == [60.0 + number for number in range(200)]


def test_a_node_that_falls_silent_wakes_those_that_are_on_it_once():
    scene = Scene().tell("a")
    scene.timers.advance(60)
    scene.tell("a", age=20)
    scene.timers.advance(100)
    assert scene.woken == []
    scene.timers.advance(2)
    assert scene.woken == ["model-a"]
    scene.timers.advance(600)
    assert scene.woken == ["model-a"]


def test_a_node_that_speaks_again_wakes_those_that_are_on_it():
    scene = Scene().tell("a")
    scene.timers.advance(600)
    assert scene.tell("a").woken == ["model-a"]
    scene.timers.advance(30)
    assert scene.tell("a").woken == []


def test_a_node_whose_clock_is_far_behind_wakes_nobody_with_each_word():
    scene = Scene().tell("a", age=3600)
    assert scene.tell("a", age=3600).woken == []


def test_who_left_is_woken_as_well_as_who_came():
    scene = Scene().tell("a")
    assert sorted(scene.tell("b").woken) == ["model-a", "model-b"]


def test_a_node_that_is_gone_wakes_those_that_were_on_it_and_is_forgotten():
    scene = Scene().tell("a")
    scene.woken = []
    scene.telemetries.seen(Key("", "n1"), None)
    assert scene.woken == ["model-a"]
    assert scene.telemetries.of([{"spec": {"nodeName": "n1"}}]) == {}
    scene.timers.advance(600)
    assert scene.woken == ["model-a"]


def test_pods_of_others_and_nonsense_disturb_nobody():
    scene = Scene().tell("stranger")
    assert scene.woken == []
    scene.telemetries.seen(Key("", "n2"), {"metadata": {"name": "n2"}, "status": {"devices": "many"}})
    assert scene.telemetries.of([{"spec": {"nodeName": "n2"}}]) == {}
