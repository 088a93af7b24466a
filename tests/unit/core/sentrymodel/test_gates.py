"""A gate that somebody else opens: what it is asked, what its answers lead to, and when nobody asks it any more."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sentinel_operator.core.outside import NOTHING, Outside
from sentinel_operator.core.plan import Asking
from sentinel_operator.core.rollout.observed import GateVerdict, GateView
from tests.support.builders import DIGEST_1, ModelBuilder
from tests.support.simulation import World
from tests.unit.core.sentrymodel.scenes import serving, v

URL = "https://change.example.org/ask?team=ml"
STEPS = [{"setWeight": 50}, {"gate": {"webhook": {"url": URL}, "timeout": "5m"}}, {"pause": {}}]


def gated(number: int, **more: Any) -> ModelBuilder:
    return v(number).with_replicas(2).with_rollout(strategy="Canary", canary={"steps": STEPS}, **more)


def rollout(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.status["rollout"]
    return found


def waiting() -> World:
    """The second version has its share, and its gate is being asked."""
    world = serving(gated(1))
    world.edit(gated(2))
    world.settle()
    assert rollout(world)["step"] == 1
    return world


def asked(world: World) -> Asking:
    found = world.plan().ask
    assert found is not None
    return found


def answer(world: World, verdict: GateVerdict, message: str = "") -> None:
    """Hands the next passes what the gate has answered."""
    key = asked(world).key
    world.outside = Outside(gates={key: GateView(key=key, verdict=verdict, message=message)})
    world.settle()


def test_the_gate_is_told_which_step_of_which_delivery_it_is_asked_about():
    world = waiting()
    asking = asked(world)
    told = rollout(world)
    assert asking.url == URL
    assert json.loads(json.dumps(asking.body)) == {
        "apiVersion": "sentinel.dev/v1alpha1",
        "kind": "SentryModel",
        "namespace": "team-a",
        "name": "fraud",
        "uid": world.model["metadata"]["uid"],
        "key": f"{told['candidate']}/1/1",
        "step": 1,
        "attempt": 1,
        "strategy": "Canary",
        "weight": 50,
        "since": told["stepStartedAt"],
        "candidate": {"revision": told["candidate"], "version": "2.0.0", "modelDigest": DIGEST_1},
        "stable": {"revision": told["stable"], "version": "1.0.0", "modelDigest": DIGEST_1},
    }


def test_the_question_is_the_same_in_every_pass_of_one_wait():
    world = waiting()
    before = asked(world)
    world.wait(20)
    world.settle()
    assert asked(world) == before


def test_a_gate_that_opens_lets_the_rollout_go_on():
    world = waiting()
    assert world.condition("Ready")["reason"] == "WaitingForGate"
    answer(world, "Open")
    assert rollout(world)["step"] == 2
    assert world.plan().ask is None


def test_a_gate_that_is_closed_is_waited_for_and_then_opens():
    world = waiting()
    answer(world, "Closed", "answered 423 Locked: not on a Friday")
    assert rollout(world)["step"] == 1
    assert "has not opened yet: answered 423 Locked: not on a Friday" in world.condition("Ready")["message"]
    answer(world, "Open")
    assert rollout(world)["step"] == 2


@pytest.mark.parametrize("verdict", ["Closed", "Unreachable"])
def test_one_that_does_not_open_in_time_waits_for_a_person_who_may_let_it_past(verdict: GateVerdict):
    world = waiting()
    answer(world, verdict, "no connection: refused")
    world.wait(301)
    world.settle()
    told = rollout(world)
    assert (told["step"], told["phase"]) == (1, "Paused")
    ready = world.condition("Ready")
    assert ready["reason"] == "GateClosed"
    assert "has not opened in 300 s: no connection: refused" in ready["message"]
    records = {each["version"]: each["verdict"] for each in world.status["revisions"]}
    assert records["2.0.0"] == "Pending", "nothing is held against the revision"
    asked(world)
    world.edit(gated(2, promote={"revision": told["candidate"], "attempt": told["attempt"], "step": 1}))
    world.settle()
    assert rollout(world)["step"] == 2
    assert world.plan().ask is None


def test_one_that_opens_after_its_time_needs_no_person():
    world = waiting()
    world.wait(301)
    world.settle()
    assert world.condition("Ready")["reason"] == "GateClosed"
    answer(world, "Open")
    assert rollout(world)["step"] == 2


def test_an_answer_to_another_question_opens_nothing():
    world = waiting()
    other = f"{rollout(world)['candidate']}/0/1"
    world.outside = Outside(gates={other: GateView(key=other, verdict="Open")})
    world.settle()
    assert rollout(world)["step"] == 1


def test_nobody_is_asked_about_a_delivery_that_was_aborted_or_is_suspended_or_superseded():
    for edit in (
        lambda told: gated(2, abort=told["candidate"]),
        lambda _: gated(2).with_spec(suspend=True),
        lambda _: gated(3),
    ):
        world = waiting()
        world.edit(edit(rollout(world)))
        assert world.plan().ask is None


def test_after_a_restart_it_is_asked_again_about_the_same_step():
    world = waiting()
    before = asked(world)
    world.outside = NOTHING
    restarted = World.of(gated(2), objects=world.objects, pods=world.pods, now=world.now)
    restarted.model = world.model
    assert asked(restarted) == before
