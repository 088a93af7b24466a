"""What the template of a Job must not say: what the operator says itself, and what the model's own pods may not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sentinel_operator.api.analysis import JobMetric
from sentinel_operator.api.pod import OWN_LABELS
from sentinel_operator.core.analysis.job import LEAST_KEPT_SECONDS, LONGEST_SECONDS

_OURS: Mapping[str, int] = {"backoffLimit": 0, "completions": 1, "parallelism": 1}
_TIMES: Mapping[str, tuple[int, int]] = {
    "activeDeadlineSeconds": (1, LONGEST_SECONDS),
    "ttlSecondsAfterFinished": (LEAST_KEPT_SECONDS, LONGEST_SECONDS),
}
_NO_MORE = "must be left out: a Job may do no more than the model's own pods"
_POD = "job.template.spec.template.spec"
Problem = tuple[str, str]


def job_problems(metric: JobMetric) -> Iterator[Problem]:
    """Gives each fault as a field, relative to the metric, and a message."""
    spec = metric.template.spec
    yield from _of_job(spec)
    template = _object(spec.get("template"))
    metadata, pod = template.get("metadata"), _object(template.get("spec"))
    if metadata is not None and not isinstance(metadata, dict):
        yield "job.template.spec.template.metadata", "must be of type object"
    yield from _of_labels(_object(metadata).get("labels"))
    if not pod.get("containers"):
        yield f"{_POD}.containers", "Required value"
    yield from _of_pod(pod)
    for kind in ("initContainers", "containers"):
        if not _all_objects(pod.get(kind)):
            yield f"{_POD}.{kind}", "must be a list of containers"
            continue
        for index, container in enumerate(pod.get(kind) or ()):
            yield from _of_container(container, f"{_POD}.{kind}[{index}]")


def _of_job(spec: Mapping[str, Any]) -> Iterator[Problem]:
    for name, value in spec.items():
        field = f"job.template.spec.{name}"
        if name == "template" or (name in _OURS and _same(value, _OURS[name])):
            continue
        if name in _TIMES:
            least, most = _TIMES[name]
            if type(value) is not int or not least <= value <= most:
                yield field, f"must be an integer from {least} to {most}"
        else:
            told = f" or {_OURS[name]}" if name in _OURS else ""
            yield field, f"must be left out{told}: the operator sets it"


def _same(value: Any, ours: int) -> bool:
    return type(value) is int and value == ours


def _of_labels(labels: Any) -> Iterator[Problem]:
    if labels is not None and not isinstance(labels, dict):
        yield "job.template.spec.template.metadata.labels", "must be of type object"
    for key in _object(labels):
        if re.fullmatch(OWN_LABELS, str(key)):
            yield f"job.template.spec.template.metadata.labels[{key}]", "must be left out: it is the operator's"


def _of_pod(pod: Mapping[str, Any]) -> Iterator[Problem]:
    for name in ("hostNetwork", "hostPID", "hostIPC", "automountServiceAccountToken", "ephemeralContainers"):
        if pod.get(name):
            yield f"{_POD}.{name}", _NO_MORE
    if pod.get("restartPolicy", "Never") != "Never":
        yield f"{_POD}.restartPolicy", "must be Never: its exit code is the measurement"
    for index, volume in enumerate(_list(pod.get("volumes"))):
        if "hostPath" in _object(volume):
            yield f"{_POD}.volumes[{index}].hostPath", _NO_MORE


def _of_container(container: Mapping[str, Any], path: str) -> Iterator[Problem]:
    for name in ("name", "image"):
        if not isinstance(container.get(name), str) or not container[name]:
            yield f"{path}.{name}", "Required value"
    if not _all_objects(container.get("env")):
        yield f"{path}.env", "must be a list of variables"
    for index, port in enumerate(_list(container.get("ports"))):
        if _object(port).get("hostPort"):
            yield f"{path}.ports[{index}].hostPort", _NO_MORE
    yield from _of_security(container.get("securityContext") or {}, f"{path}.securityContext")


def _of_security(given: Any, path: str) -> Iterator[Problem]:
    if not isinstance(given, dict):
        yield path, "must be of type object"
        return
    for name in ("privileged", "allowPrivilegeEscalation", "procMount"):
        if given.get(name):
            yield f"{path}.{name}", _NO_MORE
    if _object(given.get("capabilities")).get("add"):
        yield f"{path}.capabilities.add", _NO_MORE


def _all_objects(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(each, dict) for each in value))


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
