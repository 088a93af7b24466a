"""Why a container of a model's pod does not do its work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sentinel_operator.api.serving import ExitCode
from sentinel_operator.core.pods import brought, faults
from sentinel_operator.core.pods.faults import REFERENCE_NOT_FOUND, Fault, FieldOf, Words, conclusion, quoted
from sentinel_operator.core.sentrymodel.config import PLACE
from sentinel_operator.core.sentrymodel.volumes import FETCH, SERVER, SOURCE

__all__ = ["REFERENCE_NOT_FOUND", "Fault", "FieldOf", "conclusion", "container_fault", "pod_fault", "quoted"]

IMAGE_FIELDS: Mapping[str, str] = {
    FETCH: "SentinelConfig spec.images.fetch",
    SERVER: "spec.runtime.image",
    SOURCE: "spec.model.source.image.reference",
}


def pod_fault(pod: Mapping[str, Any], *, field_of: FieldOf) -> Fault | None:
    """Gives the first thing that keeps a pod from becoming ready; None while it is merely starting."""
    return faults.pod_fault(pod, _words(field_of))


def container_fault(container: Mapping[str, Any], *, field_of: FieldOf) -> Fault | None:
    """Reads one container status."""
    return faults.container_fault(container, _words(field_of))


def _words(field_of: FieldOf) -> Words:
    return Words(ended=_ended_fault, field_of=field_of, images=IMAGE_FIELDS)


def _ended_fault(name: str, ended: Mapping[str, Any]) -> Fault:
    code, message = int(ended.get("exitCode", 0)), str(ended.get("message") or "")
    limit = "spec.pod.resources.limits.memory" if name == SERVER else ""
    killed = faults.out_of_memory(name, ended, limit=limit)
    if killed is not None:
        return killed
    if name == SOURCE:
        return brought.not_copied(code, message, PLACE)
    if code in set(ExitCode) and name in {FETCH, SERVER}:
        return brought.told(ExitCode(code), message, PLACE)
    return faults.crashed(name, ended)
