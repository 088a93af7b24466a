"""A Job as a measurement: made once for each attempt, read when it has ended, with the rights of a model's pods."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sentinel_operator.api.analysis import JobMetric
from sentinel_operator.core.analysis.measurement import Measurement

LEAST_KEPT_SECONDS = 600
"""One that is gone at once could not be read."""
LONGEST_SECONDS = 86_400
_KEPT_SECONDS, _DEADLINE_SECONDS = 3600, 600
_USER = 65532
_POD_SECURITY: Mapping[str, Any] = {
    "runAsNonRoot": True,
    "runAsUser": _USER,
    "runAsGroup": _USER,
    "fsGroup": _USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_KILLED = [137, 143]
_FAILURES: Mapping[str, Any] = {
    "rules": [
        # A node that is drained or full says nothing of a revision: the Job has another pod, until its deadline.
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        # Its own exit code is its answer. One that was killed, for its memory or by somebody, has none.
        {"action": "FailJob", "onExitCodes": {"operator": "NotIn", "values": _KILLED}},
    ]
}
_ANSWERED, _OUT_OF_TIME, _GIVEN_UP = "PodFailurePolicy", "DeadlineExceeded", "BackoffLimitExceeded"
_EXIT_CODE = re.compile(r"exit code (\d+)")


def job_name(owner: str, *, uid: str, run: str, revision: str, metric: str, attempt: int) -> str:
    """Gives the Job's name, in 63 characters: the same attempt is never made twice, whoever asks again. `run` tells one
    run of the analysis from another."""
    told = "\0".join((uid, run, revision, metric, str(attempt)))
    digest = hashlib.sha256(told.encode()).hexdigest()[:8]
    return f"{owner[:20].rstrip('-.')}-{revision[:12]}-{metric[:14].strip('-')}-{digest}"


def job_spec(metric: JobMetric, *, env: Mapping[str, str], labels: Mapping[str, str], account: str) -> dict[str, Any]:
    """Gives the `spec` of the Job: the user's pod, with what it measures in its environment, one try, a deadline, and
    none of the rights that it does not name."""
    spec = metric.template.spec
    template = dict(spec.get("template") or {})
    metadata = dict(template.get("metadata") or {})
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    return {
        "backoffLimit": 0,
        "completions": 1,
        "parallelism": 1,
        "activeDeadlineSeconds": spec.get("activeDeadlineSeconds", _DEADLINE_SECONDS),
        "ttlSecondsAfterFinished": spec.get("ttlSecondsAfterFinished", _KEPT_SECONDS),
        "podFailurePolicy": _FAILURES,
        "template": {"metadata": metadata, "spec": _pod(template.get("spec") or {}, env=env, account=account)},
    }


def _pod(given: Mapping[str, Any], *, env: Mapping[str, str], account: str) -> dict[str, Any]:
    told = [{"name": name, "value": value} for name, value in env.items()]
    containers = {
        kind: [_container(each, told) for each in given[kind]]
        for kind in ("initContainers", "containers")
        if given.get(kind)
    }
    return {
        "serviceAccountName": account,
        "enableServiceLinks": False,
        "securityContext": dict(_POD_SECURITY),
        **given,
        **containers,
        "automountServiceAccountToken": False,
        "restartPolicy": "Never",
    }


def _container(given: Mapping[str, Any], told: list[dict[str, str]]) -> dict[str, Any]:
    """What the user's env says of the same name is the user's to say."""
    own = list(given.get("env") or ())
    names = {each.get("name") for each in own}
    security = {"readOnlyRootFilesystem": True, **(given.get("securityContext") or {})}
    return {
        **given,
        "env": [*(each for each in told if each["name"] not in names), *own],
        "securityContext": {**security, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }


def job_measurement(job: Mapping[str, Any]) -> Measurement | None:
    """Reads a Job's outcome; None while it runs. Only an exit code of its own is an answer: one that ran out of time,
    or was ended from outside, has measured nothing."""
    for condition in (job.get("status") or {}).get("conditions") or ():
        if condition.get("status") != "True" or condition.get("type") not in {"Complete", "Failed"}:
            continue
        ended, name = datetime.fromisoformat(str(condition["lastTransitionTime"])), job["metadata"]["name"]
        if condition["type"] == "Complete":
            return Measurement(at=ended, value=1.0, note=f"Job {name}")
        reason, message = str(condition.get("reason") or ""), str(condition.get("message") or "")
        if reason == _ANSWERED:
            code = _EXIT_CODE.search(message)
            return Measurement(at=ended, value=0.0, note=f"Job {name}" + (f", {code[0]}" if code else ""))
        return Measurement(at=ended, error=f"Job {name} {_WORDS.get(reason, f'failed: {reason}')}")
    return None


_WORDS: Mapping[str, str] = {
    _OUT_OF_TIME: "did not end within activeDeadlineSeconds",
    _GIVEN_UP: "was killed before it ended",
}
