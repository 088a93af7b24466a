"""Jobs as measurements: what they are made of, how they end, and what their template must not say."""

from __future__ import annotations

from typing import Any

import pytest

from sentinel_operator.api.analysis import AnalysisSpec, JobMetric
from sentinel_operator.core.analysis.check import problems
from sentinel_operator.core.analysis.job import job_measurement, job_name, job_spec

SMOKE = {"name": "smoke", "image": "registry.test/smoke:1"}
POLICY = "Container smoke for pod team/x-abc failed with exit code 3 matching FailJob rule at index 1"


def job(**conditions: Any) -> dict[str, Any]:
    return {"metadata": {"name": "fraud-smoke"}, "status": conditions}


def ended(kind: str, reason: str = "", message: str = "") -> dict[str, Any]:
    condition = {
        "type": kind,
        "status": "True",
        "lastTransitionTime": "2026-01-01T12:00:00Z",
        "reason": reason,
        "message": message,
    }
    return job(conditions=[{"type": "SuccessCriteriaMet", "status": "True"}, condition])


@pytest.mark.parametrize(
    ("job", "value", "error"),
    [
        (ended("Complete"), 1.0, ""),
        (ended("Failed", "PodFailurePolicy", POLICY), 0.0, ""),
        (ended("Failed", "DeadlineExceeded"), None, "Job fraud-smoke did not end within activeDeadlineSeconds"),
        (ended("Failed", "BackoffLimitExceeded"), None, "Job fraud-smoke was killed before it ended"),
        (ended("Failed", "SomethingNew"), None, "Job fraud-smoke failed: SomethingNew"),
    ],
    ids=["complete", "its own exit code", "out of time", "killed", "whatever else"],
)
def test_how_a_job_ended(job, value, error):
    found = job_measurement(job)
    assert found is not None
    assert (found.value, found.error) == (value, error)


def test_the_exit_code_is_told():
    found = job_measurement(ended("Failed", "PodFailurePolicy", POLICY))
    assert found is not None
    assert found.note == "Job fraud-smoke, exit code 3"


@pytest.mark.parametrize("job", [job(), job(active=1), job(conditions=[{"type": "FailureTarget", "status": "True"}])])
def test_a_job_that_runs_has_measured_nothing_yet(job):
    assert job_measurement(job) is None


def metric(spec: dict[str, Any]) -> JobMetric:
    return JobMetric.model_validate({"template": {"spec": spec}})


def made(**pod: Any) -> dict[str, Any]:
    whole = {"template": {"metadata": {"annotations": {"a": "b"}}, "spec": {"containers": [SMOKE], **pod}}}
    return job_spec(metric(whole), env={"CANARY": "new", "STABLE": "old"}, labels={"l": "1"}, account="fraud")


def test_it_is_tried_once_has_a_deadline_and_leaves_nothing_behind():
    spec = made()
    assert (spec["backoffLimit"], spec["completions"], spec["parallelism"]) == (0, 1, 1)
    assert spec["activeDeadlineSeconds"] > 0
    assert spec["ttlSecondsAfterFinished"] > 0
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert spec["template"]["metadata"] == {"annotations": {"a": "b"}, "labels": {"l": "1"}}
    times = {"activeDeadlineSeconds": 30, "ttlSecondsAfterFinished": 900}
    given = job_spec(metric({**times, "template": {"spec": {"containers": [SMOKE]}}}), env={}, labels={}, account="a")
    assert times.items() <= given.items()


def test_every_container_knows_the_revisions_and_what_the_user_says_of_them_counts():
    given = metric({"template": {"spec": {"containers": [{**SMOKE, "env": [{"name": "STABLE", "value": "mine"}]}],
                                          "initContainers": [SMOKE]}}})  # fmt: skip
    pod = job_spec(given, env={"CANARY": "new", "STABLE": "old"}, labels={}, account="fraud")["template"]["spec"]
    assert pod["initContainers"][0]["env"] == [{"name": "CANARY", "value": "new"}, {"name": "STABLE", "value": "old"}]
    assert pod["containers"][0]["env"] == [{"name": "CANARY", "value": "new"}, {"name": "STABLE", "value": "mine"}]
    assert given.template.spec["template"]["spec"]["initContainers"] == [SMOKE], "the template is not changed"


