"""The invariants of progressive delivery hold in every state that can be reached, and each comes to rest.

1 capacity of what receives requests, 2 nothing unready, unverified or rejected receives any, 3 stable goes only after
the data plane was observed to have left it and after the drain, 4 an end of any kind returns everything in one pass,
5 it comes to rest and says where, 6 what is promoted was analysed, and the numbers end where the user asked, 7 a crash
between any two writes loses nothing, 8 the autoscaler's numbers are its own.
"""

from __future__ import annotations

from unittest import mock

import pytest

from sentinel_operator.core.rollout import deliver, intent, replicas, rest, routing
from sentinel_operator.core.rollout.observed import Observed
from sentinel_operator.core.rollout.progress import DONE
from sentinel_operator.core.rollout.routes import Routes
from tests.unit.rollout.explore import Broken, explore
from tests.unit.rollout.model import Scenario
from tests.unit.rollout.scenarios import SHALLOW

ENDS = {
    "canary fails": ("Stalled/RevisionRejected",),
    "canary never ready": ("Stalled/ProgressDeadlineExceeded",),
    "canary not verified": ("Stalled/ProgressDeadlineExceeded",),
    "canary with other bytes": ("Stalled/RevisionRejected",),
    "canary waits for a word": ("Paused/Paused",),
    "no slot": ("Waiting/WaitingForBudget",),
    "hot swap refused": ("Stalled/RevisionRejected",),
}


@pytest.mark.parametrize("scenario", SHALLOW, ids=lambda scenario: scenario.name)
def test_every_state_that_can_be_reached_is_safe_and_comes_to_rest(scenario: Scenario, capsys):
    space = explore(scenario)
    with capsys.disabled():
        print(f"\n{space}", end="")
    assert space.states > 5
    if scenario.name in ENDS:
        assert space.ends == ENDS[scenario.name]


def named(name: str) -> Scenario:
    found = next(scenario for scenario in SHALLOW if scenario.name == name)
    return Scenario(**{key: value for key, value in vars(found).items() if key != "_decisions"})


def at_once(observed: Observed, routes: Routes) -> dict[str, int]:
    return {view.id: 0 for view in observed.revisions.values() if view.id not in _current(observed)}


def _current(observed: Observed) -> set[str]:
    return {observed.state.base, observed.state.candidate}


BREAKAGES = {
    "others end without a drain": ("canary aborted", replicas, "_leftovers", at_once, "3:"),
    "a superseded candidate keeps its requests": (
        "canary taken back",
        rest,
        "returning_routes",
        lambda observed: observed.written,
        "4:",
    ),
    "anything may get requests": ("canary not verified", routing, "acceptable", lambda view: view.sure > 0, "2:"),
    "an analysis passes by itself": (
        "canary fails",
        deliver,
        "outcome",
        lambda observed, step, *, index, demanded, count, routes: DONE,
        "6:|1:|5:|3:",
    ),
    "stable gives its pods before the others serve": (
        "rolling",
        replicas,
        "_group",
        lambda view: replicas.Group(revision=view.id, replicas=view.replicas, serving=view.replicas),
        "1:",
    ),
    "the autoscaler's pods are scaled": (
        "canary under an autoscaler",
        deliver,
        "without_owned",
        lambda observed, targets, *, autoscale: {**targets, observed.state.base: 1},
        "8:",
    ),
    "a rejected revision is tried again": (
        "canary fails",
        intent,
        "BARRED",
        frozenset(),
        "never comes|does not come|2:|5:",
    ),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_the_exploration_finds_what_is_broken_on_purpose(breakage):
    name, module, attribute, wrong, number = BREAKAGES[breakage]
    with mock.patch.object(module, attribute, wrong), pytest.raises(Broken, match=number):
        explore(named(name), limit=20_000)
