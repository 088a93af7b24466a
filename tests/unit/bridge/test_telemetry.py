"""Points of what the cluster says, batches that stay within their bounds, outcomes that are true, rates that hold."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_operator.api.actionstatus import FINISHED
from sentinel_operator.api.sentinelconfig import PlanRetention
from sentinel_operator.bridge.queries import points_of
from sentinel_operator.bridge.settings import parse
from sentinel_operator.core.actionplan.retention import pruned
from sentinel_operator.core.bridge.batches import Batches, Bounds
from sentinel_operator.core.bridge.event import transition
from sentinel_operator.core.bridge.marks import ACKNOWLEDGED_AT, BRIDGE, name_of
from sentinel_operator.core.bridge.outcome import of_deleted, outcome_of, refusal
from sentinel_operator.core.bridge.points import Point, of_model, of_node
from sentinel_operator.core.bridge.rate import Rate
from sentinel_operator.core.conditions import rfc3339
from sentinel_operator.engine.measure.fault import CannotMeasure

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def node(**status: Any) -> dict[str, Any]:
    host = {"cpuCores": 8, "cpuUtilizationPercent": 40, "memoryUsedBytes": 3, "memoryTotalBytes": 4}
    devices = [{"uuid": "GPU-1", "index": 0, "health": "Healthy", "utilizationPercent": 90}, {"uuid": "b", "index": 1}]
    return {
        "metadata": {"name": "n1"},
        "status": {"observedAt": "2026-01-31T11:59:45Z", "host": host, "devices": devices, **status},
    }


def plan(state: str = "Completed", **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name_of("p"), "namespace": "ns", "uid": "u", "labels": {BRIDGE: "true"}},
        "spec": {"planId": "p", "correlationId": "c"},
        "status": {"state": state, "finishedAt": "2026-01-31T11:00:00Z", **status},
    }


def test_a_node_tells_its_load_of_the_time_at_which_it_was_seen():
    points = {each.name: each for each in of_node(node(), NOW)}
    assert {name: each.value for name, each in points.items()} == {
        "node_cpu_usage": 40.0,
        "node_memory_usage": 75.0,
        "node_gpu_utilization": 90.0,
    }
    assert points["node_gpu_utilization"].labels == {"node": "n1", "gpu": "0", "uuid": "GPU-1"}
    assert {each.ts for each in points.values()} == {1769860785000}


@pytest.mark.parametrize("at", ["2026-01-31T11:57:00Z", "2026-01-31T12:03:00Z", "", "yesterday"])
def test_an_agent_that_is_silent_tells_nothing(at: str):
    assert list(of_node(node(observedAt=at), NOW)) == []


def test_a_model_tells_what_its_status_knows():
    raw = {
        "metadata": {"name": "fraud", "namespace": "ml"},
        "spec": {"replicas": 3},
        "status": {
            "readyReplicas": 2,
            "conditions": [{"type": "Ready", "status": "False"}],
            "stable": {"revision": "a"},
            "canary": {"revision": "b", "weight": 20},
            "rollout": {"analysis": {"metrics": [{"name": "latency-p99", "value": 12.5, "baseline": 10.0}]}},
            "gpu": [{"uuid": "g", "node": "n1", "pod": "fraud-1", "utilizationPercent": 60}],
        },
    }
    told = [(each.name, each.value, each.labels.get("revision", "")) for each in of_model(raw, NOW)]
    assert told == [
        ("deployment_replicas_available", 2.0, ""),
        ("deployment_replicas_desired", 3.0, ""),
        ("workload_ready", 0.0, ""),
        ("workload_canary_weight", 20.0, "b"),
        ("workload_latency_p99", 12.5, "b"),
        ("workload_latency_p99", 10.0, "a"),
        ("workload_gpu_utilization", 60.0, ""),
    ]
    assert list(of_model({"metadata": {"name": "new", "namespace": "ml"}, "spec": {}}, NOW)) == []


# ------------------------------------------------------------------------------------------------ batches


def batches(**bounds: Any) -> tuple[Batches, dict[str, int]]:
    dropped: dict[str, int] = {}
    numbers = itertools.count()

    def drop(reason: str, count: int) -> None:
        dropped[reason] = dropped.get(reason, 0) + count

    return Batches(Bounds(**bounds), new_id=lambda: f"b{next(numbers)}", dropped=drop), dropped


def points(count: int) -> list[Point]:
    return [Point(name="a", value=float(index), labels={}, ts=index) for index in range(count)]


def test_a_batch_is_due_when_it_is_full_or_old_enough_and_stays_until_it_is_done():
    made, _ = batches(max_points=3, max_age=30.0)
    made.add(points(2), 100.0)
    assert made.due(129.9) is None
    assert made.due_in(110.0) == 20.0
    made.add(points(1), 129.9)
    batch = made.due(129.9)
    assert batch is not None
    assert (batch.batch_id, len(batch)) == ("b0", 3)
    assert made.due(500.0) is batch
    made.add(points(1), 130.0)
    made.done(batch)
    assert made.due(159.0) is None
    later = made.due(160.0)
    assert later is not None
    assert (later.batch_id, len(later)) == ("b1", 1)


def test_the_oldest_batch_goes_even_while_it_is_on_its_way():
    made, dropped = batches(max_points=1, kept=2)
    made.add(points(2), 0.0)
    sent = made.due(0.0)
    assert sent is not None
    made.add(points(1), 0.0)
    made.done(sent)
    assert (len(made), dropped) == (2, {"OldestDropped": 1})
    made.bound(Bounds(max_points=1, kept=1))
    made.clear("NotConfigured")
    assert (len(made), dropped) == (0, {"OldestDropped": 2, "NotConfigured": 1})


@given(
    adds=st.lists(st.tuples(st.integers(0, 7), st.floats(0, 100)), max_size=30),
    max_points=st.integers(1, 5),
    kept=st.integers(1, 4),
    takes=st.sets(st.integers(0, 30)),
)
def test_no_point_is_lost_uncounted_and_never_are_more_kept(
    adds: list[tuple[int, float]], max_points: int, kept: int, takes: set[int]
):
    made, dropped = batches(max_points=max_points, kept=kept)
    now, given_in, sent = 0.0, 0, 0
    for step, (count, passes) in enumerate(adds):
        now += passes
        made.add(points(count), now)
        given_in += count
        assert len(made) <= max_points * (kept + 1)
        batch = made.due(now) if step in takes else None
        if batch is not None:
            made.done(batch)
            sent += len(batch)
    assert given_in == sent + len(made) + sum(dropped.values())


# ------------------------------------------------------------------------------------------------ outcomes


@pytest.mark.parametrize("state", sorted(FINISHED))
def test_only_what_is_completed_succeeded(state: str):
    told = outcome_of(plan(state, message="because", decisions=[{"id": "d1", "state": "Done", "message": "ok"}]))
    assert told is not None
    assert told.success is (state == "Completed")
    assert told.message == f"{state}: because"
    assert told.executed_at == 1769857200
    assert told.metrics["d1.state"] == "Done"


def test_what_is_not_over_is_not_told_and_what_is_gone_is_told_as_it_was():
    assert outcome_of(plan("Executing")) is None
    gone = of_deleted(plan("Executing"), NOW)
    assert (gone.success, gone.metrics["state"]) == (False, "Deleted")
    assert of_deleted(plan("Completed"), NOW).success is True
    assert of_deleted({**plan(), "status": {}}, NOW).message == "Deleted: it was removed while Pending"


def test_a_rejection_is_told_with_every_rule_that_rejects():
    trace = [
        {
            "decision": "d1",
            "policy": "team",
            "rule": "Quota",
            "verdict": "Violated",
            "effect": "Reject",
            "message": "9",
        },
        {"decision": "d1", "policy": "soft", "rule": "Quota", "verdict": "Violated", "effect": "Warn", "message": "8"},
    ]
    told = outcome_of(plan("Rejected", message="refused by team", trace=trace))
    assert told is not None
    assert told.message == "Rejected: refused by team; d1: team (Quota): 9"
    long = refusal("p", "x" * 5000, state="Refused", now=NOW)
    assert len(long.message) == 1024


def test_a_transition_is_an_event_and_a_state_that_stays_is_none():
    event = transition("Executing", plan("Failed", message="m"), NOW)
    assert event is not None
    assert (event.type, event.data["from"], event.data["state"]) == ("action_plan.failed", "Executing", "Failed")
    assert transition("Failed", plan("Failed"), NOW) is None
    assert transition("", {**plan(), "status": {}}, NOW) is None


def test_what_a_brain_has_yet_to_be_told_goes_by_its_age_alone():
    retention = PlanRetention(max_finished=0, max_age="48h")
    fresh = plan(finishedAt=rfc3339(NOW - timedelta(hours=3)))
    metadata = fresh["metadata"]
    fresh["apiVersion"], fresh["kind"] = "sentinel.dev/v1alpha1", "ActionPlan"
    told = {**fresh, "metadata": {**metadata, "annotations": {ACKNOWLEDGED_AT: rfc3339(NOW)}}}
    old = {**fresh, "status": {**fresh["status"], "finishedAt": rfc3339(NOW - timedelta(hours=49))}}
    assert pruned([fresh], retention, NOW) == ()
    assert len(pruned([told], retention, NOW)) == 1
    assert len(pruned([old], retention, NOW)) == 1


# ------------------------------------------------------------------------------------------------ bounds


def test_a_rate_lets_so_many_through_a_minute():
    rate = Rate(60, 0.0)
    assert sum(rate.take(0.0) for _ in range(100)) == 60
    assert sum(rate.take(10.0) for _ in range(100)) == 10
    rate.limit(120)
    assert sum(rate.take(10.0) for _ in range(100)) == 60
    rate.limit(1)
    assert not rate.take(10.0)
    assert rate.take(70.0)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"<html>", "no JSON"),
        (b"[]", "no status"),
        (b'{"status":"error","errorType":"bad_data","error":"parse error"}', "bad_data: parse error"),
        (b'{"status":"success","data":{"resultType":"matrix","result":[]}}', "gives a matrix"),
        (b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{}}]}}', "a sample is no pair"),
        (b'{"status":"success","data":{"resultType":"vector","result":null}}', "gives no series"),
    ],
)
def test_what_is_no_answer_of_a_prometheus_is_said(body: bytes, expected: str):
    with pytest.raises(CannotMeasure, match=expected):
        points_of("a", body)


def test_each_series_is_a_point_with_its_labels():
    series = b'{"metric":{"__name__":"up","node":"n1"},"value":[1.5,"2"]},{"metric":{"node":"n2"},"value":[1.5,"NaN"]}'
    body = b'{"status":"success","data":{"resultType":"vector","result":[' + series + b"]}}"
    assert points_of("a", body) == [Point(name="a", value=2.0, labels={"node": "n1"}, ts=1500)]
    scalar = b'{"status":"success","data":{"resultType":"scalar","result":[2,"3"]}}'
    assert points_of("b", scalar) == [Point(name="b", value=3.0, labels={}, ts=2000)]


def test_settings_come_from_flags_then_the_environment_then_defaults():
    assert parse([], {}).lease == "sentinel-bridge"
    assert parse([], {"SENTINEL_FLUSH": "2s"}).flush == 2.0
    assert parse(["--flush", "3s"], {"SENTINEL_FLUSH": "2s"}).flush == 3.0
    with pytest.raises(SystemExit):
        parse(["--lease-duration", "1s"], {})
