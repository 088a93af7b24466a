"""A model's own conditions over time become up, down and off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sentinel_operator.core.conditions import rfc3339
from sentinel_operator.core.levels.pods import listening, ready_since
from sentinel_operator.core.levels.standing import Seen, seen

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def a_model(
    status: str = "True", *, reason: str = "Serving", changed: float = 0, served: bool = True
) -> dict[str, Any]:
    at = rfc3339(START + timedelta(minutes=changed))
    condition = {"type": "Available", "status": status, "reason": reason, "lastTransitionTime": at}
    stable = {"stable": {"revision": "abc"}} if served else {}
    return {"metadata": {"name": "m", "uid": "u"}, "status": {**stable, "conditions": [condition]}}


def over(*looks: tuple[float, dict[str, Any]]) -> Seen:
    """Minutes after the start, and the model as it was then."""
    known: Seen | None = None
    for minutes, raw in looks:
        known = seen(known, raw, now=START + timedelta(minutes=minutes), window=DAY)
    assert known is not None
    return known


def percent(known: Seen, minutes: float = 60) -> float | None:
    return known.uptime.over(DAY, START + timedelta(minutes=minutes)).value


def test_it_serves_and_then_it_does_not() -> None:
    known = over((0, a_model()), (45, a_model("False", reason="NoReadyPods", changed=45)))
    assert percent(known) == 75.0


def test_what_was_seen_late_counts_from_when_the_status_says() -> None:
    known = over((0, a_model()), (45, a_model("False", reason="NoReadyPods", changed=30)))
    assert percent(known) == 50.0


@pytest.mark.parametrize(
    "off",
    [
        a_model("False", reason="ScaledToZero"),
        a_model("False", reason="NoReadyPods", served=False),
        {"metadata": {"name": "m", "uid": "u"}},
        {"metadata": {"name": "m", "uid": "u"}, "status": {"conditions": []}},
    ],
    ids=["scaled to zero", "never served", "no status", "no conditions"],
)
def test_what_is_not_meant_to_serve_or_never_has_is_not_down(off) -> None:
    assert percent(over((0, off))) is None
    assert percent(over((0, off), (30, a_model(changed=30)))) == 100.0


def test_a_break_that_nobody_saw_is_neither_counted_nor_denied() -> None:
    known = over((0, a_model(changed=0)), (50, a_model(changed=40)))
    assert known.uptime.spans[0].at == START + timedelta(minutes=40)
    assert percent(known, 45) is None
    assert percent(known) == 100.0


def test_the_same_again_tells_nothing_new() -> None:
    assert over((0, a_model()), (5, a_model()), (9, a_model())) == over((0, a_model()))


def a_pod(name: str, ready: str = "True", *, since: float = 0, **more: Any) -> dict[str, Any]:
    at = rfc3339(START + timedelta(minutes=since))
    labels = {"app.kubernetes.io/component": more.pop("component", "server")}
    condition = {"type": "Ready", "status": ready, "lastTransitionTime": at}
    status = {"podIP": more.pop("address", "10.0.0.1"), "conditions": [condition]}
    return {"metadata": {"name": name, "uid": name, "labels": labels, **more}, "status": status}


def test_pods_tell_since_when_one_of_them_was_ready_and_where_they_are_asked() -> None:
    pods = [
        a_pod("old", since=10),
        a_pod("new", since=50),
        a_pod("broken", "False", since=-90),
        a_pod("going", since=-90, deletionTimestamp=rfc3339(START)),
        a_pod("job", since=-90, component="analysis"),
    ]
    assert ready_since(pods) == START + timedelta(minutes=10)
    assert [each.name for each in listening(pods)] == ["old", "new"]
    assert ready_since(pods[2:]) is None
    assert listening([a_pod("a", address=""), a_pod("b", address="nonsense"), {"metadata": {"name": "c"}}]) == ()
    assert over((60, a_model())).served_since(ready_since(pods)).uptime.spans[0].at == START + timedelta(minutes=10)
    assert over((60, a_model())).served_since(None) == over((60, a_model()))
