"""Every transition of a plan is in its history, once, under a number of its own; and who was told of it."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_operator.api.actionstatus import FINISHED, MAX_HISTORY, ActionPlanStatus, Transition
from sentinel_operator.api.sentinelconfig import PlanRetention
from sentinel_operator.core.actionplan.history import Told, is_told, newest, recorded, told, untold
from sentinel_operator.core.actionplan.observe import observe_status
from sentinel_operator.core.actionplan.retention import pruned
from sentinel_operator.core.actionplan.status import as_manifest
from sentinel_operator.core.actionplan.surroundings import Surroundings
from sentinel_operator.core.outside import Outside
from tests.unit.actionplan.world import NOW, Executor, World, a_decision, a_deployment

STATES = ("Pending", "Validating", "AwaitingApproval", "Approved", "Scheduled", "Executing")
SCALE = a_decision("scale", params={"replicas": 5})


def a_world(**spec: Any) -> World:
    world = World()
    world.put(a_deployment())
    world.settle()
    world.submit(SCALE, **spec)
    return world


def states(world: World) -> list[str]:
    return [each["state"] for each in world.status()["history"]]


def test_the_first_state_is_as_old_as_the_plan_and_the_others_as_their_write() -> None:
    world = a_world()
    world.now += timedelta(seconds=7)
    assert Executor(world).run() == "Completed"
    history = world.status()["history"]
    assert states(world) == ["Pending", "Validating", "Approved", "Scheduled", "Executing", "Completed"]
    assert [each["number"] for each in history] == [1, 2, 3, 4, 5, 6]
    assert [each["at"] for each in history[:2]] == ["2026-01-30T12:00:00Z", "2026-01-30T12:00:07Z"]
    assert [each["at"] for each in history] == sorted(each["at"] for each in history)
    assert history[-1]["message"] == world.status()["message"]


@pytest.mark.parametrize(
    ("spec", "ends"),
    [
        ({"mode": "DryRun"}, ["Pending", "Validating", "Completed"]),
        ({"source": "somebody-else"}, ["Pending", "Rejected"]),
        ({"createdAt": "2020-01-01T00:00:00Z"}, ["Pending", "Expired"]),
    ],
)
def test_a_plan_that_ends_early_says_by_which_way(spec: dict[str, Any], ends: list[str]) -> None:
    world = a_world(**spec)
    Executor(world).run()
    assert states(world) == ends


def test_a_plan_that_waits_in_one_state_writes_nothing_into_its_history() -> None:
    world = a_world(suspend=True)
    executor = Executor(world)
    for _ in range(3):
        executor.pass_over()
    assert states(world) == ["Pending"]


@given(st.lists(st.sampled_from(STATES), max_size=200))
def test_whatever_states_a_plan_goes_through_each_change_has_the_next_number(way: list[str]) -> None:
    status, expected, last = ActionPlanStatus(), 1, "Pending"
    for each in way:
        status = status.model_copy(update={"state": each})
        status = status.model_copy(update={"history": recorded(status, created=NOW, now=NOW)})
        again = recorded(status, created=NOW, now=NOW + timedelta(days=1))
        assert again == status.history, "the same state is recorded once"
        expected, last = expected + (each != last), each
        assert status.history is not None
        assert (status.history[-1].state, status.history[-1].number) == (each, expected)
        numbers = [one.number for one in status.history]
        assert numbers == list(range(expected - len(numbers) + 1, expected + 1))
        assert len(numbers) <= MAX_HISTORY


def test_a_status_that_cannot_be_read_keeps_its_numbers() -> None:
    world = a_world()
    Executor(world).run(until=lambda: world.state() == "Executing")
    raw = copy.deepcopy(world.get("ActionPlan", "plan"))
    raw["status"]["done"] = "many"
    raw["status"]["published"] = 3
    status = observe_status(raw)
    assert (status.state, status.published) == ("Failed", 3)
    assert [each.number for each in status.history or ()] == [1, 2, 3, 4, 5]
    assert recorded(status, created=NOW, now=NOW)[-1].number == 6


# ---------------------------------------------------------------------------------------------- who was told


def passed(world: World, known: Told | None) -> dict[str, Any] | None:
    raw = copy.deepcopy(world.get("ActionPlan", "plan"))
    executor = Executor(world)
    around = executor.around(raw, {"scale-web": ""})
    outside = Outside(plan=Surroundings(**{name: getattr(around, name) for name in _FIELDS}, told=known))
    return world.reconciler.plan(world.reconciler.observe(raw, (), (), {}, world.config, world.now, outside)).status


_FIELDS = ("policies", "targets", "nodes", "neighbours", "locked", "holders", "rehearsed")


def test_how_far_the_sink_is_goes_along_with_what_is_written_anyway() -> None:
    world = a_world()
    Executor(world).pass_over()
    written = passed(world, Told(2, 1))
    assert written is not None
    assert (written["published"], written["publishRefused"]) == (2, 1)
    assert written["decisions"] != world.status()["decisions"], "there was something to write"


def test_how_far_the_sink_is_is_no_reason_to_write() -> None:
    world = a_world(suspend=True)
    Executor(world).pass_over()
    assert passed(world, Told(1)) == world.status()
    assert "published" not in world.status()


def test_without_a_sink_nothing_is_said_of_it() -> None:
    world = a_world()
    Executor(world).run()
    assert "published" not in world.status()
    assert "publishRefused" not in world.status()


def a_finished(name: str, *, days: float, published: int | None, states: int = 3) -> dict[str, Any]:
    history = [Transition(number=number, state="Validating", at="") for number in range(1, states + 1)]
    finished = f"{NOW - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"
    status = ActionPlanStatus(state="Completed", finished_at=finished, history=history, published=published)
    metadata = {"name": name, "namespace": "shop", "uid": f"uid-{name}"}
    return {"apiVersion": "v", "kind": "ActionPlan", "metadata": metadata, "status": as_manifest(status)}


def test_what_the_sink_is_still_to_be_told_of_goes_by_twice_its_age_alone() -> None:
    plans = [
        a_finished("told", days=3, published=3),
        a_finished("half", days=3, published=2),
        a_finished("none", days=3, published=None),
        a_finished("old", days=13, published=None),
        a_finished("older", days=15, published=2),
        a_finished("new", days=1, published=None),
    ]
    few = PlanRetention(max_finished=0, max_age="168h")

    def names(*, published: bool) -> set[str]:
        return {each.ref.name for each in pruned(plans, few, NOW, published=published)}

    assert names(published=True) == {"told", "older"}
    assert names(published=False) == {"told", "half", "none", "old", "older", "new"}


@pytest.mark.parametrize("status", [None, {}, {"history": "?"}, {"history": [{"number": "1"}, 5]}, {"published": "x"}])
def test_a_status_of_any_form_can_be_asked(status: Any) -> None:
    raw = {"metadata": {"uid": "u"}, "status": status}
    assert (newest(raw), told(raw), untold(raw, 0), is_told(raw)) == (0, Told(), [], True)
    assert observe_status(raw).state in (None, *FINISHED)
