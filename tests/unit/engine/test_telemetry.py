"""A change of what a node tells wakes those whose pods are concerned, and nobody else."""

from __future__ import annotations

from typing import Any

from sentinel_operator.engine.cache import Key, ObjectCache, Owner
from sentinel_operator.engine.telemetry import NodeTelemetries


class Scene:
    """Two models with a pod each, and what is woken."""

    def __init__(self) -> None:
        pods = ObjectCache()
        for name in ("a", "b"):
            labels = {"sentinel.dev/kind": "SentryModel", "sentinel.dev/name": f"model-{name}"}
            metadata = {"namespace": "team-a", "name": name, "uid": name, "resourceVersion": "1", "labels": labels}
            pods.put({"kind": "Pod", "metadata": metadata})
        self.woken: list[str] = []
        self.later: list[tuple[str, float]] = []
        self.telemetries = NodeTelemetries(pods=pods, wake=self._wake)

    def _wake(self, owner: Owner, seconds: float) -> None:
        if seconds:
            self.later.append((owner.name, seconds))
        else:
            self.woken.append(owner.name)

    def tell(self, *pods: str, **more: Any) -> Scene:
        on = [{"namespace": "team-a", "name": pod} for pod in pods]
        device = {"uuid": "GPU-1", "index": 0, "health": "Healthy", "pods": on, **more}
        raw = {"metadata": {"name": "n1"}, "status": {"observedAt": "2025-03-01T12:00:00Z", "devices": [device]}}
        self.woken, self.later = [], []
        self.telemetries.seen(Key("", "n1"), raw)
        return self


def test_what_matters_wakes_at_once_and_how_busy_it_is_waits():
    scene = Scene().tell("a")
    assert scene.woken == ["model-a"]
    assert scene.tell("a", utilizationPercent=80).woken == []
    assert scene.later == [("model-a", 60.0)]
    assert scene.tell("a", health="Failed", reasons=["FatalXid"]).woken == ["model-a"]


def test_who_left_is_woken_as_well_as_who_came():
    scene = Scene().tell("a")
    assert sorted(scene.tell("b").woken) == ["model-a", "model-b"]


def test_a_node_that_is_gone_wakes_those_that_were_on_it_and_is_forgotten():
    scene = Scene().tell("a")
    scene.woken = []
    scene.telemetries.seen(Key("", "n1"), None)
    assert scene.woken == ["model-a"]
    assert scene.telemetries.of([{"spec": {"nodeName": "n1"}}]) == {}


def test_pods_of_others_and_nonsense_disturb_nobody():
    scene = Scene().tell("stranger")
    assert scene.woken == []
    scene.telemetries.seen(Key("", "n2"), {"metadata": {"name": "n2"}, "status": {"devices": "many"}})
    assert scene.telemetries.of([{"spec": {"nodeName": "n2"}}]) == {}
