"""The health score, and the defects of the one it follows."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from sentinel_operator.core.analysis.health import gpu_health, health_score, pod_trouble

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def pod(*, phase: str = "Running", waiting: str = "", restarts: int = 0, ended_ago: float | None = None) -> dict:
    status: dict = {"state": {"waiting": {"reason": waiting}} if waiting else {"running": {}}, "restartCount": restarts}
    if ended_ago is not None:
        finished = (NOW - timedelta(seconds=ended_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")
        status["lastState"] = {"terminated": {"reason": "OOMKilled", "finishedAt": finished}}
    return {"metadata": {}, "status": {"phase": phase, "containerStatuses": [status]}}


def score(desired: int, ready: int, *pods: dict, available: int | None = None) -> float:
    return health_score(
        desired=desired, ready=ready, available=ready if available is None else available, pods=pods, now=NOW
    ).score


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (score(4, 4, *[pod()] * 4), 1.0),
        (score(10, 9), 0.9),
        (score(4, 2), 0.5),
        (score(4, 4, available=2), 0.9),
        (score(4, 6), 1.0),
        (score(1, 1, pod(restarts=3, ended_ago=30)), 0.5),
        (score(100, 100, pod(restarts=1, ended_ago=30), *[pod()] * 99), 0.995),
        (score(1, 1, pod(restarts=40, ended_ago=7200)), 1.0),
        (score(2, 1, pod(), pod(waiting="CrashLoopBackOff")), 0.375),
    ],
    ids=[
        "all well", "counts from the first missing pod on", "half ready", "ready but not available", "surplus pods",
        "a pod that restarts between two looks is not well", "one of a hundred does not weigh as much as all",
        "restarts of long ago are over", "a pod that does not start",
    ],
)  # fmt: skip
def test_the_score(found, expected):
    assert found == pytest.approx(expected)


def test_who_shall_have_no_pods_has_no_score():
    health = health_score(desired=0, ready=0, available=0, pods=(), now=NOW)
    assert math.isnan(health.score)
    assert health.measured(NOW).value is not None


def test_pods_that_go_do_not_count():
    going = pod(phase="Failed")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    assert score(1, 1, pod(), going) == 1.0


def test_what_lowered_it_is_said():
    health = health_score(desired=2, ready=1, available=1, pods=[pod(), pod(waiting="ErrImagePull")], now=NOW)
    assert health.message == "1 of 2 pods ready, 1 in trouble (ErrImagePull)"
    assert pod_trouble({"metadata": {}, "status": {}}, now=NOW) == ""
    assert pod_trouble(pod(phase="Failed"), now=NOW) == "Failed"


def test_gpus():
    assert gpu_health([True, False]).score == 0.5
    assert math.isnan(gpu_health([]).score)
