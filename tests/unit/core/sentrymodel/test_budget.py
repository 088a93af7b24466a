"""A model that has no slot of the change budget waits and says so; what must not wait does not."""

from __future__ import annotations

import pytest

from sentinel_operator.cli.headline import headline
from sentinel_operator.core.outside import Outside
from sentinel_operator.core.rollout.observed import Budget
from tests.support.builders import ModelBuilder
from tests.support.simulation import World
from tests.unit.core.sentrymodel.scenes import serving, summary, v

WAITS = Outside(budget=Budget(granted=False, waits_for="the one slot of the cluster, taken by team-b/risk"))
GRANTED = Outside(budget=Budget())


def waiting() -> World:
    world = serving(v(1))
    world.outside = WAITS
    world.edit(v(2))
    world.settle()
    return world


def test_without_a_slot_it_waits_and_says_what_for():
    world = waiting()
    assert summary(world) == ("WaitingForBudget", "False", "True", "False")
    said = world.condition("Ready")["message"]
    assert said.startswith("waits for the one slot of the cluster, taken by team-b/risk; revision ")
    assert said.endswith("(1.0.0) goes on serving")
    assert (world.status["rollout"]["phase"], world.status["rollout"].get("candidate", "")) == ("Waiting", "")
    assert world.replicas() == {"1.0.0": 1}
    assert world.plan().wants_slot
    assert "Waiting: WaitingForBudget: waits for the one slot" in headline(world.model)
    assert headline(world.model).endswith(
        "To do: wait for its turn, or let it go before others: spec.rollout.priority."
    )


def test_with_a_slot_it_goes_on_as_if_nothing_had_been():
    world = waiting()
    world.outside = GRANTED
    world.settle()
    assert world.replicas() == {"2.0.0": 1}
    assert not world.plan().wants_slot


def test_while_it_waits_it_tells_of_it_once():
    world = waiting()
    told = len(world.events)
    world.outside = Outside(budget=Budget(granted=False, waits_for="the one slot, taken by team-b/fraud"))
    world.settle()
    assert len(world.events) == told
    assert "team-b/fraud" in world.condition("Ready")["message"]


def test_the_first_revision_of_all_needs_no_slot():
    world = World.of(v(1), outside=WAITS)
    world.settle()
    assert world.replicas() == {"1.0.0": 1}


def test_a_rollout_under_way_goes_on_without_a_slot():
    world = serving(v(1))
    world.edit(v(2))
    world.pass_once()
    assert world.status["rollout"]["candidate"]
    world.outside = WAITS
    world.settle()
    assert world.replicas() == {"2.0.0": 1}


def test_a_return_to_an_earlier_revision_does_not_wait():
    world = serving(v(1))
    first = world.status["stable"]["revision"]
    world.edit(v(2))
    world.settle()
    second = world.status["stable"]["revision"]
    world.outside = WAITS
    world.edit(v(2).with_rollout(rollbackTo={"revision": first, "insteadOf": second}))
    world.settle()
    assert world.replicas() == {"1.0.0": 1}


def test_an_abort_does_not_wait():
    world = serving(v(1).with_rollout(strategy="Canary", canary={"steps": [{"setWeight": 50}, {"pause": {}}]}))
    world.edit(v(2).with_rollout(strategy="Canary", canary={"steps": [{"setWeight": 50}, {"pause": {}}]}))
    world.settle()
    candidate = world.status["rollout"]["candidate"]
    world.outside = WAITS
    steps = [{"setWeight": 50}, {"pause": {}}]
    world.edit(v(2).with_rollout(strategy="Canary", canary={"steps": steps}, abort=candidate))
    world.settle()
    assert world.replicas() == {"1.0.0": 1}
    assert summary(world)[0] == "RevisionAborted"


@pytest.mark.parametrize(
    "model",
    [v(2).suspended(), v(2).with_replicas(0), v(1)],
    ids=["suspended", "scaled to zero", "back at what serves"],
)
def test_what_would_not_begin_anyway_wants_no_slot(model: ModelBuilder):
    world = waiting()
    world.edit(model)
    world.settle()
    assert not world.plan().wants_slot
    assert (world.status["rollout"]["phase"] == "Waiting") is bool(model.raw["spec"].get("suspend"))


def test_another_priority_is_not_another_revision():
    world = serving(v(1))
    first = world.status["stable"]["revision"]
    world.edit(v(1).with_rollout(priority=100))
    world.settle()
    assert world.status["stable"]["revision"] == first
    assert len(world.status["revisions"]) == 1


# ---------------------------------------------------------------------------------------------- room


def auto(number: int) -> ModelBuilder:
    return v(number).with_rollout(strategy="Auto")


def test_whether_there_is_room_is_asked_only_when_auto_is_about_to_choose():
    world = serving(auto(1))
    assert world.plan().wants_room is None, "nothing is about to begin"
    world.edit(auto(2))
    template = world.plan().wants_room
    assert template is not None
    assert template["metadata"]["labels"]["sentinel.dev/name"] == "fraud"
    world.outside = Outside(spare=True)
    assert world.plan().wants_room is None, "it is known"
    world.pass_once()
    world.outside = Outside()
    assert world.plan().wants_room is None, "it has begun"
    assert world.status["rollout"]["strategy"] == "Canary"


def test_without_a_slot_the_room_does_not_matter_yet():
    world = serving(auto(1))
    world.outside = WAITS
    world.edit(auto(2))
    plan = world.plan()
    assert (plan.wants_slot, plan.wants_room) == (True, None)


def test_a_strategy_that_is_said_is_not_chosen():
    world = serving(v(1))
    world.edit(v(2))
    assert world.plan().wants_room is None


@pytest.mark.parametrize(("spare", "strategy"), [(True, "Canary"), (False, "RollingUpdate"), (None, "Canary")])
def test_auto_replaces_pod_by_pod_where_there_is_no_room_for_more(spare: bool | None, strategy: str):
    world = serving(auto(1))
    world.outside = Outside(spare=spare)
    world.edit(auto(2).with_spec(pod={"resources": {"requests": {"cpu": "1"}}}))
    world.pass_once()
    assert world.status["rollout"]["strategy"] == strategy
