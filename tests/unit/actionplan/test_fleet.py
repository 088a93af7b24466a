"""Many plans at once, under executors that die: one at a time on a target, within the rate, and none lost."""

from __future__ import annotations

import contextlib
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel_operator.api.actionstatus import ACTING, FINISHED
from sentinel_operator.core.policy.facts import Identity
from tests.unit.actionplan.world import Executor, KilledError, World, a_decision, a_deployment
from tests.unit.policy.scenes import policy, rule

NAMES = [f"p{number}" for number in range(6)]
RATE = 4
EVENTS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(["passes"] * 5 + ["dies", "time"])), max_size=120)


def a_world() -> World:
    world = World(policies=(policy(rule("RateLimit", maxPerHour=RATE, scope="Global")),))
    for name in ("web", "api"):
        world.put(a_deployment(name))
    world.settle()
    for number, name in enumerate(NAMES):
        target = "web" if number % 2 else "api"
        world.submit(a_decision("restart", target), name=name, by=Identity(username=name))
    return world


def check(world: World) -> None:
    """What holds at any moment."""
    acting = [
        raw["spec"]["decisions"][0]["target"]["name"]
        for raw in world.plans()
        if world.state(raw["metadata"]["name"]) in ACTING
    ]
    assert len(acting) == len(set(acting)), "a target is changed by one plan at a time"
    assert len(world.applied) <= RATE


@settings(max_examples=12, deadline=None)
@given(EVENTS)
def test_whoever_dies_the_rate_holds_and_every_plan_comes_to_its_end(events: list[tuple[str, str]]):
    world = a_world()
    executor = Executor(world)
    for number, (name, happens) in enumerate(events):
        if happens == "time":
            world.now += timedelta(seconds=7)
            continue
        if happens == "dies":
            executor.writes_left = number % 3
        with contextlib.suppress(KilledError):
            executor.pass_over(name)
        if happens == "dies":
            executor = Executor(world)
        world.settle()
        check(world)
        world.now += timedelta(milliseconds=1)
    for _ in range(400):
        if all(world.state(name) in FINISHED for name in NAMES):
            break
        for name in NAMES:
            executor.pass_over(name)
            world.settle()
            check(world)
            world.now += timedelta(milliseconds=1)
        world.now += timedelta(seconds=5)
    states = [world.state(name) for name in NAMES]
    assert set(states) <= {"Completed", "Rejected", "Expired"}
    assert states.count("Completed") == len(world.applied) == RATE
