"""Counts of pods: read from their text, each pod against itself, the same time for both revisions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sentinel_operator.core.analysis.contrast import Contrast, from_evidence, to_evidence
from sentinel_operator.core.analysis.exposition import ExpositionError, PodCounts, read
from sentinel_operator.core.analysis.window import Seen, Snapshot, contrast

START = datetime(2026, 1, 1, tzinfo=UTC)
LATER = START + timedelta(seconds=30)
BEFORE_START, SINCE_START = START.timestamp() - 3600, START.timestamp() + 5

TEXT = """
# HELP sentinel_model_server_requests_total Requests answered.
# TYPE sentinel_model_server_requests_total counter
sentinel_model_server_requests_total{model="demo",revision="r1",protocol="http",code="200"} 90.0
sentinel_model_server_requests_total{model="demo",revision="r1",protocol="http",code="422"} 4.0
sentinel_model_server_requests_total{model="demo",revision="r1",protocol="http",code="503"} 2.0
sentinel_model_server_requests_total{model="demo",revision="r1",protocol="grpc",code="INTERNAL"} 1.0
# TYPE sentinel_model_server_request_duration_seconds histogram
sentinel_model_server_request_duration_seconds_bucket{le="0.01",protocol="http"} 60.0
sentinel_model_server_request_duration_seconds_bucket{le="0.1",protocol="http"} 95.0
sentinel_model_server_request_duration_seconds_bucket{le="+Inf",protocol="http"} 96.0
sentinel_model_server_request_duration_seconds_bucket{le="0.01",protocol="grpc"} 1.0
sentinel_model_server_request_duration_seconds_bucket{le="0.1",protocol="grpc"} 1.0
sentinel_model_server_request_duration_seconds_bucket{le="+Inf",protocol="grpc"} 1.0
# TYPE sentinel_model_server_predictions_total counter
sentinel_model_server_predictions_total{label="Gaming, \\"fast\\"",uncertain="true"} 3.0
sentinel_model_server_predictions_total{label="Web",uncertain="false"} 87.0
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1.7e+09
nonsense that nobody needs{ 1
"""


def test_a_scrape_becomes_counts():
    counts = read(TEXT)
    assert counts.started == 1.7e9
    assert counts.families == {
        "requests": {"good": 90.0, "bad": 3.0, "refused": 4.0},
        "seconds": {"0.01": 61.0, "0.1": 96.0, "+Inf": 97.0},
        "labels": {'Gaming, "fast"': 3.0, "Web": 87.0},
        "certainty": {"bad": 3.0, "good": 87.0},
    }


BUCKET = "sentinel_model_server_score_bucket"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('sentinel_model_server_requests_total{code="200"} NaN', "is nan, which nobody can have counted"),
        ('sentinel_model_server_requests_total{code="200"} -1', "is -1,"),
        ('sentinel_model_server_requests_total{code="200"} +Inf', "is inf"),
        ('sentinel_model_server_requests_total{code="200"} many', "not the text format"),
        ('sentinel_model_server_requests_total{code="200" 1', "not the text format"),
        ("sentinel_model_server_requests_total", "not the text format"),
        (f'{BUCKET}{{le="0.5"}} 1', "no bucket \\+Inf"),
        (f'{BUCKET}{{le="0.5"}} 3\n{BUCKET}{{le="+Inf"}} 2', "not cumulative"),
        (f"{BUCKET} 1", "without a bound"),
        (f'{BUCKET}{{le="x"}} 1', "without a bound"),
        ("\n".join(f'sentinel_model_server_requests_total{{code="{n}"}} 1' for n in range(5001)), "above 5000"),
    ],
)
def test_nonsense_is_refused_with_its_reason(text, message):
    with pytest.raises(ExpositionError, match=message):
        read(text + "\n")


def test_a_page_of_something_else_has_no_counts():
    assert read("<html>hello</html>").families == {}


# ---------------------------------------------------------------------------------------------- differences


def pod(revision: str, good: float, *, started: float = BEFORE_START) -> Seen:
    return Seen(revision, PodCounts(started, {"requests": {"good": good, "bad": 0.0}}))


def counted(before: dict[str, Seen], after: dict[str, Seen]) -> tuple[float, float]:
    """Gives the requests of canary and stable in between."""
    found = contrast(
        "error-rate", canary="new", stable="old", before=Snapshot(START, before), after=Snapshot(LATER, after)
    )
    return found.canary.get("good", 0.0), found.stable.get("good", 0.0)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": pod("new", 10), "b": pod("old", 100)}, {"a": pod("new", 15), "b": pod("old", 160)}, (5, 60)),
        ({"a": pod("new", 10)}, {"a": pod("new", 4)}, (4, 0)),
        ({"a": pod("new", 10)}, {"a": pod("new", 12, started=SINCE_START)}, (12, 0)),
        ({}, {"a": pod("new", 7, started=SINCE_START)}, (7, 0)),
        ({}, {"a": pod("new", 700)}, (0, 0)),
        ({}, {"a": pod("new", 700, started=float("nan"))}, (0, 0)),
        ({"a": pod("new", 10), "b": pod("new", 10)}, {"b": pod("new", 11)}, (1, 0)),
        ({"a": pod("new", 10)}, {"a": pod("new", 15), "c": pod("other", 99, started=SINCE_START)}, (5, 0)),
    ],
    ids=[
        "each pod against itself",
        "a counter that fell began anew",
        "a process that is younger began anew, though it counts more already",
        "a pod that came counts in full",
        "a pod that was there unseen does not count its past",
        "a pod that does not say when it started does not either",
        "a pod that went is left out",
        "another revision is nobody's",
    ],
)
def test_what_pods_counted_in_between(before, after, expected):
    assert counted(before, after) == expected


def test_histograms_are_compared_on_the_bounds_that_both_have():
    def seen(revision: str, **buckets: float) -> Seen:
        return Seen(
            revision, PodCounts(SINCE_START, {"seconds": {le.removeprefix("le"): n for le, n in buckets.items()}})
        )

    found = contrast(
        "latency-p99",
        canary="new",
        stable="old",
        before=Snapshot(START, {}),
        after=Snapshot(
            LATER,
            {"a": seen("new", **{"0.1": 1, "0.2": 2, "+Inf": 3}), "b": seen("old", **{"0.1": 4, "0.5": 5, "+Inf": 6})},
        ),
    )
    assert found == Contrast({"0.1": 1, "+Inf": 3}, {"0.1": 4, "+Inf": 6})


def test_answers_compared_one_by_one_are_preferred_to_mixes_of_labels():
    after = {
        "a": Seen("new", PodCounts(SINCE_START, {"agreement": {"good": 98.0, "bad": 2.0}, "labels": {"x": 100.0}}))
    }
    found = contrast(
        "label-agreement", canary="new", stable="old", before=Snapshot(START, {}), after=Snapshot(LATER, after)
    )
    assert found == Contrast({"good": 98.0, "bad": 2.0}, {}, paired=True)


# ---------------------------------------------------------------------------------------------- what a status keeps


def test_counts_survive_their_status():
    counts = Contrast({"good": 3.0, "bad": 1.0}, {"good": 5.0, "bad": 0.0})
    assert from_evidence(to_evidence(counts)) == counts
    assert from_evidence(None) == Contrast({}, {})
    paired = Contrast({"good": 3.0, "bad": 1.0}, {}, paired=True)
    assert from_evidence(to_evidence(paired)) == paired


def test_answers_compared_one_by_one_are_not_mixed_with_what_was_counted_apart():
    apart = Contrast({"x": 5.0}, {"x": 9.0})
    paired = Contrast({"good": 3.0, "bad": 1.0}, {}, paired=True)
    assert apart.plus(paired) == paired.plus(apart) == paired
    assert paired.plus(paired) == Contrast({"good": 6.0, "bad": 2.0}, {}, paired=True)


def test_a_status_stays_small_whatever_a_model_calls_its_labels():
    many = {f"{'label' * 40}-{index}": float(index) for index in range(4000)}
    evidence = to_evidence(Contrast(many, {}))
    assert len(evidence.bins) <= 64
    assert all(len(name) <= 64 for name in evidence.bins)
    assert sum(evidence.canary) == sum(many.values())


def test_a_histogram_of_many_buckets_stays_a_histogram():
    bounds = {**{repr(step / 10): float(step) for step in range(300)}, "+Inf": 300.0}
    kept = Contrast(bounds, bounds).plus_histogram(Contrast({}, {})).canary
    assert len(kept) <= 64
    assert kept["+Inf"] == 300.0
    assert list(kept.values()) == sorted(kept.values())
