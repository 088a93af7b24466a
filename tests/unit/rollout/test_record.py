"""What is written to the status comes back as it was: a restart of the operator changes nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_operator.api.rollout import RolloutProgress
from sentinel_operator.core.rollout.decide import decide
from sentinel_operator.core.rollout.decision import Decision, Standing
from sentinel_operator.core.rollout.observed import State
from sentinel_operator.core.rollout.record import progress, remembered
from sentinel_operator.core.rollout.routes import Routes
from tests.unit.rollout.model import Scenario, moves
from tests.unit.rollout.scenarios import SHALLOW

MOMENT = st.integers(1, 4_000_000_000).map(float)
STATES = st.builds(
    State,
    stable=st.sampled_from(["", "a"]),
    host=st.sampled_from(["", "h"]),
    candidate=st.sampled_from(["", "b"]),
    strategy=st.sampled_from(["", "Canary", "Initial"]),
    attempt=st.integers(0, 9),
    step=st.integers(0, 9),
    step_started=MOMENT,
    started=MOMENT,
    progressed=MOMENT,
    most_ready=st.integers(0, 9),
    fast=st.booleans(),
    rolled=st.booleans(),
    plan=st.sampled_from(["", "w10 j"]),
    peak=st.integers(0, 9),
    settled_routing=st.sampled_from(["", "a=100@7"]),
    settled_at=MOMENT,
    stalled=st.sampled_from(["", "Paused"]),
)


def through_the_status(state: State) -> State:
    standing = Standing(phase="Stable", reason="Stable", message="")
    status = progress(Decision(routes=Routes(), replicas={}, state=state, standing=standing))
    wire = json.loads(json.dumps(status.model_dump(by_alias=True, exclude_none=True)))
    return remembered(RolloutProgress.model_validate(wire))


@given(STATES.filter(lambda state: state.strategy or not state.candidate))
def test_the_status_keeps_all_that_is_remembered(state):
    assert through_the_status(state) == state


@given(st.floats(1, 4e9))
def test_a_part_of_a_second_is_rounded_up_so_that_no_drain_is_short(moment):
    kept = through_the_status(State(settled_at=moment)).settled_at
    assert 0 <= kept - moment < 1


def test_a_strategy_of_another_release_is_taken_for_the_default():
    status = RolloutProgress(candidate="b", stable="a", strategy="Quantum")
    assert remembered(status).strategy == "Canary"


def test_nothing_is_remembered_without_a_status():
    assert remembered(None) == State()


@pytest.mark.parametrize("scenario", SHALLOW[2:8], ids=lambda scenario: scenario.name)
def test_the_decision_after_a_restart_is_the_same(scenario: Scenario):
    world = scenario.start
    for step in range(60):
        observed = scenario.observe(world)
        restarted = type(observed)(**{**vars(observed), "state": through_the_status(observed.state)})
        assert decide(restarted) == scenario.decision(world)
        following = [world for _, world in moves(scenario, world)]
        if not following:
            break
        world = following[step % len(following)]
