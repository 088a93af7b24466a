"""How a pod of a scan ended: what it leaves in its termination message, or why it could not go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sentinel_operator.api.scanning import (
    Outcome,
    PlanOutcome,
    Progress,
    ReportOutcome,
    ScanExit,
    ScanFailure,
    ShardOutcome,
)
from sentinel_operator.api.serving import ExitCode
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.pods import brought, faults
from sentinel_operator.core.pods.faults import Fault, FieldOf, Words, conclusion, quoted
from sentinel_operator.core.scanjob.config import CLASSIFIER, EMBEDDING
from sentinel_operator.core.scanjob.volumes import SCAN

Success = PlanOutcome | ShardOutcome | ReportOutcome
_OUTCOME: TypeAdapter[PlanOutcome | ShardOutcome | ReportOutcome | ScanFailure] = TypeAdapter(Outcome)
STOPPED = "Stopped"
"""Reason of a pod that was told to end, by a drain or by spec.suspend."""
_MAY_PASS = frozenset({ScanExit.StorageUnreachable, ScanExit.NoSpace, ScanExit.SigningFailed})
_FETCHES = {place.fetch: place for place in (EMBEDDING, CLASSIFIER)}
_SOURCES = {place.source: place for place in (EMBEDDING, CLASSIFIER)}
_IMAGES: Mapping[str, str] = {
    SCAN: "SentinelConfig spec.images.scan",
    **dict.fromkeys(_FETCHES, "SentinelConfig spec.images.fetch"),
    **{name: f"{place.field}.source.image.reference" for name, place in _SOURCES.items()},
}


def success(pod: Manifest) -> Success | None:
    """Gives what a pod left that ended well."""
    ended = _ended_scan(pod)
    if ended is None or ended.get("exitCode") != 0:
        return None
    try:
        outcome = _OUTCOME.validate_json(str(ended.get("message") or ""))
    except ValidationError:
        return None
    return None if isinstance(outcome, ScanFailure) else outcome


def fault(pod: Manifest, *, field_of: FieldOf) -> Fault | None:
    """Gives what keeps a pod from its work, or kept it. One that is on its way out, or was asked to end, did nothing
    wrong: another one goes on."""
    if pod["metadata"].get("deletionTimestamp") or _was_stopped(pod):
        return None
    return faults.pod_fault(pod, Words(ended=_ended_fault, field_of=field_of, images=_IMAGES))


def read_progress(body: str) -> Progress | None:
    """Reads what a running pod answers; None for anything else."""
    try:
        return Progress.model_validate_json(body)
    except ValidationError:
        return None


def _ended_scan(pod: Manifest) -> Mapping[str, Any] | None:
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        if container.get("name") == SCAN:
            ended: Mapping[str, Any] | None = (container.get("state") or {}).get("terminated")
            return ended
    return None


def _was_stopped(pod: Manifest) -> bool:
    ended = _ended_scan(pod) or {}
    try:
        said = _OUTCOME.validate_json(str(ended.get("message") or ""))
    except ValidationError:
        return False
    return isinstance(said, ScanFailure) and said.reason == STOPPED


def _ended_fault(name: str, ended: Mapping[str, Any]) -> Fault:
    code, message = int(ended.get("exitCode", 0)), str(ended.get("message") or "")
    limit = "spec.pod.resources.limits.memory" if name == SCAN else ""
    killed = faults.out_of_memory(name, ended, limit=limit)
    if killed is not None:
        return killed
    if name in _SOURCES:
        return brought.not_copied(code, message, _SOURCES[name])
    if name in _FETCHES and code in set(ExitCode):
        return brought.told(ExitCode(code), message, _FETCHES[name])
    if name == SCAN and code in set(ScanExit):
        return _told(ScanExit(code), message)
    return faults.crashed(name, ended)


def _told(code: ScanExit, message: str) -> Fault:
    """Takes the pod's own word; the exit code is what counts, the message may be anything."""
    try:
        said = _OUTCOME.validate_json(message)
    except ValidationError:
        said = ScanFailure(reason=code.name, message=conclusion(message))
    field, text = (said.field, said.message) if isinstance(said, ScanFailure) else ("", "")
    return Fault(code.name, faults.at(field, quoted(text) or code.name), terminal=code not in _MAY_PASS)
