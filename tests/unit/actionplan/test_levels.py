"""Plans that are judged by how their targets are doing: asked for only where a policy asks, and told in the trace."""

from __future__ import annotations

from typing import Any

import pytest

from sentinel_operator.core.levels.measured import Telemetry
from sentinel_operator.core.policy.facts import Identity
from tests.unit.actionplan.world import Executor, World, a_decision, a_deployment
from tests.unit.policy.scenes import policy, rule

SLO = rule("SLO", maxP99LatencyMs=250)
SLOW = Telemetry(p99_latency_ms=900.0, told={"p99LatencyMs": "by a stopwatch over 5m"})
WELL = Telemetry(p99_latency_ms=20.0, told={"p99LatencyMs": "by a stopwatch over 5m"})
UNKNOWN = Telemetry(told={"p99LatencyMs": "not known: nobody is asked"})
TARGET = "Deployment shop/web"


def a_world(*rules: dict[str, Any], telemetry: Telemetry = WELL) -> World:
    world = World(policies=(policy(*rules),), telemetry={"web": telemetry})
    world.put(a_deployment(replicas=3))
    world.settle()
    return world


def done(world: World, replicas: int, **spec: Any) -> str:
    world.submit(a_decision("scale", params={"replicas": replicas}), **spec)
    return Executor(world).run()


def entry(world: World) -> dict[str, Any]:
    (found,) = world.status()["trace"]
    return dict(found)


@pytest.mark.parametrize(
    ("telemetry", "replicas", "missing", "state"),
    [
        (SLOW, 2, "Allow", "Rejected"),
        (SLOW, 5, "Allow", "Completed"),
        (WELL, 2, "Allow", "Completed"),
        (UNKNOWN, 2, "Allow", "Completed"),
        (UNKNOWN, 2, "Reject", "Rejected"),
        (UNKNOWN, 5, "Reject", "Completed"),
    ],
    ids=["no way down", "the way up", "well", "unknown", "unknown and strict", "unknown, strict, and a cure"],
)
def test_a_breach_keeps_back_all_but_what_helps(telemetry, replicas, missing, state) -> None:
    world = a_world(rule("SLO", maxP99LatencyMs=250, missing=missing), telemetry=telemetry)
    assert done(world, replicas) == state
    assert entry(world)["inputs"]["latencyMeasured"] == telemetry.told["p99LatencyMs"]
    known = "unknown" if telemetry.p99_latency_ms is None else f"{telemetry.p99_latency_ms:g}"
    assert entry(world)["inputs"]["p99LatencyMs"] == known
    assert world.get("Deployment", "web")["spec"]["replicas"] == (replicas if state == "Completed" else 3)


@pytest.mark.parametrize(
    ("rules", "asked"),
    [
        ([rule("Quota", maxReplicas=9)], frozenset()),
        ([SLO], {"p99LatencyMs"}),
        ([SLO, rule("SLA", minUptimePercent=90)], {"p99LatencyMs", "uptimePercent"}),
        ([rule("CEL", expression="!has(telemetry.successRatePercent)")], {"successRatePercent"}),
    ],
)
def test_what_no_policy_asks_for_is_not_asked(rules, asked) -> None:
    world = a_world(*rules)
    assert done(world, 2) == "Completed"
    assert {levels for _, levels in world.asked} == ({frozenset(asked)} if asked else set())
    assert {target for target, _ in world.asked} == ({TARGET} if asked else set())


def test_a_policy_about_others_asks_nothing_of_this_one() -> None:
    world = a_world(SLO)
    world.policies = (policy(SLO, selector={"verbs": ["restart"]}), policy(SLO, name="b", selector={"kinds": ["Node"]}))
    assert done(world, 2) == "Completed"
    assert world.asked == []


def test_it_is_judged_anew_when_its_turn_has_come_and_waits_without_a_write_for_each_look() -> None:
    world = a_world(SLO)
    world.frozen.add("web")
    world.submit(a_decision("restart"), name="before", by=Identity(username="bob"))
    executor = Executor(world)
    executor.run("before", until=lambda: bool(world.applied))
    world.submit(a_decision("scale", params={"replicas": 2}))
    executor.run(until=lambda: world.state() == "Scheduled")
    world.frozen.clear()
    world.settle()
    assert executor.run("before") == "Completed"
    for latency in (600.0, 700.0, 800.0, 900.0):
        world.telemetry["web"] = Telemetry(p99_latency_ms=latency, told={"p99LatencyMs": f"{latency}"})
        executor.pass_over()
        version = world.get("ActionPlan", "plan")["metadata"]["resourceVersion"]
        assert world.status()["message"].startswith("waits: scale-web: guard (SLO): the p99 latency is 600 ms")
        executor.pass_over()
        assert world.get("ActionPlan", "plan")["metadata"]["resourceVersion"] == version
    world.telemetry["web"] = WELL
    assert executor.run() == "Completed"
    assert entry(world)["inputs"]["p99LatencyMs"] == "20"


def test_it_is_measured_also_while_somebody_has_to_agree() -> None:
    world = a_world({**SLO, "onViolation": "RequireApproval"}, telemetry=SLOW)
    world.submit(a_decision("scale", params={"replicas": 2}))
    executor = Executor(world)
    executor.run(until=lambda: world.state() == "AwaitingApproval")
    world.telemetry["web"] = WELL
    assert executor.run() == "Completed", "it needs no approval any more"


def test_a_plan_is_measured_once_a_pass_for_each_target() -> None:
    world = a_world(SLO)
    world.put(a_deployment("api", replicas=3))
    world.settle()
    world.telemetry["api"] = WELL
    first, second = a_decision("scale", params={"replicas": 2}), a_decision("restart", "api")
    world.submit(first, second, a_decision("restart", id_="again", dependsOn=["scale-web"]), mode="DryRun")
    assert Executor(world).run() == "Completed"
    assert sorted(target for target, _ in world.asked) == ["Deployment shop/api", TARGET]


def test_an_expression_is_shown_with_what_it_was_judged_by() -> None:
    world = a_world(rule("CEL", expression="has(telemetry.p99LatencyMs) && telemetry.p99LatencyMs < 100.0"))
    assert done(world, 2) == "Completed"
    shown = entry(world)["inputs"]
    assert (shown["p99LatencyMs"], shown["latencyMeasured"]) == ("20", "by a stopwatch over 5m")
