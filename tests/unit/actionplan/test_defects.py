"""What went wrong elsewhere, and does not here: each test is a defect that an executor of plans really had."""

from __future__ import annotations

import copy
from datetime import timedelta

from sentinel_operator.api.actionstatus import FINISHED
from tests.unit.actionplan.world import Executor, World, a_decision, a_deployment

SCALE = a_decision("scale", params={"replicas": "5"})


def a_world() -> World:
    world = World()
    for name in ("web", "api"):
        world.put(a_deployment(name))
    world.settle()
    return world


def test_what_is_past_its_ttl_is_not_executed():
    """The ttl was a number that nobody read."""
    world = a_world()
    world.submit(SCALE, a_decision("restart", "api", ttl="1h"))
    executor = Executor(world)
    executor.dies_once_it_is_recorded()
    world.now += timedelta(minutes=20)
    assert executor.run() == "Expired"
    assert world.applied == []
    assert [each["state"] for each in world.status()["decisions"]] == ["Expired", "Skipped"]


def test_one_plan_is_executed_once_by_two_controllers_and_a_restart():
    """Two executors each ran the plan that both were told of."""
    world = a_world()
    world.submit(SCALE, a_decision("restart", "api"))
    executors = [Executor(world), Executor(world)]
    for turn in range(200):
        if world.state() in FINISHED:
            break
        if turn == 7:
            executors[0] = Executor(world)
        executors[turn % 2].pass_over()
        world.settle()
        world.now += timedelta(seconds=1)
    assert world.state() == "Completed"
    assert [what for what, _ in world.applied] == ["Deployment/web", "Deployment/api"]


def test_a_plan_that_was_submitted_twice_is_executed_once():
    """The id that the proposer gave was thrown away, so that its retry was another plan."""
    world = a_world()
    world.submit(SCALE, name="first", planId="one")
    world.now += timedelta(seconds=1)
    world.submit(SCALE, name="retried", planId="one")
    executor = Executor(world)
    for _ in range(40):
        executor.pass_over("first")
        executor.pass_over("retried")
        world.settle()
    assert (world.state("first"), world.state("retried")) == ("Completed", "Rejected")
    assert len(world.applied) == 1


def test_a_decision_that_failed_is_not_reported_as_completed():
    """Every decision was tried, whatever became of those before it, and the plan was completed."""
    world = a_world()
    world.frozen.add("web")
    stuck = {**SCALE, "ttl": "2m"}
    world.submit(stuck, a_decision("restart", "api", dependsOn=["scale-web"]), onFailure="Continue")
    assert Executor(world).run() == "Failed"
    assert [each["state"] for each in world.status()["decisions"]] == ["Failed", "Skipped"]
    assert "0 of 2 decisions were done" in world.status()["message"]
    ready = next(each for each in world.status()["conditions"] if each["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "Failed")


def test_what_was_sent_in_time_and_lands_after_it_is_not_said_to_be_undone():
    """Its answer was lost at the last moment; the next look at the target saw nothing of it, and the plan was Expired
    when it took effect."""
    world = a_world()
    world.submit(a_decision("scale", params={"replicas": "5"}, ttl="60s"))
    executor = Executor(world)
    executor.dies_once_it_is_recorded()
    raw = copy.deepcopy(world.get("ActionPlan", "plan"))
    (sent,) = executor.decide(raw).patch
    world.now += timedelta(seconds=60)
    executor.pass_over()
    assert world.state() == "Executing"
    world.patch(sent)
    assert executor.run() == "Completed"
    assert [what for what, _ in world.applied] == ["Deployment/web"]
