"""What people and brains get wrong: a clear state, and nothing half done."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest

from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.core.actionplan.stamps import REQUESTED_BY, written
from sentinel_operator.core.plan import ObjectRef
from sentinel_operator.core.policy.facts import Identity
from tests.unit.actionplan.world import BRAIN, NOW, Executor, Raw, World, a_decision, a_deployment, a_node, at
from tests.unit.policy.scenes import policy, rule

SCALE = a_decision("scale", params={"replicas": 5})


def a_world(**settings: Any) -> World:
    world = World(**settings)
    world.put(a_deployment())
    world.settle()
    return world


def changed(decision: Raw, **more: Any) -> Raw:
    return {**copy.deepcopy(decision), **more}


def aimed(decision: Raw, **target: Any) -> Raw:
    return {**copy.deepcopy(decision), "target": {**decision["target"], **target}}


@pytest.mark.parametrize(
    ("decisions", "spec", "said"),
    [
        ([changed(SCALE, verb="optimize")], {}, 'spec.decisions[0].verb: Unsupported value: "optimize"'),
        ([changed(SCALE, params={"replicas": "many"})], {}, "must hold replicas from 0 to 10000"),
        ([changed(SCALE, params={"replicas": -1})], {}, "must hold replicas from 0 to 10000"),
        ([changed(SCALE, params={"replicas": 10**9})], {}, "must hold replicas from 0 to 10000"),
        ([changed(SCALE, params={"replicas": True})], {}, "must be of type integer or string"),
        ([changed(SCALE, params={"replicas": 5, "cost": 0})], {}, "anything else belongs into spec.evidence"),
        ([aimed(SCALE, kind="DaemonSet")], {}, 'kind: Unsupported value: "DaemonSet"'),
        ([aimed(SCALE, name="nothing")], {}, "scale-web: there is no Deployment nothing"),
        ([aimed(SCALE, cluster="other")], {}, "other is meant, this one is edge-7"),
        ([aimed(SCALE, namespace="bank")], {}, "only plans in namespace sentinel-system may point elsewhere"),
        ([a_decision("drain", "n1", kind="Node")], {}, "only plans in namespace sentinel-system may change Nodes"),
        ([changed(SCALE, dependsOn=["nobody"])], {}, "must depend on other decisions of the plan only"),
        (
            [changed(SCALE, id="a", dependsOn=["b"]), changed(SCALE, id="b", dependsOn=["a"])],
            {},
            "dependsOn has a cycle: a → b → a",
        ),
        ([SCALE, SCALE], {}, "Duplicate value"),
        ([], {}, "should have at least 1 items"),
        ([changed(SCALE, ttl="59s")], {}, "must be a duration from 1m to 1h"),
        ([SCALE], {"source": "alice"}, "alice is not who created it; inframind is inframind"),
        ([SCALE], {"createdAt": "2026-01-30T99:00:00Z"}, "must be a moment"),
        ([SCALE], {"createdAt": "2026-02-31T12:00:00Z"}, "spec.createdAt: is no moment"),
        (
            [SCALE],
            {"verify": {"metrics": [{"name": "a", "web": {"url": "http://a"}, "successCondition": "result >"}]}},
            "spec.verify.metrics[0].successCondition",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_is_rejected_in_words_that_name_the_field(decisions: list[Raw], spec: Raw, said: str):
    world = a_world(config=SentinelConfigSpec(cluster_id="edge-7"))
    world.put(a_node("n1"))
    world.submit(*decisions, **spec)
    assert Executor(world).run() == "Rejected"
    assert said in world.status()["message"]
    assert world.applied == []
    conditions = {each["type"]: each for each in world.status()["conditions"]}
    assert conditions["Stalled"]["status"] == "True"
    assert conditions["Ready"]["message"] == world.status()["message"]


def test_what_a_controller_looks_after_is_changed_there():
    world = a_world()
    child = a_deployment("fraud-1a2b3c4d")
    child["metadata"]["ownerReferences"] = [{"kind": "SentryModel", "name": "fraud", "uid": "u", "controller": True}]
    world.put(child)
    world.submit(a_decision("restart", "fraud-1a2b3c4d"))
    assert Executor(world).run() == "Rejected"
    assert "is looked after by SentryModel fraud, which would undo it" in world.status()["message"]


def test_a_plan_that_did_not_pass_admission_is_nobodys():
    world = a_world()
    raw = world.submit(SCALE)
    del raw["metadata"]["annotations"]
    world.put(raw)
    assert Executor(world).run() == "Rejected"
    assert "did not pass the operator's admission" in world.status()["message"]


def test_a_source_is_whom_policies_say_it_is():
    names = policy(sources=[{"name": "the-brain", "groups": ["brains"]}], name="names")
    world = a_world(policies=(names,))
    world.submit(SCALE, source="the-brain")
    assert Executor(world).run() == "Completed"
    other = a_world(policies=(names,))
    other.submit(SCALE, source="the-brain", by=Identity(username="mallory"))
    assert Executor(other).run() == "Rejected"


def test_the_same_plan_id_twice_is_done_once():
    world = a_world()
    world.submit(SCALE, name="one", planId="same")
    world.now += timedelta(seconds=1)
    world.submit(SCALE, name="two", planId="same")
    executor = Executor(world)
    assert executor.run("two") == "Rejected"
    assert "spec.planId: same was there before: shop/one" in world.status("two")["message"]
    assert executor.run("one") == "Completed"


def test_nobody_can_take_a_plan_id_by_claiming_somebody_elses_source():
    world = a_world()
    world.submit(SCALE, name="forged", planId="same", source="inframind", by=Identity(username="mallory"))
    executor = Executor(world)
    assert executor.run("forged") == "Rejected"
    world.now += timedelta(seconds=1)
    world.submit(SCALE, name="true", planId="same")
    assert executor.run("true") == "Completed"


def test_an_expired_plan_is_not_begun():
    world = a_world()
    world.submit(SCALE)
    world.now += timedelta(minutes=15)
    assert Executor(world).run() == "Expired"
    assert world.applied == []


@pytest.mark.parametrize(
    ("claimed", "after", "state"),
    [
        (timedelta(minutes=-14, seconds=-30), timedelta(0), "Completed"),
        (timedelta(minutes=-15), timedelta(0), "Expired"),
        (timedelta(days=300), timedelta(minutes=14), "Completed"),
        (timedelta(days=300), timedelta(minutes=15), "Expired"),
    ],
    ids=["old but in time", "older than its ttl", "from the future", "from the future, and late"],
)
def test_neither_clock_makes_a_plan_younger(claimed: timedelta, after: timedelta, state: str):
    world = a_world()
    world.submit(SCALE, createdAt=at(NOW + claimed))
    world.now += after
    assert Executor(world).run() == state


def test_a_target_that_vanishes_meanwhile():
    world = a_world()
    world.submit(SCALE)
    executor = Executor(world)
    executor.dies_once_it_is_recorded()
    world.remove("Deployment", "shop", "web")
    assert executor.run() == "Failed"
    assert "its target is gone" in world.status()["failure"]


def test_a_target_that_vanishes_before_its_turn_has_come():
    world = a_world()
    world.put(a_deployment("api"))
    world.submit(SCALE, a_decision("restart", "api"))
    executor = Executor(world)
    executor.dies_once_it_is_recorded()
    world.remove("Deployment", "shop", "api")
    assert executor.run() == "RolledBack"
    assert "there is no Deployment shop/api" in world.status()["failure"]


def test_a_target_that_was_made_anew_meanwhile():
    world = a_world()
    world.submit(SCALE)
    executor = Executor(world)
    executor.dies_once_it_is_recorded()
    world.remove("Deployment", "shop", "web")
    world.put(a_deployment())
    assert executor.run() == "Failed"
    assert "was removed or made anew" in world.status()["failure"]
    assert world.applied == []


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"uid": "another"}, "was made anew: its uid is uid-"),
        ({"generation": 7}, "was changed: its generation is 1, not 7"),
        ({"metrics": [{"name": "busy", "web": {"url": "http://a"}, "min": 10}]}, "a precondition is not met"),
    ],
    ids=str,
)
def test_a_precondition_that_is_not_met(wanted: Raw, said: str):
    world = a_world(measure=lambda _: 3.0)
    world.submit(changed(SCALE, preconditions=wanted))
    assert Executor(world).run() == "Failed"
    assert said in world.status()["failure"]
    assert world.applied == []


def test_preconditions_that_are_met():
    world = a_world(measure=lambda _: 30.0)
    live = world.get("Deployment", "web")["metadata"]
    wanted = {"uid": live["uid"], "generation": 1, "metrics": [{"name": "busy", "web": {"url": "http://a"}, "min": 9}]}
    world.submit(changed(SCALE, preconditions=wanted))
    assert Executor(world).run() == "Completed"


def test_what_the_api_server_refuses_at_the_last_moment():
    world = a_world()
    world.submit(SCALE)
    executor = Executor(world)
    executor.dies_once_it_is_recorded()
    executor.refused("plan", ObjectRef("apps/v1", "Deployment", "shop", "web"), "denied by a quota")
    assert executor.run() == "Failed"
    assert "denied by a quota" in world.status()["failure"]
    assert world.applied == []


def test_a_brain_that_floods_is_held_to_its_rate():
    world = a_world(policies=(policy(rule("RateLimit", maxPerHour=3, scope="Global")),))
    executor = Executor(world)
    for number in range(8):
        world.submit(a_decision("restart", id_=f"d{number}"), name=f"p{number}", correlationId=str(number))
        executor.run(f"p{number}")
        world.now += timedelta(seconds=1)
    states = [world.state(f"p{number}") for number in range(8)]
    assert states == ["Completed"] * 3 + ["Rejected"] * 5
    assert len(world.applied) == 3


def test_a_rate_survives_a_restart_and_an_hour_ends_it():
    world = a_world(policies=(policy(rule("RateLimit", maxPerHour=1)),))
    world.submit(a_decision("restart"), name="one")
    assert Executor(world).run("one") == "Completed"
    world.submit(a_decision("restart", id_="again"), name="two", createdAt=at(world.now))
    assert Executor(world).run("two") == "Rejected"
    world.now += timedelta(hours=1)
    world.submit(a_decision("restart", id_="again"), name="three")
    assert Executor(world).run("three") == "Completed"


def test_a_freeze_that_begins_after_the_judgement_is_waited_for():
    window = {"start": "2026-01-30T12:05:00Z", "end": "2026-01-30T12:10:00Z"}
    world = a_world(policies=(policy(rule("ChangeFreeze", windows=[window])),))
    world.frozen.add("web")
    world.submit(SCALE, name="before", by=Identity(username="bob"))
    executor = Executor(world)
    executor.run("before", until=lambda: bool(world.applied))
    world.submit(a_decision("scale", params={"replicas": 6}))
    executor.run(until=lambda: world.state() == "Scheduled")
    world.frozen.clear()
    world.settle()
    assert executor.run("before") == "Completed"
    world.applied.clear()
    world.now = NOW + timedelta(minutes=6)
    executor.run(passes=4)
    assert (world.state(), world.applied) == ("Scheduled", [])
    assert "frozen until" in world.status()["message"]
    assert executor.run() == "Completed"
    assert world.now >= NOW + timedelta(minutes=10)


def test_a_status_that_cannot_be_read_is_not_begun_anew():
    world = a_world()
    raw = world.submit(SCALE)
    world.put({**raw, "status": {"state": "Sideways"}})
    assert Executor(world).run() == "Failed"
    assert world.applied == []


def test_a_stamp_is_read_as_it_was_written():
    world = a_world()
    raw = world.submit(SCALE)
    assert raw["metadata"]["annotations"][REQUESTED_BY] == written(BRAIN)
    for broken in ("", "{", "[]", '{"username": 5}', '{"groups": ["a"]}'):
        world = a_world()
        raw = world.submit(SCALE)
        raw["metadata"]["annotations"][REQUESTED_BY] = broken
        world.put(raw)
        assert Executor(world).run() == "Rejected"
