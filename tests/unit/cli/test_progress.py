from __future__ import annotations

from datetime import timedelta
from typing import Any

from sentinel_operator.cli.progress import progress_lines
from sentinel_operator.core.outside import Outside
from sentinel_operator.core.rollout.observed import Budget
from tests.support.simulation import World
from tests.unit.cli.recording import NOW, printed, recorded
from tests.unit.cli.test_verbs import canary, give, serving, waiting


def picture(raw: dict[str, Any], *, after: float = 0.0) -> str:
    return printed(progress_lines(raw, now=NOW + timedelta(seconds=after)))


def line(text: str, word: str) -> str:
    return next(each.strip() for each in text.splitlines() if each.strip().startswith(word))


def rolling_out(*steps: dict[str, Any]) -> World:
    world = serving()
    world.edit(canary(2, canary={"steps": [{"setWeight": 20}, *steps]}))
    world.settle()
    return world


def test_the_current_step_is_marked_those_before_are_done_and_all_have_their_place() -> None:
    rows = [row.split()[:2] for row in picture(recorded("canary")).splitlines()[1:8]]
    later = [["2", "weight"], ["3", "pause"], ["4", "weight"], ["5", "weight"], ["6", "keep"]]
    assert rows == [["✓", "0"], ["▸", "1"], *later]


def test_a_weight_that_pods_cannot_have_is_told_beside_the_one_that_they_have() -> None:
    text = picture(recorded("canary"))
    assert "weight 10%             1 beside 4 pods: 20%" in text
    assert line(text, "requests") == "requests   10 % wanted, 20 % observed"


def test_metrics_are_shown_with_their_numbers_while_they_are_measured() -> None:
    text = picture(recorded("canary"))
    assert line(text, "error-rate").split()[:5] == ["error-rate", "Running", "0.00212", "0.001875", "1"]
    assert "error-rate" not in picture(recorded("canary-paused"))


def test_a_pause_says_what_ends_it() -> None:
    assert line(picture(waiting().model), "next").endswith("when promoted (kubectl sentinel promote fraud)")
    timed = rolling_out({"pause": {"duration": "10m"}})
    assert line(picture(timed.model, after=60), "next").endswith("in about 9m")
    assert line(picture(timed.model, after=6000), "next").endswith("due now")
    give(timed, "pause")
    assert line(picture(timed.model), "next").endswith("when resumed (kubectl sentinel resume fraud)")


def test_a_gate_says_for_how_long_it_is_asked() -> None:
    raw = waiting().model
    raw["spec"]["rollout"]["canary"]["steps"][1] = {"gate": {"webhook": {"url": "https://gate.test/"}}}
    raw["status"]["rollout"]["phase"] = "Waiting"
    assert line(picture(raw, after=120), "next").endswith("when the gate opens; it is asked for 8m more")


def test_how_long_it_takes_leaves_out_what_waits_for_somebody() -> None:
    text = picture(recorded("canary-paused"))
    assert line(text, "promoted") == "promoted   after about 5m35s and 1 step that waits for a person or a gate"
    timed = rolling_out({"pause": {"duration": "10m"}})
    assert line(picture(timed.model, after=60), "promoted").startswith("promoted   in about 9m")


def test_steps_that_are_skipped_are_none_of_the_picture() -> None:
    world = waiting()
    world.model["status"]["rollout"] |= {"fast": True, "step": 0}
    text = picture(world.model)
    assert "attempt 1, steps skipped" in text
    assert "pause" not in text


def test_without_a_rollout_there_is_a_reason_or_nothing() -> None:
    assert picture(serving().model) == ""
    world = waiting()
    give(world, "abort")
    assert picture(world.model).startswith("  Stalled: ")


def test_the_first_delivery_and_strategies_of_a_newer_release() -> None:
    world = World.of(canary(1))
    world.pass_once()
    assert picture(world.model).startswith("  First delivery of ")
    raw = waiting().model
    raw["status"]["rollout"]["strategy"] = "Teleport"
    raw["spec"]["rollout"]["strategy"] = "Teleport"
    assert "Teleport of " in picture(raw)


def test_one_that_waits_for_its_turn_says_for_what() -> None:
    world = serving()
    world.outside = Outside(budget=Budget(granted=False, waits_for="one of the 2 slots of the cluster; number 3"))
    world.edit(canary(2))
    world.settle()
    assert picture(world.model).splitlines() == ["  Waiting: waits for one of the 2 slots of the cluster; number 3"]


def test_a_hot_swap_happens_within_the_pods_that_are_there() -> None:
    raw = waiting().model
    raw["spec"]["rollout"] = {"strategy": "HotSwap"}
    raw["status"]["rollout"] |= {"strategy": "HotSwap", "step": 0}
    text = picture(raw)
    assert text.count("within 4 pods") == 3
    assert "0 beside" not in text
