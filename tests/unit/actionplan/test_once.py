"""Exactly once: whoever dies, wherever, and whoever comes back too late. Nothing is done twice, nothing is lost,
nothing is done after its time, and what is taken back is what was there."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel_operator.api.actionstatus import FINISHED
from sentinel_operator.core.plan import Plan
from tests.unit.actionplan.world import (
    ConflictError,
    Executor,
    KilledError,
    Raw,
    World,
    a_decision,
    a_deployment,
    a_node,
    a_pod,
    key_of,
)

ERRORS = {"name": "errors", "web": {"url": "http://quality/score"}, "max": 0.01}
PLAN = (
    a_decision("scale", params={"replicas": 5}),
    a_decision("restart", dependsOn=["scale-web"]),
    a_decision("drain", "n1", kind="Node", id_="drain"),
)
SPACE = "sentinel-system"


def a_world(*, errors: float = 0.0) -> World:
    world = World(measure=lambda _: errors)
    for raw in (a_deployment(), a_node("n1"), a_pod("web-1", "n1"), a_pod("web-2", "n1")):
        world.put(raw)
    world.settle()
    decisions = copy.deepcopy(PLAN)
    for each in decisions:
        if each["target"]["kind"] != "Node":
            each["target"]["namespace"] = "shop"
    world.submit(*decisions, namespace=SPACE, verify={"metrics": [ERRORS]})
    return world


def targets(world: World) -> dict[str, Raw]:
    return {name: world.spec(kind, name) for kind, name in (("Deployment", "web"), ("Node", "n1"))}


def kinds_applied(world: World) -> list[str]:
    """Which field each change was about, in order."""
    return [f"{what} {'/'.join(_leaf(body))}" for what, body in world.applied]


def _leaf(body: Any) -> list[str]:
    return [] if not isinstance(body, dict) else [next(iter(body)), *_leaf(next(iter(body.values())))]


def ways(*, errors: float) -> tuple[list[str], dict[str, Raw], int]:
    """What happens, and how many writes it takes, when nobody dies."""
    world = a_world(errors=errors)
    executor = Executor(world, writes_left=10_000)
    executor.run(namespace=SPACE)
    assert executor.writes_left is not None
    return kinds_applied(world), targets(world), 10_000 - executor.writes_left


CALM = {errors: ways(errors=errors) for errors in (0.0, 0.5)}
HAPPENS = st.sampled_from(["passes"] * 6 + ["dies", "sleeps", "wakes", "time", "much_time", "edits"])
ENDS = {0.0: "Completed", 0.5: "RolledBack"}


@pytest.mark.parametrize("errors", CALM, ids=["right", "wrong"])
def test_an_executor_that_dies_before_any_write_changes_nothing_about_the_outcome(errors: float):
    wanted, ends, writes = CALM[errors]
    assert len(wanted) == (3 if errors == 0.0 else 6)
    for point in range(writes):
        world = a_world(errors=errors)
        before = targets(world)
        with pytest.raises(KilledError):
            Executor(world, writes_left=point).run(namespace=SPACE)
        assert Executor(world).run(namespace=SPACE) == ENDS[errors], f"killed at write {point}"
        assert kinds_applied(world) == wanted, f"killed at write {point}"
        after = targets(world)
        if errors:
            assert after == before, f"killed at write {point}"
        else:
            assert (after["n1"], after["web"]["replicas"]) == (ends["n1"], 5), f"killed at write {point}"


@pytest.mark.parametrize("errors", CALM, ids=["right", "wrong"])
def test_executors_that_die_again_and_again_get_there(errors: float):
    world = a_world(errors=errors)
    for _ in range(500):
        try:
            state = Executor(world, writes_left=1).run(namespace=SPACE)
        except KilledError:
            continue
        assert state == ENDS[errors]
        break
    assert kinds_applied(world) == CALM[errors][0]


@pytest.mark.parametrize("errors", CALM, ids=["right", "wrong"])
def test_what_a_paused_executor_had_in_mind_is_refused_when_it_wakes(errors: float):
    """It decides, is paused, another leads and finishes; then it carries out what it had decided."""
    for point in range(60):
        world = a_world(errors=errors)
        first, decided = Executor(world), None
        for _ in range(point):
            if world.state(namespace=SPACE) in FINISHED:
                break
            first.pass_over(namespace=SPACE)
            world.settle()
            world.now += timedelta(seconds=2)
        if world.state(namespace=SPACE) in FINISHED:
            break
        raw = copy.deepcopy(world.get("ActionPlan", "plan", SPACE))
        decided = first.decide(raw)
        assert Executor(world).run(namespace=SPACE) == ENDS[errors]
        applied, status, ends = kinds_applied(world), world.status(namespace=SPACE), targets(world)
        first.execute(raw, decided)
        assert kinds_applied(world) == applied == CALM[errors][0], f"paused after pass {point}"
        assert (world.status(namespace=SPACE), targets(world)) == (status, ends)


def test_a_request_that_arrived_and_whose_answer_did_not_is_not_made_again():
    world = a_world()

    class Deaf(Executor):
        def _write(self, write: Callable[[], None]) -> None:
            write()
            raise ConflictError  # of any answer that is lost: the pass ends here

    deaf = Deaf(world)
    for _ in range(200):
        if world.state(namespace=SPACE) in FINISHED:
            break
        deaf.pass_over(namespace=SPACE)
        world.settle()
        world.now += timedelta(seconds=2)
    assert world.state(namespace=SPACE) == "Completed"
    assert kinds_applied(world) == CALM[0.0][0]


@pytest.mark.parametrize("point", range(CALM[0.0][2]))
def test_nothing_is_begun_after_its_time_and_what_was_is_taken_back(point: int):
    """The executor dies, and the next one comes when the time of every decision is over."""
    world = a_world()
    before = targets(world)
    with pytest.raises(KilledError):
        Executor(world, writes_left=point).run(namespace=SPACE)
    made = len(world.applied)
    began = kinds_applied(world)
    world.now += timedelta(hours=2)
    end = Executor(world).run(namespace=SPACE)
    begun_later = [each for each in kinds_applied(world)[made:] if each not in _inverses(began)]
    assert begun_later == [], "nothing but what takes back"
    assert end in ("Expired", "RolledBack", "Completed")
    if end != "Completed":
        assert targets(world) == before


def _inverses(began: list[str]) -> list[str]:
    return [*began, "Deployment/web spec/template/metadata/annotations", "Node/n1 spec/unschedulable"]


@dataclass
class Chaos:
    """Executors die or fall asleep, answers get lost, time passes, others edit the targets."""

    world: World
    asleep: list[tuple[Executor, Raw, Plan]] = field(default_factory=list)
    meddled: bool = False

    def __post_init__(self) -> None:
        self.executor = Executor(self.world)

    def passes(self, _: int) -> None:
        self.executor.pass_over(namespace=SPACE)
        self.world.settle()

    def dies(self, number: int) -> None:
        self.executor.writes_left = number % 2
        with contextlib.suppress(KilledError):
            self.executor.pass_over(namespace=SPACE)
        self.executor = Executor(self.world)

    def sleeps(self, _: int) -> None:
        raw = copy.deepcopy(self.world.get("ActionPlan", "plan", SPACE))
        self.asleep.append((self.executor, raw, self.executor.decide(raw)))
        self.executor = Executor(self.world)

    def wakes(self, _: int) -> None:
        if self.asleep:
            sleeper, raw, plan = self.asleep.pop()
            sleeper.execute(raw, plan)

    def time(self, number: int) -> None:
        self.world.now += timedelta(seconds=number)

    def much_time(self, _: int) -> None:
        self.world.now += timedelta(minutes=10)

    def edits(self, number: int) -> None:
        self.world.edit("Deployment", "web", replicas=2 + number % 3)
        self.meddled = True


@settings(max_examples=80, deadline=None)
@given(st.sampled_from([0.0, 0.5]), st.lists(st.tuples(HAPPENS, st.integers(1, 60)), min_size=5, max_size=60))
def test_whatever_happens_in_whatever_order(errors: float, happens: list[tuple[str, int]]):
    world = a_world(errors=errors)
    chaos = Chaos(world)
    for what, number in happens:
        getattr(chaos, what)(number)
    assert Executor(world).run(namespace=SPACE) in FINISHED, "it always comes to an end"
    while chaos.asleep:
        chaos.wakes(0)
    applied = kinds_applied(world)
    grown = [body for what, body in world.applied if what == "Deployment/web" and body["spec"].get("replicas") == 5]
    assert len(grown) <= 1, "done once"
    assert len([each for each in applied if "template" in each]) <= 2, "done once, and taken back once"
    status = world.status(namespace=SPACE)
    states = {each["state"] for each in status.get("decisions", [])}
    if status["state"] == "Completed":
        assert (errors, states) == (0.0, {"Done"})
    if status["state"] == "Expired":
        assert applied == []
    if status["state"] in ("RolledBack", "Expired") and not chaos.meddled:
        assert targets(world) == {"web": a_deployment()["spec"], "n1": {}}


def test_the_world_is_the_api_servers():
    """A stale patch, a stale status and a namesake's patch are refused here as there."""
    world = a_world()
    raw = copy.deepcopy(world.get("ActionPlan", "plan", SPACE))
    world.write_status(raw, {"state": "Pending"})
    with pytest.raises(ConflictError):
        world.write_status(raw, {"state": "Failed"})
    assert key_of(raw) in world.objects


def test_what_somebody_has_put_back_is_not_done_again():
    """The executor dies between doing and seeing it done, and somebody else sets the old number meanwhile."""
    world = World()
    world.put(a_deployment())
    world.settle()
    world.submit(PLAN[0])
    executor = Executor(world)
    executor.run(until=lambda: bool(world.applied))
    world.edit("Deployment", "web", replicas=3)
    assert Executor(world).run() == "Failed"
    assert [body["spec"]["replicas"] for _, body in world.applied] == [5]
    assert "was changed by somebody else" in world.status()["failure"]
    assert world.spec("Deployment", "web")["replicas"] == 3
