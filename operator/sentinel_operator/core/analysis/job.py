"""A Job as a measurement: made once for each attempt, read when it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sentinel_operator.api.analysis import JobMetric
from sentinel_operator.core.analysis.measurement import Measurement

OUT_OF_TIME = "DeadlineExceeded"
_KEPT_SECONDS = 3600


def job_name(owner: str, *, revision: str, metric: str, attempt: int) -> str:
    """Gives the Job's name: the same attempt is never made twice, whoever asks again."""
    return f"{owner[:20].rstrip('-.')}-{revision}-{metric[:20].strip('-')}-{attempt}"


def job_spec(metric: JobMetric, *, canary: str, stable: str) -> dict[str, Any]:
    """Gives the `spec` of the Job: the user's, with the revisions as environment variables, and no Pod left forever."""
    spec = dict(metric.template.spec)
    template = dict(spec.get("template") or {})
    pod = dict(template.get("spec") or {})
    told = [{"name": "CANARY", "value": canary}, {"name": "STABLE", "value": stable}]
    pod["containers"] = [{**each, "env": [*told, *(each.get("env") or ())]} for each in pod.get("containers") or ()]
    pod.setdefault("restartPolicy", "Never")
    return {"ttlSecondsAfterFinished": _KEPT_SECONDS, **spec, "template": {**template, "spec": pod}}


def job_measurement(job: Mapping[str, Any] | None) -> Measurement | None:
    """Reads a Job's outcome; None while it runs. One that ran out of time has measured nothing."""
    status = (job or {}).get("status") or {}
    for condition in status.get("conditions") or ():
        if condition.get("status") != "True" or condition.get("type") not in {"Complete", "Failed"}:
            continue
        ended = datetime.fromisoformat(str(condition["lastTransitionTime"]))
        reason = str(condition.get("reason") or "")
        if condition["type"] == "Complete":
            return Measurement(at=ended, value=1.0)
        if reason == OUT_OF_TIME:
            return Measurement(at=ended, error="its Job did not end within activeDeadlineSeconds")
        return Measurement(at=ended, value=0.0, note=f"its Job failed: {reason or 'without a reason'}")
    return None
