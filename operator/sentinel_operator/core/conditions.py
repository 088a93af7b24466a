"""Conditions as Kubernetes means them: stamped, sorted, and flipped in time only when the status flips."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sentinel_operator.api.conditions import READY, RECONCILING, STALLED, Condition, Status

MESSAGE_LIMIT = 1024
_FIRST = {READY: 0, RECONCILING: 1, STALLED: 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a pass found about one aspect; it becomes a condition."""

    type: str
    status: Status
    reason: str
    message: str = ""


class Sentence(Protocol):
    """What is said of an object as a whole."""

    @property
    def reason(self) -> str:
        """In PascalCase."""

    @property
    def message(self) -> str:
        """For people."""

    @property
    def ready(self) -> bool:
        """Tells whether it is as declared."""

    @property
    def reconciling(self) -> bool:
        """Tells whether it is on its way."""

    @property
    def stalled(self) -> bool:
        """Tells whether it needs a person."""


def standing(said: Sentence) -> tuple[Finding, ...]:
    """Gives the three conditions that every tool reads."""
    return (
        Finding(READY, "True" if said.ready else "False", said.reason, said.message),
        _abnormal(RECONCILING, said, true=said.reconciling),
        _abnormal(STALLED, said, true=said.stalled),
    )


def rfc3339(moment: datetime) -> str:
    """Writes a moment as Kubernetes does: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime | None:
    """Reads what Kubernetes writes; None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def truncated(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """Bounds a message that quotes others, and shows that it did."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def conditions(
    findings: Iterable[Finding], *, previous: Iterable[Condition], generation: int, now: datetime
) -> list[Condition]:
    """Gives the conditions in their order; `lastTransitionTime` moves only where the status differs from before."""
    before = {condition.type: condition for condition in previous}
    ordered = sorted(findings, key=lambda finding: (_FIRST.get(finding.type, len(_FIRST)), finding.type))
    return [_condition(finding, before.get(finding.type), generation, now) for finding in ordered]


def _abnormal(type_: str, said: Sentence, *, true: bool) -> Finding:
    return Finding(type_, "True" if true else "False", said.reason, said.message if true else "")


def _condition(finding: Finding, before: Condition | None, generation: int, now: datetime) -> Condition:
    unmoved = before is not None and before.status == finding.status
    return Condition(
        type=finding.type,
        status=finding.status,
        observed_generation=generation,
        last_transition_time=before.last_transition_time if before is not None and unmoved else rfc3339(now),
        reason=finding.reason,
        message=truncated(finding.message),
    )
