"""An analysis from its beginning to its verdict: when to measure, what counts, and what is said."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel_operator.api.analysis import AnalysisSpec
from sentinel_operator.core.analysis.contrast import Contrast
from sentinel_operator.core.analysis.measurement import Measurement
from sentinel_operator.core.analysis.progress import advance, begin, due, resume
from tests.unit.analysis.scenes import START, errors, latencies, story

ERRORS = {"name": "errors", "builtin": "error-rate"}
QUERY = {"name": "query", "prometheus": {"address": "http://p:9090", "query": "x"}, "max": 1.0}
OPENED = {"opened": True}


def good(value: float = 0.5) -> dict:
    return {"value": value}


# ---------------------------------------------------------------------------------------------- when


def test_metrics_are_due_at_their_own_times():
    at = story(ERRORS, {**QUERY, "interval": "1m", "initialDelay": "30s"})
    assert at.names() == ["errors"]
    assert at.due().again == START + timedelta(seconds=30)
    at.takes(errors=OPENED).after(30)
    assert at.names() == ["errors", "query"]
    at.takes(errors=errors(0, 100), query=good()).after(30)
    assert at.names() == ["errors"]
    assert at.due().again == START + timedelta(seconds=90)


def test_what_is_under_way_stays_due_and_is_the_same_task():
    at = story(ERRORS).takes(errors=OPENED).after(30)
    first = at.due().tasks
    assert at.after(5).due().tasks == first


def test_a_task_says_since_when_to_count_and_which_attempt_it_is():
    at = story(ERRORS).takes(errors=OPENED)
    moment = at.now
    [task] = at.after(30).due().tasks
    assert (task.since, task.attempt, task.source, task.started) == (moment, 0, "pods", START)


def test_nothing_is_due_when_all_is_decided():
    at = story({**QUERY, "count": 1}).takes(query=good())
    assert at.state.verdict == "Pass"
    assert (at.after(3600).names(), at.due().again) == ([], None)


def test_the_default_looks_at_errors_latency_and_health():
    spec = AnalysisSpec()
    tasks = due(spec, begin(spec, START), START).tasks
    assert [(task.check.name, task.source) for task in tasks] == [
        ("error-rate", "pods"), ("latency-p99", "pods"), ("health-score", "observed"),
    ]  # fmt: skip


# ---------------------------------------------------------------------------------------------- what counts


def test_a_single_bad_measurement_fails_nobody():
    at = story(QUERY)
    for value in (0.5, 7.0, 0.5, 0.5, 0.5):
        at.takes(query=good(value)).after(30)
    assert at.state.verdict == "Pass"


def test_one_failure_more_than_is_borne_fails_and_the_message_has_the_numbers():
    at = story({"name": "latency-p99", "builtin": "latency-p99"}).takes(latency_p99=OPENED)
    for _ in range(3):
        assert at.state.verdict == "Running"
        at.after(30).takes(latency_p99=latencies(200, 100))
    assert at.state.verdict == "Fail"
    assert at.state.message == ("latency-p99 0.0365 s against 0.0114 s of stable (300 samples): above 1.5×, 3 of 3")


def test_stable_is_measured_over_the_same_time_so_a_bad_hour_is_nobodys_fault():
    at = story(ERRORS).takes(errors=OPENED)
    for _ in range(5):
        at.after(30).takes(errors=errors(20, 100, stable=200))
    assert at.state.verdict == "Pass"
    assert "20 % against 20 % of stable" in at.state.message


@pytest.mark.parametrize("sequential", [False, True])
@pytest.mark.parametrize(
    ("stable", "bound", "verdict"),
    [
        ({"good": 1000.0}, {}, "Fail"),
        ({"good": 100.0, "refused": 900.0}, {}, "Pass"),
        ({"good": 1000.0}, {"max": 0.01}, "Pass"),
    ],
    ids=["a schema that clients do not follow", "clients that are wrong anyway", "an absolute bound is on faults"],
)
def test_a_revision_that_refuses_what_stable_takes_is_bad(stable, bound, verdict, sequential):
    at = story({**ERRORS, **bound}, sequential=sequential).takes(errors=OPENED)
    for _ in range(5):
        at.after(30).takes(errors={"contrast": Contrast({"good": 60.0, "refused": 540.0}, stable)})
    assert at.state.verdict == verdict
    assert ("refused" in at.state.message) is not bool(bound)


def test_what_chance_may_explain_is_counted_on_instead_of_held_against_it():
    at = story(ERRORS).takes(errors=OPENED)
    at.after(30).takes(errors=errors(2, 60))
    assert at.metric("errors").inconclusives == 1
    assert "chance may explain" in at.state.message
    at.after(30).takes(errors=errors(0, 60, stable=0))
    assert at.metric("errors").successes == 0
    at.after(30).takes(errors=errors(0, 600, stable=0))
    counted = at.metric("errors")
    assert (counted.successes, counted.inconclusives, counted.evidence) == (1, 0, None)


def test_sparse_traffic_is_judged_later_rather_than_never():
    at = story(ERRORS, minSamples=50).takes(errors=OPENED)
    at.after(30).takes(errors=errors(0, 30))
    assert "30 samples against 1000 of stable, 50 needed" in at.state.message
    at.after(30).takes(errors=errors(0, 30))
    assert at.metric("errors").successes == 1


def test_without_traffic_a_person_is_asked():
    at = story(ERRORS).takes(errors=OPENED)
    for _ in range(10):
        at.after(30).takes(errors=errors(0, 0))
    assert at.state.verdict == "Inconclusive"


def test_an_absolute_bound_needs_no_traffic_of_stable():
    at = story({**ERRORS, "max": 0.05, "count": 1}).takes(errors=OPENED)
    assert at.after(30).takes(errors=errors(0, 100, stable=0, stable_of=0)).state.verdict == "Pass"


def test_no_data_is_inconclusive_and_never_bad():
    at = story(QUERY)
    for _ in range(3):
        at.takes(query={"value": math.nan}).after(30)
    assert at.state.verdict == "Inconclusive"
    assert at.metric("query").failures == 0


@pytest.mark.parametrize(
    ("conditions", "value", "verdict"),
    [
        ({"successCondition": "result < 1"}, 0.5, "Pass"),
        ({"successCondition": "result < 1"}, 2, "Fail"),
        ({"failureCondition": "result > 1"}, 0.5, "Pass"),
        ({"failureCondition": "result > 1"}, 2, "Fail"),
        ({"successCondition": "result < 1", "failureCondition": "result > 2"}, 1.5, "Inconclusive"),
        ({"successCondition": "result < 1 / (result - result)"}, 0.5, "Pass"),
        ({"successCondition": "isNaN(result) || result < 1"}, math.nan, "Pass"),
        ({"successCondition": "result < baseline"}, 0.5, "Inconclusive"),
    ],
)
def test_conditions(conditions, value, verdict):
    query = {"name": "query", "prometheus": QUERY["prometheus"], **conditions}
    at = story({**query, "count": 1, "inconclusiveLimit": 0}).takes(query=good(value))
    assert at.state.verdict == verdict


# ---------------------------------------------------------------------------------------------- errors


def test_a_provider_that_is_down_is_an_error_with_its_cause_and_never_a_failure():
    at = story(QUERY)
    for _ in range(5):
        assert at.state.verdict == "Running"
        at.takes(query={"error": "no connection: Connection refused"}).after(600)
    assert at.state.verdict == "Error"
    assert at.state.message.startswith("query cannot be measured, 5 times in a row: no connection")
    assert at.metric("query").failures == 0


def test_an_error_ends_with_the_first_measurement_that_works():
    at = story(QUERY)
    for _ in range(9):
        at.takes(query={"error": "down"}).after(600)
    assert at.names() == ["query"]
    at.takes(query=good())
    assert (at.state.verdict, at.metric("query").consecutive_errors) == ("Running", 0)


def test_a_provider_that_is_down_is_asked_less_and_less_often():
    at, waits = story(QUERY), []
    for _ in range(9):
        at.takes(query={"error": "down"})
        waits.append((at.due().again - at.now).total_seconds())
        at.after(waits[-1])
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_errors_use_up_none_of_the_measurements():
    at = story({**QUERY, "count": 2})
    for _ in range(2):
        at.takes(query={"error": "down"}).after(30).takes(query=good()).after(30)
    assert (at.state.verdict, at.metric("query").errors) == ("Pass", 2)


# ---------------------------------------------------------------------------------------------- together


def test_a_failure_decides_at_once_and_is_what_is_told():
    at = story(QUERY, {**QUERY, "name": "other", "count": 1})
    at.takes(query=good(), other=good(9))
    assert at.state.verdict == "Fail"
    assert at.state.message == "other 9: above 1, 1 of 1"


def test_what_is_undecided_waits_for_what_still_runs_for_that_may_fail_yet():
    at = story({**QUERY, "count": 3, "failureLimit": 0}, {**QUERY, "name": "other", "inconclusiveLimit": 0})
    at.takes(query=good(), other={"value": None})
    assert at.metric("other").verdict == "Inconclusive"
    assert at.state.verdict == "Running"
    assert at.after(30).takes(query=good(9)).state.verdict == "Fail"


def test_a_dry_run_is_shown_and_decides_nothing():
    at = story({**QUERY, "count": 1}, {**QUERY, "name": "dry", "count": 1, "dryRun": True})
    at.takes(query=good(), dry=good(9))
    assert at.state.verdict == "Pass"
    assert at.metric("dry").verdict == "Fail"


# ---------------------------------------------------------------------------------------------- sequential


def test_a_sequential_failure_is_early():
    at = story(ERRORS, sequential=True).takes(errors=OPENED)
    at.after(30).takes(errors=errors(60, 300))
    assert at.state.verdict == "Fail"
    assert at.state.message == (
        "errors 20 % against 0.2 % of stable (300 samples): above stable's + 0.01, surely, look 1 of 5"
    )


def test_a_sequential_pass_is_early_where_the_evidence_suffices():
    at = story(ERRORS, sequential=True).takes(errors=OPENED)
    assert at.after(30).takes(errors=errors(2, 20_000, stable=20, stable_of=200_000)).state.verdict == "Pass"


def test_what_is_bad_but_unsure_at_the_end_asks_a_person():
    at = story({**ERRORS, "count": 3, "inconclusiveLimit": 2}, sequential=True).takes(errors=OPENED)
    for _ in range(5):
        assert at.state.verdict == "Running"
        at.after(30).takes(errors=errors(4, 200))
    assert at.state.verdict == "Inconclusive"
    assert "but not surely" in at.state.message


def test_evidence_adds_up_over_a_restart():
    """The status goes through JSON at each step: what is forgotten in memory does not matter."""
    at = story(ERRORS, sequential=True).takes(errors=OPENED)
    for _ in range(2):
        at.after(30).takes(errors=errors(4, 100))
    assert at.metric("errors").evidence is not None
    assert sum(at.metric("errors").evidence.canary) == 200
    # The operator is killed: its looks are gone and counting begins anew, the evidence stays.
    at.after(30).takes(errors=OPENED).after(30).takes(errors=errors(4, 100))
    assert sum(at.metric("errors").evidence.canary) == 300


def test_the_false_abort_rate_is_shared_among_the_metrics_that_can_abort():
    alone = story(ERRORS, sequential=True, falseAbortRate=0.05)
    shared = story(
        ERRORS, *({"name": f"m{index}", "builtin": "uncertain-share"} for index in range(9)),
        sequential=True, falseAbortRate=0.05,
    )  # fmt: skip
    borderline = errors(20, 300)
    verdicts = [
        at.takes(errors=OPENED).after(30).takes(errors=borderline).metric("errors").verdict for at in (alone, shared)
    ]
    assert verdicts == ["Fail", "Running"]


# ---------------------------------------------------------------------------------------------- all of the traffic


def all_traffic(canary: dict) -> dict:
    return {"contrast": Contrast(canary, {})}


LABELS = {"name": "labels", "builtin": "label-agreement"}
MIXES = Contrast({"a": 500.0, "b": 500.0}, {"a": 500.0, "b": 500.0})


@pytest.mark.parametrize("sequential", [False, True])
@pytest.mark.parametrize(("bad", "verdict"), [(2.0, "Pass"), (200.0, "Fail")])
def test_with_all_of_the_traffic_it_is_compared_with_what_the_step_before_measured_of_stable(sequential, bad, verdict):
    at = story(ERRORS, LABELS, sequential=sequential).takes(errors=OPENED, labels=OPENED)
    for _ in range(5):
        at.after(30).takes(errors=errors(2, 1000), labels={"contrast": MIXES})
    assert at.state.verdict == "Pass"
    at.state = begin(at.spec, at.now, before=at.state)
    at.takes(errors=OPENED, labels=OPENED)
    for _ in range(5):
        counts = {"good": 1000.0 - bad, "bad": bad}
        at.after(30).takes(errors=all_traffic(counts), labels=all_traffic({"a": 500.0, "b": 500.0}))
    assert at.state.verdict == verdict
    assert "0.2 % of stable (stable as last measured" in at.metric("errors").message


def test_with_all_of_the_traffic_and_nothing_known_of_stable_a_person_is_asked():
    at = story(ERRORS).takes(errors=OPENED)
    for _ in range(10):
        at.after(30).takes(errors=all_traffic({"good": 1000.0, "bad": 0.0}))
    assert at.state.verdict == "Inconclusive"


def test_answers_compared_one_by_one_add_up_until_they_are_enough():
    at = story(LABELS, minSamples=20).takes(labels=OPENED)
    for _ in range(3):
        at.after(30).takes(labels={"contrast": Contrast({"good": 7.0, "bad": 0.0}, {}, paired=True)})
    assert at.metric("labels").inconclusives == 0, at.metric("labels").message
    assert at.metric("labels").value == 1.0


# ---------------------------------------------------------------------------------------------- always


def test_a_measurement_counts_once_however_often_it_is_handed_in():
    at = story(QUERY).takes(query=good())
    before = at.state
    assert at.takes(query=good()).state == before


def test_a_measurement_of_an_analysis_before_is_not_this_ones():
    at = story(QUERY)
    old = {"query": Measurement(at=START - timedelta(seconds=1), value=9.0)}
    assert advance(at.spec, at.state, old, START).metrics == at.state.metrics


def test_a_run_is_gone_on_with_and_another_begins_after_it():
    at = story(QUERY)
    first = resume(at.spec, None, key="step-1", now=START)
    first = advance(at.spec, first, {"query": Measurement(at=START, value=0.5, baseline=0.4)}, START)
    assert resume(at.spec, first, key="step-1", now=at.after(30).now) == first
    second = resume(at.spec, first, key="step-2", now=at.now)
    assert (second.key, second.verdict, second.metrics[0].successes) == ("step-2", "Running", 0)
    assert second.metrics[0].baseline == 0.4


def test_a_metric_that_was_added_on_the_way_begins_then():
    at = story(QUERY).takes(query=good())
    at.spec = AnalysisSpec.model_validate({"metrics": [QUERY, {**QUERY, "name": "more"}]})
    assert at.names() == ["more"]
    assert [each.name for each in at.takes(more=good()).state.metrics] == ["query", "more"]


COUNTS = st.builds(
    lambda good, bad: {"good": float(good), "bad": float(bad)}, st.integers(0, 5000), st.integers(0, 5000)
)
LOOKS = st.one_of(
    st.builds(lambda canary, stable: {"contrast": Contrast(canary, stable)}, COUNTS, COUNTS),
    st.just({"error": "down"}),
    st.just({"opened": True}),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(LOOKS, max_size=40), st.booleans(), st.integers(1, 6))
def test_whatever_is_measured_an_analysis_ends_or_says_what_it_waits_for(looks, sequential, count):
    at = story({**ERRORS, "count": count}, sequential=sequential)
    for look in looks:
        before = at.state
        at.after(600).takes(errors=look)
        if before.verdict in {"Pass", "Fail", "Inconclusive"}:
            assert at.state == before
        assert at.state.message
    judged = sum("contrast" in look for look in looks)
    if judged >= count * 10 + 10:
        assert at.state.verdict in {"Pass", "Fail", "Inconclusive"}
    if at.state.verdict == "Fail":
        assert at.metric("errors").failures >= 1


@given(st.lists(st.sampled_from([{"error": "down"}, {"value": None}, {"value": math.nan}]), max_size=30))
def test_the_lack_of_data_never_fails_anybody(looks):
    at = story(QUERY)
    for look in looks:
        at.after(600).takes(query=look)
    assert at.state.verdict != "Fail"
