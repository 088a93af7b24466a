"""How a version is delivered by each strategy: what the Service or the route says, and how many pods there are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from sentinel_operator.core.analysis.contrast import Contrast
from sentinel_operator.core.analysis.measurement import Measurement
from sentinel_operator.core.outside import Outside
from tests.support.builders import ModelBuilder
from tests.support.simulation import World
from tests.unit.core.sentrymodel.scenes import GATEWAY, serving, v

STEPS = [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {"duration": "30s"}}]


def canary(number: int, *, replicas: int = 4, **more: Any) -> ModelBuilder:
    return v(number).with_replicas(replicas).with_rollout(strategy="Canary", canary={"steps": STEPS}, **more)


def service(world: World, name: str = "fraud") -> str:
    """The version that a Service selects, or an empty text where it selects all."""
    revision = world.objects["Service", name]["spec"]["selector"].get("sentinel.dev/revision", "")
    versions = {each["revision"]: each["version"] for each in world.status["revisions"]}
    return versions[revision] if revision else ""


def weights(world: World) -> dict[str, int]:
    """What the route gives to each version."""
    versions = {f"fraud-{each['revision']}": each["version"] for each in world.status["revisions"]}
    backends = world.objects["HTTPRoute", "fraud"]["spec"]["rules"][0]["backendRefs"]
    return {versions[each["name"]]: each["weight"] for each in backends}


def rollout(world: World) -> dict[str, Any]:
    return world.status["rollout"]


def passes(world: World) -> Iterator[World]:
    """The world after each pass, until it rests."""
    for _ in range(100):
        acted = world.pass_once()
        yield world
        acted += world.deployments_act() + world.kubelets_act() + world.services_act()
        if not acted:
            return
    raise AssertionError(world.condition("Ready"))


def test_a_canary_gets_its_share_by_pods_beside_all_of_stables_and_waits_for_a_person():
    world = serving(canary(1))
    world.edit(canary(2))
    world.settle()
    assert world.replicas() == {"1.0.0": 4, "2.0.0": 1}
    assert service(world) == ""
    assert world.status["canary"]["version"] == "2.0.0"
    assert (rollout(world)["weightWanted"], rollout(world)["weight"]) == (25, 20)
    assert (rollout(world)["phase"], rollout(world)["step"]) == ("Paused", 1)
    ready = world.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", "Paused")
    assert "waits to be promoted past step 1" in ready["message"]


def test_a_step_that_only_waits_begins_in_the_pass_in_which_the_one_before_it_ends():
    world = serving(canary(1))
    world.edit(canary(2))
    told: set[tuple[int, str]] = set()
    world.watched = lambda now: told.add((rollout(now).get("step", 0), rollout(now).get("message", "")))
    world.settle()
    first, *others = {text.partition(": ")[2] for step, text in told if step == 1}
    assert (first, others) == ("waits to be promoted past step 1", [])
    assert world.reasons().count("StepDone") == 1


def promoted(world: World, number: int) -> World:
    told = rollout(world)
    word = {"revision": told["candidate"], "attempt": told["attempt"], "step": told["step"]}
    world.edit(canary(number, promote=word))
    world.settle()
    return world


def test_a_promoted_canary_goes_on_and_ends_with_what_was_asked_for():
    world = serving(canary(1))
    world.edit(canary(2))
    world.settle()
    promoted(world, 2)
    assert world.replicas() == {"1.0.0": 4, "2.0.0": 4}
    assert rollout(world)["step"] == 3
    world.wait(31)
    world.settle()
    world.wait(120)
    world.settle()
    assert world.replicas() == {"2.0.0": 4}
    assert service(world) == "2.0.0"
    assert world.condition("Ready")["reason"] == "Ready"
    assert {each["version"]: each["verdict"] for each in world.status["revisions"]}["2.0.0"] == "Promoted"


def test_an_aborted_canary_gives_everything_back_in_one_pass_of_routing():
    world = serving(canary(1))
    world.edit(canary(2))
    world.settle()
    world.edit(canary(2, abort=rollout(world)["candidate"]))
    world.pass_once()
    assert service(world) == "1.0.0"
    world.settle()
    world.wait(120)
    world.settle()
    assert world.replicas() == {"1.0.0": 4}
    assert world.condition("Ready")["reason"] == "RevisionAborted"
    assert world.condition("Stalled")["status"] == "True"


def test_behind_a_gateway_the_route_has_the_weights_and_pods_carry_them():
    world = serving(canary(1).with_spec(routing=GATEWAY))
    assert weights(world) == {"1.0.0": 100}
    world.edit(canary(2).with_spec(routing=GATEWAY))
    world.settle()
    assert weights(world) == {"1.0.0": 75, "2.0.0": 25}
    assert rollout(world)["weight"] == 25
    assert service(world) == "1.0.0"
    assert service(world, f"fraud-{rollout(world)['candidate']}") == "2.0.0"


@pytest.mark.parametrize(("replicas", "candidate"), [(4, 2), (2, 2), (1, 1)])
def test_behind_a_gateway_a_share_never_hangs_on_one_pod_where_two_are_wanted(replicas: int, candidate: int):
    world = serving(canary(1, replicas=replicas).with_spec(routing=GATEWAY))
    world.edit(canary(2, replicas=replicas).with_spec(routing=GATEWAY))
    world.settle()
    assert (rollout(world)["weightWanted"], world.replicas()["2.0.0"]) == (25, candidate)


def test_a_route_that_no_gateway_takes_is_not_relied_upon(monkeypatch):
    world = serving(canary(1).with_spec(routing=GATEWAY))
    monkeypatch.setattr(World, "gateways_act", lambda _: 0)
    world.edit(canary(2).with_spec(routing=GATEWAY))
    world.settle()
    assert rollout(world)["phase"] == "Progressing"
    assert "routing has not been observed" in world.condition("Ready")["message"]
    world.wait(700)
    world.settle()
    assert world.condition("Ready")["reason"] == "ProgressDeadlineExceeded"
    assert world.replicas()["1.0.0"] == 4


def test_blue_green_shows_the_new_version_apart_then_switches_and_keeps_the_old_for_a_while():
    model = {"strategy": "BlueGreen", "blueGreen": {"autoPromote": False, "scaleDownDelay": "25s"}}
    world = serving(v(1).with_replicas(2).with_rollout(**model))
    world.edit(v(2).with_replicas(2).with_rollout(**model))
    world.settle()
    assert world.replicas() == {"1.0.0": 2, "2.0.0": 2}
    assert (service(world), service(world, "fraud-preview")) == ("1.0.0", "2.0.0")
    told = rollout(world)
    word = {"revision": told["candidate"], "attempt": told["attempt"], "step": told["step"]}
    world.edit(v(2).with_replicas(2).with_rollout(**model, promote=word))
    for each in passes(world):
        assert each.ready() >= 2
    assert service(world) == "2.0.0"
    assert world.replicas() == {"1.0.0": 2, "2.0.0": 2}
    world.wait(30)
    world.settle()
    world.wait(60)
    world.settle()
    assert world.replicas() == {"2.0.0": 2}
    assert ("Service", "fraud-preview") not in world.objects


ANALYSED = {
    "strategy": "Canary",
    "canary": {
        "steps": [
            {"setWeight": 50},
            {"analysis": {"minSamples": 10, "metrics": [{"name": "errors", "builtin": "error-rate", "count": 2}]}},
        ]
    },
}


def measured(world: World, *, errors: float) -> None:
    """Hands the next pass what the pods would have told: a thousand answers of each revision."""
    told = rollout(world)
    at = world.now + timedelta(milliseconds=1)
    contrast = Contrast({"bad": 1000 * errors, "good": 1000 * (1 - errors)}, {"bad": 0.0, "good": 1000.0})
    world.outside = Outside(measured={told["candidate"]: {"errors": Measurement(at=at, contrast=contrast)}})


@pytest.mark.parametrize(("errors", "verdict"), [(0.0, "Promoted"), (0.3, "Rejected")])
def test_an_analysis_decides(errors: float, verdict: str):
    world = serving(v(1).with_replicas(2).with_rollout(**ANALYSED))
    world.edit(v(2).with_replicas(2).with_rollout(**ANALYSED))
    world.settle()
    assert rollout(world)["analysis"]["verdict"] == "Running"
    plan = world.plan()
    assert plan.measure is not None
    assert {target.revision for target in plan.measure.subject.targets} == {
        world.status["stable"]["revision"],
        world.status["canary"]["revision"],
    }
    for _ in range(12):
        if "canary" not in world.status:
            break
        measured(world, errors=errors)
        world.pass_once()
        world.wait(31)
        world.settle()
    found = {each["version"]: each for each in world.status["revisions"]}["2.0.0"]
    assert found["verdict"] == verdict, world.status


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.999])
def test_what_is_remembered_in_whole_seconds_holds_up_nothing(fraction: float):
    rollout = {"strategy": "BlueGreen", "blueGreen": {"scaleDownDelay": "5s"}}
    world = serving(v(1).with_replicas(2).with_rollout(**rollout))
    world.wait(fraction)
    world.edit(v(2).with_replicas(2).with_rollout(**rollout))
    world.settle()
    assert world.condition("Ready")["reason"] == "Ready"
    assert service(world) == "2.0.0"


def test_a_model_that_a_person_took_back_is_ready_and_says_who_serves_instead_of_whom():
    world = serving(v(1).with_replicas(2).with_rollout(strategy="RollingUpdate"))
    first = world.status["stable"]["revision"]
    world.edit(v(2).with_replicas(2).with_rollout(strategy="RollingUpdate"))
    world.settle()
    second = world.status["stable"]["revision"]
    back = {"revision": first, "insteadOf": second}
    world.edit(v(2).with_replicas(2).with_rollout(strategy="RollingUpdate", rollbackTo=back))
    world.settle()
    ready = world.condition("Ready")
    assert (world.replicas(), world.status["stable"]["version"]) == ({"1.0.0": 2}, "1.0.0")
    assert (ready["status"], world.status["phase"]) == ("True", "Ready")
    assert f"revision {first} (1.0.0) serves with 2 pods, instead of revision {second}" in ready["message"]
