"""Of a plan that is over little is kept in memory, and never what is still needed."""

from __future__ import annotations

import copy
import json

import pytest

from sentinel_operator.core.actionplan.cloudevent import event
from sentinel_operator.core.actionplan.history import untold
from sentinel_operator.core.actionplan.neighbours import Digest
from sentinel_operator.core.actionplan.remembered import is_settled, remembered
from sentinel_operator.core.actionplan.retention import pruned
from tests.unit.actionplan.world import Executor, Raw, World, a_decision, a_deployment
from tests.unit.policy.scenes import policy, rule


def finished(world: World) -> Raw:
    world.put(a_deployment())
    world.settle()
    world.policies = (policy(rule("Quota", maxReplicas=9)), policy(rule("RateLimit", maxPerHour=9), name="rate"))
    world.submit(a_decision("scale", params={"replicas": 5}), evidence={"why": "x" * 500})
    assert Executor(world).run() == "Completed"
    return world.get("ActionPlan", "plan")


def test_how_it_was_judged_and_what_it_changed_is_for_people_to_read():
    raw = finished(World())
    before = copy.deepcopy(raw)
    kept = remembered(raw)
    assert raw == before
    assert len(json.dumps(kept)) < 0.6 * len(json.dumps(raw))
    assert not {"trace", "diff"} & kept["status"].keys()
    assert "edits" not in kept["status"]["decisions"][0]["intents"][0]


def test_whatever_is_asked_of_a_finished_plan_is_answered_as_before():
    world = World()
    raw = finished(world)
    kept = remembered(raw)
    said, again = ([event(each, one, cluster_id="eu") for one in untold(each, 0)] for each in (raw, kept))
    assert said == again
    assert Digest.of(raw) == Digest.of(kept)
    retention, later = world.config.plan_retention, world.now.replace(year=2030)
    assert pruned([raw], retention, later) == pruned([kept], retention, later) != ()
    assert remembered(kept) == kept


@pytest.mark.parametrize("edited", [{"generation": 2}, {}], ids=["edited since", "not finished"])
def test_one_with_which_there_is_something_to_do_is_kept_whole(edited: Raw):
    raw = copy.deepcopy(finished(World()))
    raw["metadata"] |= edited
    if not edited:
        raw["status"]["state"] = "Verifying"
    assert not is_settled(raw)
    assert remembered(raw) is raw
