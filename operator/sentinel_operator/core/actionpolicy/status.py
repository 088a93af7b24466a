"""The status of a policy, as a function of what is observed: equal observations give equal bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from sentinel_operator.api.actionpolicy import ActionPolicyStatus, CompiledRule
from sentinel_operator.api.conditions import READY, RECONCILING, STALLED, Condition
from sentinel_operator.core.conditions import Finding, conditions
from sentinel_operator.core.plan import Event, Manifest
from sentinel_operator.core.policy.compiled import Clause, Compiled
from sentinel_operator.core.policy.policy import Policy

IN_FORCE, SUSPENDED, INVALID_SPEC = "InForce", "Suspended", "InvalidSpec"
_MEANWHILE = "until it can be read every ActionPlan is rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a pass knows of a policy, and what the API server has of it."""

    generation: int
    deleting: bool
    owner: Manifest
    """By which what is made of the policy goes when it does."""
    policy: Policy
    policies: tuple[Policy, ...]
    children: tuple[Manifest, ...]
    status: ActionPolicyStatus
    now: datetime


def observe_status(raw: Manifest) -> ActionPolicyStatus:
    """Reads what an earlier pass wrote."""
    try:
        return ActionPolicyStatus.model_validate(raw.get("status") or {})
    except ValidationError:
        return ActionPolicyStatus()


def desired_status(observed: Observed, made: Compiled, *, refused: str = "") -> ActionPolicyStatus:
    """Gives the whole status; `refused` is what the API server has against what was compiled."""
    spec = observed.policy.spec
    return ActionPolicyStatus(
        observed_generation=observed.generation,
        compiled=[_told(each) for each in made.clauses] or None,
        held=0 if refused else sum(each.coverage != "None" for each in made.clauses),
        rules=len(spec.rules or ()) if spec is not None else 0,
        conditions=conditions(
            _findings(observed, made, refused),
            previous=observed.status.conditions or (),
            generation=observed.generation,
            now=observed.now,
        ),
    )


def as_manifest(status: ActionPolicyStatus) -> Manifest:
    """Writes a status as JSON; what is not known is left out."""
    written: Manifest = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    return written


def events(before: ActionPolicyStatus, after: ActionPolicyStatus) -> tuple[Event, ...]:
    """Gives an event for a policy that came into force, or that cannot, and none while that stays so."""
    was, now = _ready(before), _ready(after)
    if now is None or (
        was is not None and (was.reason, was.observed_generation) == (now.reason, now.observed_generation)
    ):
        return ()
    return (Event("Warning" if now.reason == INVALID_SPEC else "Normal", now.reason, now.message),)


def _ready(status: ActionPolicyStatus) -> Condition | None:
    return next((each for each in status.conditions or () if each.type == READY), None)


def _same(was: Condition, now: Condition) -> bool:
    return (was.reason, was.observed_generation) == (now.reason, now.observed_generation)


def _told(clause: Clause) -> CompiledRule:
    return CompiledRule(index=clause.index, rule=clause.rule, coverage=clause.coverage, reason=clause.reason)


def _findings(observed: Observed, made: Compiled, refused: str) -> tuple[Finding, ...]:
    spec = observed.policy.spec
    if spec is None:
        message = f"{observed.policy.problem}; {_MEANWHILE}"
        return (
            Finding(READY, "False", INVALID_SPEC, message),
            Finding(RECONCILING, "False", INVALID_SPEC),
            Finding(STALLED, "True", INVALID_SPEC, message),
        )
    reason = SUSPENDED if spec.suspend else IN_FORCE
    held = sum(each.coverage != "None" for each in made.clauses)
    message = "suspended: nothing is judged by it" if spec.suspend else _held(held, len(made.clauses), refused)
    return (
        Finding(READY, "True", reason, message),
        Finding(RECONCILING, "False", reason),
        Finding(STALLED, "False", reason),
    )


def _held(held: int, rules: int, refused: str) -> str:
    if refused:
        return f"plans are judged by it; the API server does not hold to it by itself: {refused}"
    return f"plans are judged by it; the API server holds to {held} of its {rules} rules by itself"
