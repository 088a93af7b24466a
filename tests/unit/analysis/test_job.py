"""Jobs as measurements."""

from __future__ import annotations

import pytest

from sentinel_operator.api.analysis import JobMetric
from sentinel_operator.core.analysis.job import job_measurement, job_name, job_spec


def ended(kind: str, reason: str = "") -> dict:
    condition = {"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T12:00:00Z", "reason": reason}
    return {"status": {"conditions": [{"type": "SuccessCriteriaMet", "status": "True"}, condition]}}


@pytest.mark.parametrize(
    ("job", "value", "error"),
    [
        (ended("Complete"), 1.0, ""),
        (ended("Failed", "BackoffLimitExceeded"), 0.0, ""),
        (ended("Failed", "DeadlineExceeded"), None, "its Job did not end within activeDeadlineSeconds"),
    ],
)
def test_how_a_job_ended(job, value, error):
    found = job_measurement(job)
    assert found is not None
    assert (found.value, found.error) == (value, error)


@pytest.mark.parametrize("job", [None, {}, {"status": {"active": 1}}])
def test_a_job_that_runs_has_measured_nothing_yet(job):
    assert job_measurement(job) is None


def test_the_job_knows_the_revisions_and_leaves_nothing_behind():
    metric = JobMetric.model_validate(
        {"template": {"spec": {"backoffLimit": 1, "template": {"spec": {"containers": [
            {"name": "smoke", "image": "a", "env": [{"name": "X", "value": "y"}]}]}}}}}
    )  # fmt: skip
    spec = job_spec(metric, canary="aaaa1111", stable="bbbb2222")
    pod = spec["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    assert [(each["name"], each["value"]) for each in pod["containers"][0]["env"]] == [
        ("CANARY", "aaaa1111"), ("STABLE", "bbbb2222"), ("X", "y"),
    ]  # fmt: skip
    assert spec["backoffLimit"] == 1
    assert spec["ttlSecondsAfterFinished"] > 0
    assert metric.template.spec["template"]["spec"]["containers"][0]["env"] == [{"name": "X", "value": "y"}]


def test_the_name_fits_whatever_the_names_are():
    assert len(job_name("m" * 52, revision="aaaa1111", metric="x" * 63, attempt=12345)) <= 63
    assert job_name("fraud", revision="aaaa1111", metric="smoke", attempt=0) == "fraud-aaaa1111-smoke-0"
