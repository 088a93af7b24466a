"""The status of a plan as a function of a step: equal steps give equal bytes."""

from __future__ import annotations

from collections.abc import Iterator

from sentinel_operator.api.actionstatus import FINISHED, ActionPlanStatus, PlanState
from sentinel_operator.api.conditions import READY, RECONCILING, STALLED
from sentinel_operator.api.conditions import Decision as LastDecision
from sentinel_operator.core.actionplan.history import recorded
from sentinel_operator.core.actionplan.observed import Observed
from sentinel_operator.core.actionplan.step import Step
from sentinel_operator.core.conditions import Finding, conditions, rfc3339, truncated
from sentinel_operator.core.plan import Event, Manifest

_BAD: frozenset[PlanState] = frozenset({"Rejected", "Failed", "Expired", "RollingBack", "RolledBack"})
_ON_THE_WAY: frozenset[PlanState] = frozenset({"Validating", "Approved", "Scheduled"})
_TOLD = frozenset({"Done", "Failed", "Expired", "Skipped", "Undone", "UndoFailed"})


def desired_status(observed: Observed, step: Step) -> ActionPlanStatus:
    """Gives the whole status after the step."""
    before, status = observed.status, step.status
    state: PlanState = status.state or "Pending"
    moved = before.state != status.state
    status = status.model_copy(update={"state": state})
    desired = status.model_copy(
        update={
            "history": recorded(status, created=observed.created, now=observed.now),
            "observed_generation": observed.generation,
            "last_decision": _decision(observed, step) if moved else before.last_decision,
            "conditions": conditions(
                _findings(state, step.reason or state, status.message),
                previous=before.conditions or (),
                generation=observed.generation,
                now=observed.now,
            ),
        }
    )
    return _marked(desired, observed) if desired != before else desired


def _marked(status: ActionPlanStatus, observed: Observed) -> ActionPlanStatus:
    """Says how far the sink of events is told where something is written anyway: that alone is no reason to."""
    told = observed.around.told
    if told is None or told.number <= (status.published or 0):
        return status
    return status.model_copy(update={"published": told.number, "publish_refused": told.refused or None})


def as_manifest(status: ActionPlanStatus) -> Manifest:
    """Writes a status as JSON; what is not known is left out."""
    written: Manifest = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    return written


def events(
    before: ActionPlanStatus, after: ActionPlanStatus, reason: str, *, in_passing: bool = False
) -> tuple[Event, ...]:
    """Gives an event for each transition: of the plan, and of its decisions. Of what it merely passes through on its
    way to what the same pass tells, there is none: that is in the history alone."""
    return (*_of_decisions(before, after, in_passing), *_of_plan(before, after, reason, in_passing))


def _of_plan(before: ActionPlanStatus, after: ActionPlanStatus, reason: str, in_passing: bool) -> Iterator[Event]:
    if after.state is None or after.state == before.state:
        return
    if not (in_passing and after.state in _ON_THE_WAY):
        yield Event("Warning" if after.state in _BAD else "Normal", reason or after.state, after.message)
    fresh = after.judged_at != before.judged_at
    for each in after.trace or () if fresh else ():
        if each.verdict == "Violated" and each.effect == "Warn":
            yield Event("Warning", "PolicyWarning", f"{each.decision}: {each.policy} ({each.rule}): {each.message}")
        elif each.verdict == "Violated" and each.mode == "Audit":
            yield Event("Normal", "PolicyAudit", f"{each.decision}: {each.policy} ({each.rule}): {each.message}")


def _of_decisions(before: ActionPlanStatus, after: ActionPlanStatus, in_passing: bool) -> Iterator[Event]:
    was = {each.id: each.state for each in before.decisions or ()}
    for each in after.decisions or ():
        if in_passing and each.state == "Done" and after.total == 1:
            continue  # the plan itself says so
        if each.state in _TOLD and was.get(each.id, "Pending") != each.state:
            good = each.state in ("Done", "Undone")
            yield Event("Normal" if good else "Warning", f"Decision{each.state}", f"{each.id}: {each.message}")


def _decision(observed: Observed, step: Step) -> LastDecision:
    status = step.status
    inputs = {"from": observed.status.state or "new", "done": f"{status.done} of {status.total}"}
    return LastDecision(
        at=rfc3339(observed.now),
        rule=step.reason or status.state or "Pending",
        inputs=inputs,
        result=truncated(status.message) or status.state or "Pending",
    )


def _findings(state: PlanState, reason: str, message: str) -> tuple[Finding, ...]:
    if state == "Completed":
        return (
            Finding(READY, "True", reason, message),
            Finding(RECONCILING, "False", reason),
            Finding(STALLED, "False", reason),
        )
    over = state in FINISHED
    return (
        Finding(READY, "False", reason, message),
        Finding(RECONCILING, "False" if over else "True", reason, "" if over else message),
        Finding(STALLED, "True" if over else "False", reason, message if over else ""),
    )