def test_its_pod_may_no_more_than_the_models_own():
    pod = made()["template"]["spec"]
    assert pod["serviceAccountName"] == "fraud"
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["containers"][0]["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    writes = made(containers=[{**SMOKE, "securityContext": {"readOnlyRootFilesystem": False}}])["template"]["spec"]
    assert writes["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is False
    assert made(serviceAccountName="mine")["template"]["spec"]["serviceAccountName"] == "mine"


def refused(spec: dict[str, Any]) -> dict[str, str]:
    check = {"name": "smoke", "job": {"template": {"spec": spec}}}
    return dict(problems(AnalysisSpec.model_validate({"metrics": [check]})))


def pod(**more: Any) -> dict[str, Any]:
    return {"template": {"spec": {"containers": [SMOKE], **more}}}


def container(**more: Any) -> dict[str, Any]:
    return pod(containers=[{**SMOKE, **more}])


@pytest.mark.parametrize(
    "spec",
    [
        pod(),
        {**pod(), "backoffLimit": 0, "completions": 1, "activeDeadlineSeconds": 60, "ttlSecondsAfterFinished": 600},
        pod(restartPolicy="Never", volumes=[{"name": "tmp", "emptyDir": {}}], initContainers=None),
        container(ports=[{"containerPort": 80}], securityContext={"capabilities": {"drop": ["ALL"]}}, env=None),
    ],
    ids=["the least", "times", "volumes", "ports"],
)
def test_a_template_that_is_served(spec):
    assert refused(spec) == {}


_POD = "metrics[0].job.template.spec.template.spec"


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({}, f"{_POD}.containers"),
        ({"template": 3}, f"{_POD}.containers"),
        ({"template": {"spec": {"containers": ["a"]}}}, f"{_POD}.containers"),
        ({"template": {"spec": {"containers": [{"name": "a"}]}}}, f"{_POD}.containers[0].image"),
        (pod(initContainers=3), f"{_POD}.initContainers"),
        (pod(hostNetwork=True), f"{_POD}.hostNetwork"),
        (pod(hostPID=True), f"{_POD}.hostPID"),
        (pod(automountServiceAccountToken=True), f"{_POD}.automountServiceAccountToken"),
        (pod(restartPolicy="OnFailure"), f"{_POD}.restartPolicy"),
        (pod(volumes=[{"name": "a"}, {"name": "b", "hostPath": {"path": "/"}}]), f"{_POD}.volumes[1].hostPath"),
        (container(securityContext={"privileged": True}), f"{_POD}.containers[0].securityContext.privileged"),
        (container(securityContext=[]), None),
        (container(securityContext="x"), f"{_POD}.containers[0].securityContext"),
        (
            container(securityContext={"capabilities": {"add": ["NET_ADMIN"]}}),
            f"{_POD}.containers[0].securityContext.capabilities.add",
        ),
        (container(ports=[{"hostPort": 80}]), f"{_POD}.containers[0].ports[0].hostPort"),
        (container(ports=3, env=[{"name": "A"}]), None),
        (container(env=["A"]), f"{_POD}.containers[0].env"),
        ({**pod(), "backoffLimit": 3}, "metrics[0].job.template.spec.backoffLimit"),
        ({**pod(), "parallelism": True}, "metrics[0].job.template.spec.parallelism"),
        ({**pod(), "suspend": True}, "metrics[0].job.template.spec.suspend"),
        ({**pod(), "podFailurePolicy": {}}, "metrics[0].job.template.spec.podFailurePolicy"),
        ({**pod(), "activeDeadlineSeconds": 0}, "metrics[0].job.template.spec.activeDeadlineSeconds"),
        ({**pod(), "activeDeadlineSeconds": "5m"}, "metrics[0].job.template.spec.activeDeadlineSeconds"),
        ({**pod(), "ttlSecondsAfterFinished": 0}, "metrics[0].job.template.spec.ttlSecondsAfterFinished"),
        (
            {"template": {"metadata": {"labels": {"sentinel.dev/name": "fraud"}}, **pod()["template"]}},
            "metrics[0].job.template.spec.template.metadata.labels[sentinel.dev/name]",
        ),
        ({"template": {"metadata": 3, **pod()["template"]}}, "metrics[0].job.template.spec.template.metadata"),
    ],
)
def test_what_a_template_must_not_say_is_named_by_its_field(spec, field):
    assert list(refused(spec)) == ([field] if field else [])


def test_a_name_is_the_same_for_the_same_attempt_and_for_no_other():
    name = {"uid": "u", "run": "aaaa1111/1/1@0", "revision": "aaaa1111", "metric": "smoke", "attempt": 0}
    first = job_name("fraud", **name)
    assert first == job_name("fraud", **name)
    assert first.startswith("fraud-aaaa1111-smoke-")
    others = [{"uid": "v"}, {"run": "aaaa1111/3/1@0"}, {"metric": "smoke2"}, {"attempt": 1}]
    assert len({first, *(job_name("fraud", **{**name, **other}) for other in others)}) == 5


def test_the_name_fits_whatever_the_names_are():
    long = job_name("m" * 52, uid="u", run="r", revision="a" * 63, metric="x" * 63, attempt=12345)
    assert len(long) <= 63
