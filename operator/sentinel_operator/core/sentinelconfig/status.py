"""The status of the SentinelConfig, as a function of what is observed: equal observations give equal bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from sentinel_operator.api.conditions import READY, RECONCILING, STALLED, Condition
from sentinel_operator.api.sentinelconfig import SentinelConfigStatus
from sentinel_operator.core.conditions import Finding, conditions
from sentinel_operator.core.plan import Event, Manifest

IN_FORCE = "InForce"
INVALID_SPEC = "InvalidSpec"
_MEANWHILE = "the last valid settings stay in force, and after a restart of the operator the defaults"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a pass knows: what is wrong with the object, or else whether the operator works by it already."""

    generation: int
    deleting: bool
    problem: str
    in_force: bool
    status: SentinelConfigStatus | None
    now: datetime


def observe_status(raw: Manifest) -> SentinelConfigStatus | None:
    """Reads what an earlier pass wrote; None when there is nothing that can be relied on."""
    try:
        status = SentinelConfigStatus.model_validate(raw.get("status") or {})
    except ValidationError:
        return None
    return status if status.observed_generation >= 0 else None


def desired_status(observed: Observed) -> SentinelConfigStatus:
    """Gives the whole status of settings that are in force, or can never be."""
    before = observed.status.conditions or () if observed.status is not None else ()
    findings = _refused(observed.problem) if observed.problem else _in_force()
    return SentinelConfigStatus(
        observed_generation=observed.generation,
        conditions=conditions(findings, previous=before, generation=observed.generation, now=observed.now),
    )


def as_manifest(status: SentinelConfigStatus) -> Manifest:
    """Writes a status as JSON; what is not known is left out."""
    written: Manifest = status.model_dump(by_alias=True, exclude_none=True)
    return written


def events(before: SentinelConfigStatus | None, after: SentinelConfigStatus) -> tuple[Event, ...]:
    """Gives an event for settings that came into force, or that cannot, and none while that stays so."""
    was, now = _ready(before) if before is not None else None, _ready(after)
    if now is None or (was is not None and _same(was, now)):
        return ()
    return (Event("Normal" if now.status == "True" else "Warning", now.reason, now.message),)


def _ready(status: SentinelConfigStatus) -> Condition | None:
    return next((each for each in status.conditions or () if each.type == READY), None)


def _same(was: Condition, now: Condition) -> bool:
    return (was.observed_generation, was.status) == (now.observed_generation, now.status)


def _in_force() -> tuple[Finding, ...]:
    return (
        Finding(READY, "True", IN_FORCE, "the operator works by these settings"),
        Finding(RECONCILING, "False", IN_FORCE),
        Finding(STALLED, "False", IN_FORCE),
    )


def _refused(problem: str) -> tuple[Finding, ...]:
    message = f"{problem}; {_MEANWHILE}"
    return (
        Finding(READY, "False", INVALID_SPEC, message),
        Finding(RECONCILING, "False", INVALID_SPEC),
        Finding(STALLED, "True", INVALID_SPEC, message),
    )
