"""What cannot be carried out as it was declared: it is said plainly at its field, and nothing changes by it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sentinel_operator.core.analysis.measurement import Measurement
from sentinel_operator.core.outside import Outside
from tests.support.builders import ModelBuilder, Raw
from tests.support.simulation import World
from tests.unit.core.sentrymodel.scenes import GATEWAY, serving, v

HALF: list[Raw] = [{"setWeight": 50}, {"pause": {}}]


def canary(number: int, steps: list[Raw], *, replicas: int = 4, **more: Any) -> ModelBuilder:
    return v(number).with_replicas(replicas).with_rollout(strategy="Canary", canary={"steps": steps}, **more)


def half_way(steps: list[Raw] | None = None, *, replicas: int = 4, **spec: Any) -> World:
    """The second version gets its share, and waits."""
    world = serving(canary(1, steps or HALF, replicas=replicas).with_spec(**spec))
    world.edit(canary(2, steps or HALF, replicas=replicas).with_spec(**spec))
    world.settle()
    return world


def rollout(world: World) -> Raw:
    found: Raw = world.status["rollout"]
    return found


def standing(world: World) -> tuple[str, str]:
    ready = world.condition("Ready")
    return ready["reason"], ready["message"]


def carried(world: World) -> dict[tuple[str, str], Any]:
    """What the pods and the routing are made from."""
    return {key: copy.deepcopy(each.get("spec")) for key, each in world.objects.items()}


# ---------------------------------------------------------------------------------------------- steps and weights


def test_steps_that_never_come_to_100_percent_end_with_the_takeover():
    world = serving(canary(1, [{"setWeight": 10}, {"setWeight": 25}]))
    world.edit(canary(2, [{"setWeight": 10}, {"setWeight": 25}]))
    told: set[str] = set()
    world.watched = lambda now: told.add(now.status.get("rollout", {}).get("next", ""))
    world.settle()
    assert {"weight 25%", "weight 100%"} <= told, "what follows the last step is told"
    assert world.replicas() == {"2.0.0": 4}


@pytest.mark.parametrize(
    ("replicas", "asked", "pods", "told"),
    [
        (1, 10, 1, 50),
        (2, 10, 1, 33),
        (3, 25, 1, 25),
        (4, 1, 1, 20),
        (4, 50, 4, 50),
        (4, 99, 4, 50),
        (9, 10, 1, 10),
        (10, 33, 5, 33),
    ],
)
def test_a_weight_that_pods_cannot_give_is_rounded_and_the_status_has_both(
    replicas: int, asked: int, pods: int, told: int
):
    world = half_way([{"setWeight": asked}, {"pause": {}}], replicas=replicas)
    assert world.replicas() == {"1.0.0": replicas, "2.0.0": pods}
    assert (rollout(world)["weightWanted"], rollout(world)["weight"]) == (asked, told)
    assert world.status["canary"]["weight"] == told


def test_a_weight_of_nothing_sends_nothing():
    world = half_way([{"setWeight": 0}, {"pause": {}}])
    assert (rollout(world)["weightWanted"], rollout(world)["weight"]) == (0, 0)


# ---------------------------------------------------------------------------------------------- what is measured

QUERY: Raw = {
    "name": "errors",
    "prometheus": {"address": "http://prometheus:9090", "query": "rate(errors[1m])"},
    "max": 0.01,
    "interval": "10s",
    "count": 3,
}
JUDGED: list[Raw] = [{"setWeight": 50}, {"analysis": {"metrics": [QUERY]}}]


def measured(world: World, looks: int, **found: Any) -> None:
    for _ in range(looks):
        candidate = rollout(world)["candidate"]
        at = world.now + timedelta(milliseconds=1)
        world.outside = Outside(measured={candidate: {"errors": Measurement(at=at, **found)}})
        world.wait(31)
        world.settle()


@pytest.mark.parametrize(
    ("found", "reason", "words"),
    [
        ({"value": None, "note": "no data"}, "AnalysisInconclusive", "errors"),
        ({"error": "prometheus:9090: Connection refused"}, "AnalysisError", "prometheus:9090: Connection refused"),
        ({"error": "no answer within 10 s"}, "AnalysisError", "no answer within 10 s"),
        ({"error": "the answer is no JSON"}, "AnalysisError", "the answer is no JSON"),
        ({"value": float("nan")}, "AnalysisInconclusive", "errors"),
    ],
    ids=["no such metric", "down", "too slow", "nonsense", "not a number"],
)
def test_what_cannot_be_measured_pauses_with_its_reason_and_changes_nothing(found: Any, reason: str, words: str):
    world = half_way(JUDGED)
    before = carried(world)
    measured(world, 20, **found)
    assert rollout(world)["phase"] == "Paused"
    assert standing(world)[0] == reason
    assert words in standing(world)[1]
    assert "1.0.0" in standing(world)[1], "who serves meanwhile"
    assert carried(world) == before


# ---------------------------------------------------------------------------------------------- what is declared

UNREADABLE: Raw = {"name": "errors", "builtin": "error-rate", "successCondition": "result <= "}
ODD = canary(2, [{"setWeight": 50}, {"analysis": {"metrics": [UNREADABLE]}}])
BAD: dict[str, tuple[ModelBuilder, str]] = {
    "an expression that does not parse": (ODD, "spec.rollout.canary.steps[1].analysis.metrics[0].successCondition"),
    "two verbs at once": (
        canary(2, HALF, abort="aaaaaaaa", paused="aaaaaaaa"),
        "spec.rollout: set at most one of promote, paused, abort, retry and rollbackTo",
    ),
    "a weight beyond all": (canary(2, [{"setWeight": 101}]), "spec.rollout.canary.steps[0].setWeight"),
    "a step of two kinds": (canary(2, [{"setWeight": 5, "pause": {}}]), "spec.rollout.canary.steps[0]"),
    "no steps": (canary(2, []), "spec.rollout.canary.steps"),
    "a strategy that there is not": (
        v(2).with_replicas(4).with_rollout(strategy="BigBang", canary={"steps": HALF}),
        "spec.rollout.strategy",
    ),
    "a promotion that does not say how far": (
        canary(2, HALF, promote={"revision": "aaaaaaaa"}),
        "spec.rollout.promote: set either step or full: true",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_meant_is_refused_at_its_field_and_the_delivery_stays_where_it_is(case: str):
    model, words = BAD[case]
    world = half_way()
    before, told = carried(world), rollout(world)
    world.edit(model)
    world.settle()
    assert standing(world)[0] == "InvalidSpec"
    assert words in standing(world)[1]
    assert world.condition("Stalled")["status"] == "True"
    assert (carried(world), rollout(world)) == (before, told)
    world.edit(canary(2, HALF))
    world.settle()
    assert standing(world)[0] == "Paused", "it goes on from where it was"


VERBS: dict[str, Callable[[str], Raw]] = {
    "promote": lambda revision: {"promote": {"revision": revision, "full": True}},
    "paused": lambda revision: {"paused": revision},
    "abort": lambda revision: {"abort": revision},
    "retry": lambda revision: {"retry": {"revision": revision}},
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("moment", ["half way", "at rest"])
def test_a_verb_for_a_revision_that_does_not_exist_changes_nothing_and_says_so(verb: str, moment: str):
    number = 2 if moment == "half way" else 1
    world = half_way() if moment == "half way" else serving(canary(1, HALF))
    before, reason = carried(world), standing(world)[0]
    world.edit(canary(number, HALF, **VERBS[verb]("ffffffff")))
    world.settle()
    assert carried(world) == before
    assert standing(world)[0] == reason
    field = "spec.rollout.paused" if verb == "paused" else f"spec.rollout.{verb}"
    assert f"{field} names revision ffffffff, which is none of status.revisions" in standing(world)[1]
    world.edit(canary(number, HALF))
    world.settle()
    assert "ffffffff" not in standing(world)[1]


def test_a_verb_for_a_revision_that_is_kept_and_not_meant_any_more_is_passed_over_in_silence():
    world = half_way()
    stable = world.status["stable"]["revision"]
    world.edit(canary(2, HALF, abort=stable))
    world.settle()
    assert "spec.rollout.abort" not in standing(world)[1]


# ---------------------------------------------------------------------------------------------- the cluster


def test_a_canary_that_finds_no_room_takes_nothing_and_says_what_the_scheduler_says():
    lacking = "0/2 nodes are available: 2 Insufficient nvidia.com/gpu."
    world = serving(canary(1, HALF))
    world.edit(canary(2, HALF))
    for _ in range(4):
        world.pass_once()
        world.deployments_act()
        for pod in world.pods:
            if not pod.ready:
                pod.builder = pod.builder.unschedulable(lacking)
        world.services_act()
    assert lacking in standing(world)[1]
    assert (rollout(world)["phase"], rollout(world)["weight"]) == ("Progressing", 0)
    world.wait(700)
    world.pass_once()
    assert standing(world)[0] == "ProgressDeadlineExceeded"
    assert lacking in standing(world)[1]
    assert world.replicas()["1.0.0"] == 4
    assert world.ready() == 4


def test_a_gateway_that_refuses_the_route_is_named_with_its_reason(monkeypatch: pytest.MonkeyPatch):
    world = serving(canary(1, HALF).with_spec(routing=GATEWAY))

    def refuse(world: World) -> int:
        route = world.objects["HTTPRoute", "fraud"]
        said = {
            "type": "Accepted",
            "status": "False",
            "reason": "NotAllowedByListeners",
            "message": "no listener takes routes of this namespace",
            "observedGeneration": route["metadata"]["generation"],
        }
        status = {"parents": [{"parentRef": {"name": "public"}, "conditions": [said]}]}
        acted = int(route.get("status") != status)
        route["status"] = status
        return acted

    monkeypatch.setattr(World, "gateways_act", refuse)
    world.edit(canary(2, HALF).with_spec(routing=GATEWAY))
    world.settle()
    assert rollout(world)["weight"] == 0
    refused = "public does not accept the route: NotAllowedByListeners: no listener takes routes of this namespace"
    assert refused in standing(world)[1]
    world.wait(700)
    world.settle()
    assert standing(world)[0] == "ProgressDeadlineExceeded"
    assert refused in standing(world)[1]
    assert world.replicas()["1.0.0"] == 4
    monkeypatch.undo()
    world.settle()
    assert standing(world)[0] == "Paused", "it goes on when the route is taken after all"
    assert rollout(world)["weight"] == 50
