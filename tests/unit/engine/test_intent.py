"""What counts as a difference between an intent and the live object, and what does not."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sentinel_operator.engine.intent import HASH_ANNOTATION, differences, sealed


def deployment(**spec: Any) -> dict[str, Any]:
    container = {
        "name": "server",
        "image": "server:1",
        "env": [{"name": "A", "value": "1000m"}],
        "ports": [{"containerPort": 8080, "name": "http"}],
        "resources": {"requests": {"cpu": "1000m", "memory": "1024Mi"}},
        "volumeMounts": [{"mountPath": "/tmp", "name": "tmp"}],
    }
    template = {"spec": {"containers": [container], "volumes": [{"name": "tmp", "emptyDir": {}}]}}
    return {"metadata": {"name": "x"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template, **spec}}


def container_of(manifest: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = manifest["spec"]["template"]["spec"]["containers"][0]
    return found


def defaulted(live: dict[str, Any]) -> None:
    live["spec"] |= {"replicas": 3, "revisionHistoryLimit": 10}
    container_of(live)["terminationMessagePath"] = "/dev/termination-log"
    container_of(live)["ports"][0]["protocol"] = "TCP"


def sidecar(live: dict[str, Any]) -> None:
    live["spec"]["template"]["spec"]["containers"].insert(0, {"name": "mesh", "image": "mesh:1"})


def spelled_otherwise(live: dict[str, Any]) -> None:
    container_of(live)["resources"]["requests"] = {"cpu": "1", "memory": "1Gi"}
    del live["spec"]["template"]["spec"]["volumes"][0]["emptyDir"]


@pytest.mark.parametrize(
    "happened",
    [defaulted, sidecar, spelled_otherwise],
    ids=["the server fills in defaults", "another manager adds to a keyed list", "the server spells values its way"],
)
def test_these_are_no_differences(happened: Any) -> None:
    intent, live = deployment(), deployment()
    happened(live)
    assert differences(intent, live) == frozenset()


def image(live: dict[str, Any]) -> None:
    container_of(live)["image"] = "server:2"


def environment(live: dict[str, Any]) -> None:
    container_of(live)["env"][0]["value"] = "1"


def label(live: dict[str, Any]) -> None:
    live["spec"]["selector"]["matchLabels"]["c"] = "d"


def memory(live: dict[str, Any]) -> None:
    container_of(live)["resources"]["requests"]["memory"] = "1G"


def container(live: dict[str, Any]) -> None:
    live["spec"]["template"]["spec"]["containers"] = []


@pytest.mark.parametrize(
    ("happened", "where"),
    [
        pytest.param(image, "spec.template.spec.containers.server.image", id="an image edited by hand"),
        pytest.param(
            environment, "spec.template.spec.containers.server.env.A.value", id="a variable that only looks a quantity"
        ),
        pytest.param(label, "spec.selector.matchLabels", id="a selector narrowed by hand"),
        pytest.param(memory, "spec.template.spec.containers.server.resources.requests.memory", id="another quantity"),
        pytest.param(container, "spec.template.spec.containers.server", id="a container gone"),
    ],
)
def test_these_are_differences(happened: Any, where: str) -> None:
    intent, live = deployment(), deployment()
    happened(live)
    assert {".".join(path) for path in differences(intent, live)} == {where}


def test_a_rule_added_to_a_network_policy_is_a_difference() -> None:
    intent = {"spec": {"ingress": [{"ports": [{"port": 8080}]}]}}
    live = {"spec": {"ingress": [{"ports": [{"port": 8080, "protocol": "TCP"}]}, {"ports": [{"port": 22}]}]}}
    assert differences(intent, live) == {("spec", "ingress")}


def test_a_port_added_to_a_service_is_somebody_elses() -> None:
    intent = {"spec": {"ports": [{"port": 80, "name": "http"}]}}
    live = {"spec": {"ports": [{"port": 22, "protocol": "TCP"}, {"port": 80, "protocol": "TCP", "name": "http"}]}}
    assert differences(intent, live) == frozenset()


def test_the_hash_stands_for_the_whole_intent_and_leaves_it_untouched() -> None:
    intent = deployment()
    before = copy.deepcopy(intent)
    marked, digest = sealed(intent)
    assert intent == before
    assert marked["metadata"]["annotations"] == {HASH_ANNOTATION: digest}
    assert sealed(deployment(paused=True))[1] != digest
    assert sealed(deployment())[1] == digest
