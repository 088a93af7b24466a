from __future__ import annotations

import pytest

from sentinel_operator.api.kinds import KINDS
from sentinel_operator.cli.goal import goal
from sentinel_operator.cli.kinds import kind_named, selection, target
from sentinel_operator.cli.outcome import Exit, Failed
from tests.unit.cli.recording import recorded


@pytest.mark.parametrize(
    ("until", "case", "reached", "hopeless"),
    [
        ("ready", "ready", True, False),
        ("READY", "suspended", True, False),
        ("ready", "unobserved", False, False),
        ("ready", "rolling", False, False),
        ("ready", "storage-unreachable", False, False),
        ("ready", "failed-upgrade", False, True),
        ("ready=false", "failed-upgrade", True, False),
        ("stalled", "failed-upgrade", True, False),
        ("Stalled=False", "ready", True, False),
        ("ModelVerified=false", "failed-upgrade", True, False),
        ("ModelVerified=unknown", "storage-unreachable", True, False),
        ("Available", "unobserved", False, False),
        ("deleted", "ready", False, False),
    ],
)
def test_goals(until: str, case: str, reached: bool, hopeless: bool) -> None:
    raw = recorded(case)
    assert goal(until).reached(raw) is reached
    assert goal(until).hopeless(raw) is hopeless


@pytest.mark.parametrize("until", ["ready", "Available", "Stalled=False"])
def test_what_was_true_of_an_older_spec_does_not_count(until: str) -> None:
    raw = recorded("ready")
    assert goal(until).reached(raw)
    raw["metadata"]["generation"] += 1
    assert not goal(until).reached(raw)


def test_what_is_on_its_way_out_is_not_ready() -> None:
    raw = recorded("ready")
    raw["metadata"]["deletionTimestamp"] = "2025-03-01T11:59:00Z"
    assert not goal("ready").reached(raw)


@pytest.mark.parametrize("until", ["", "=True", "ready=maybe", "ready=", "a b"])
def test_a_goal_that_means_nothing_is_refused(until: str) -> None:
    with pytest.raises(Failed, match="--until") as refused:
        goal(until)
    assert refused.value.code is Exit.USAGE


@pytest.mark.parametrize(
    "text",
    ["sm", "sentrymodel", "sentrymodels", "SentryModel", "sentrymodels.sentinel.dev", "sentrymodel.sentinel.dev"],
)
def test_a_kind_has_the_names_that_kubectl_knows(text: str) -> None:
    assert kind_named(text).kind == "SentryModel"


def test_selections() -> None:
    assert selection(None)[0] == KINDS
    assert selection("sm")[1] == ""
    assert (selection("sm/fraud")[0][0].kind, selection("sm/fraud")[1]) == ("SentryModel", "fraud")
    assert target("sm/fraud").label == "sentrymodel/fraud"
    assert target("fraud").label == "sentrymodel/fraud"


@pytest.mark.parametrize("text", ["sm", "sm/", "/fraud", "sm/a/b", "pods/fraud"])
def test_a_target_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Failed) as refused:
        target(text)
    assert refused.value.code is Exit.USAGE
