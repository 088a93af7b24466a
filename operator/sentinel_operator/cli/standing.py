"""What an object says of itself, and how far that can be believed: a status may be older than the spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from sentinel_operator.api.conditions import READY, RECONCILING, STALLED, Condition
from sentinel_operator.api.sentrymodel import SentryModelStatus
from sentinel_operator.core.plan import Manifest

NOT_OBSERVED = "NotObserved"
TERMINATING = "Terminating"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The condition Ready as it holds for the present spec, and which of its companions are true."""

    ready: str
    reason: str
    message: str = ""
    reconciling: bool = False
    stalled: bool = False

    @property
    def style(self) -> str:
        """Gives the colour in which it is shown."""
        return "green" if self.ready == "True" else "red" if self.stalled else "yellow"


def standing(raw: Manifest) -> Standing:
    """Judges an object of any of our kinds; Ready is Unknown while the operator has not looked at the newest spec."""
    if raw["metadata"].get("deletionTimestamp"):
        return Standing(ready="False", reason=TERMINATING, message="it is being deleted", reconciling=True)
    found = {condition.type: condition for condition in status_of(raw).conditions or ()}
    observed, generation = generations(raw)
    if READY not in found or observed < generation:
        last = f"; it last looked at {observed}" if observed >= 0 else ""
        message = f"the operator has not looked at generation {generation} yet{last}"
        return Standing(ready="Unknown", reason=NOT_OBSERVED, message=message, reconciling=True)
    ready = found[READY]
    return Standing(
        ready=ready.status,
        reason=ready.reason,
        message=ready.message,
        reconciling=_true(found, RECONCILING),
        stalled=_true(found, STALLED),
    )


def _true(found: Mapping[str, Condition], type_: str) -> bool:
    return type_ in found and found[type_].status == "True"


def generations(raw: Manifest) -> tuple[int, int]:
    """Gives the generation that the operator has looked at (-1 before any) and the present one."""
    return status_of(raw).observed_generation, int(raw["metadata"].get("generation") or 1)


def status_of(raw: Manifest) -> SentryModelStatus:
    """Reads what is understood of a status; a field that a newer operator writes in another way is left out.

    The status of every kind has observedGeneration and conditions; the other fields are a model's.
    """
    given: dict[str, Any] = dict(raw.get("status") or {})
    try:
        return SentryModelStatus.model_validate(given)
    except ValidationError as error:
        strange = {details["loc"][0] for details in error.errors(include_url=False)}
        return SentryModelStatus.model_validate({key: value for key, value in given.items() if key not in strange})


def wanted(raw: Manifest) -> int:
    """Gives how many pods a model should have; under an autoscaler, what it has made of that."""
    spec = raw.get("spec") or {}
    scaling, replicas = spec.get("autoscaling"), spec.get("replicas")
    if scaling:
        return max(status_of(raw).replicas or 0, int(scaling.get("min") or 1))
    return 1 if replicas is None else int(replicas)


def versions(raw: Manifest) -> str:
    """Shows which version is taken over by which: `1.0.0 → 1.1.0`."""
    status = status_of(raw)
    return _passage(*(each.version if each else "" for each in (status.stable, status.canary)))


def revisions(raw: Manifest) -> str:
    """Shows which revision is taken over by which."""
    status = status_of(raw)
    return _passage(*(each.revision if each else "" for each in (status.stable, status.canary)))


def _passage(stable: str, coming: str) -> str:
    return f"{stable} → {coming}" if stable and coming and stable != coming else stable or coming
