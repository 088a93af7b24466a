"""What a rollout is foretold to do is what it does."""

from __future__ import annotations

import pytest

from sentinel_operator.api.rollout import RolloutSpec
from sentinel_operator.core.rollout.forecast import forecast
from tests.unit.rollout.explore import calmed
from tests.unit.rollout.model import Declared, Scenario
from tests.unit.rollout.scenarios import BLUE_GREEN, HOT, ROLLING, SHADOW, canary, serving, spec


def test_the_default_is_a_canary_of_three_weights_of_three_minutes():
    told = forecast(RolloutSpec(), wanted=10, gpus_a_pod=1, pod_start=20)
    assert [step.text for step in told.steps] == [
        *("weight 10%", "analysis", "weight 50%", "analysis", "weight 100%", "analysis", "weight 100%"),
        "keep the old for 5s",
    ]
    assert [step.weight for step in told.steps][:6] == [9, 9, 50, 50, 100, 100]
    assert [step.candidate_pods for step in told.steps][:6] == [1, 1, 10, 10, 10, 10]
    assert (told.peak_pods, told.peak_gpus, told.waits) == (20, 20, 0)
    assert told.seconds == 3 * 180 + 2 * 20 + 5


@pytest.mark.parametrize(
    ("declared", "wanted", "peak"),
    [
        (canary(), 4, 8),
        (canary([{"setWeight": 25}]), 4, 8),
        (canary(maxSurge=1), 4, 5),
        (BLUE_GREEN, 3, 6),
        (SHADOW, 4, 8),
        (HOT, 3, 3),
        (ROLLING, 4, 5),
        (spec("RollingUpdate", maxSurge=0, maxUnavailable=1), 4, 4),
        (spec("Recreate"), 3, 3),
    ],
    ids=str,
)
def test_the_peak_foretold_is_the_peak(declared, wanted, peak):
    scenario = Scenario(
        name="forecast", script=(Declared("b", wanted, declared),), start=serving(wanted), swappable=True
    )
    most = wanted
    for number, world in enumerate(calmed(scenario, scenario.start)):
        most = max(most, sum(pods.replicas for pods in world.pods))
        if number > 200:
            break
    assert world.state.stable == "b"
    assert forecast(declared, wanted=wanted).peak_pods == most == peak


def test_without_room_auto_swaps_in_the_running_pods():
    told = forecast(spec("Auto"), wanted=4, gpus_a_pod=2, spare=False, swappable=True)
    assert (told.strategy, told.peak_gpus) == ("HotSwap", 8)
    assert forecast(spec("Auto"), wanted=4).strategy == "Canary"


def test_what_waits_for_a_person_is_counted_apart():
    told = forecast(spec("BlueGreen", blueGreen={"autoPromote": False}), wanted=2, pod_start=10)
    assert (told.waits, told.seconds) == (1, 40)


def test_the_first_revision_is_just_started():
    told = forecast(RolloutSpec(), wanted=3, first=True)
    assert [step.text for step in told.steps] == ["first pods"]
    assert told.peak_pods == 3
