"""What one pass makes of a plan: its status as it should be, and at most one thing to do to the cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sentinel_operator.api.actionstatus import ActionPlanStatus, DecisionStatus, PlanState
from sentinel_operator.core.actionplan.observed import Observed
from sentinel_operator.core.conditions import parse_time, rfc3339, truncated
from sentinel_operator.core.plan import Evict, LevelsWanted, Measuring, Patch, Rehearsal
from sentinel_operator.core.targets import TargetKey

SOON = 0.3
"""Seconds until a target that was just changed is looked at."""
LOOK_AGAIN = 2.0
"""Seconds until a target that is in change is looked at again."""
WAIT = 10.0
"""Seconds until something that only time or somebody else changes is looked at again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Nothing is done to the cluster that was not recorded: a step that records does not act. One that is to be looked
    at again at once (`look_again` is 0) is followed by the next one within the same pass."""

    status: ActionPlanStatus
    reason: str = ""
    """In one word, where it says more than the state."""
    patch: tuple[Patch, ...] = ()
    evict: tuple[Evict, ...] = ()
    rehearse: tuple[Rehearsal, ...] = ()
    wants_levels: tuple[LevelsWanted, ...] = ()
    wants_locks: tuple[TargetKey, ...] = ()
    measure: Measuring | None = field(default=None)
    look_again: float | None = None


def to(observed: Observed, state: PlanState, message: str, *, reason: str = "", **changed: Any) -> Step:
    """Gives the step to a state, to be looked at again at once."""
    update = {"state": state, "message": truncated(message), **changed}
    return Step(status=observed.status.model_copy(update=update), reason=reason, look_again=0.0)


def stay(observed: Observed, message: str, *, again: float | None = WAIT, reason: str = "", **changed: Any) -> Step:
    """Gives the step that waits in the same state."""
    update = {"message": truncated(message), **changed}
    return Step(status=observed.status.model_copy(update=update), reason=reason, look_again=again)


def ended(observed: Observed, state: PlanState, message: str, *, reason: str = "", **changed: Any) -> Step:
    """Gives the step to a state that is the last."""
    update = {"state": state, "message": truncated(message), "finished_at": rfc3339(observed.now), **changed}
    return Step(status=observed.status.model_copy(update=update), reason=reason)


def records(observed: Observed) -> dict[str, DecisionStatus]:
    """Gives what became of each decision so far; nothing yet for those that have no record."""
    known = {each.id: each for each in observed.status.decisions or ()}
    return {each.id: known.get(each.id) or DecisionStatus(id=each.id) for each in observed.plan.decisions}


def replaced(observed: Observed, *changed: DecisionStatus) -> list[DecisionStatus]:
    """Gives all records, these among them."""
    return list({**records(observed), **{each.id: each for each in changed}}.values())


def patience(observed: Observed, record: DecisionStatus) -> float:
    """Gives seconds until a target that is in change is looked at again: soon at first, and ever less often."""
    began = parse_time(record.started_at or "-") or observed.now
    return min(LOOK_AGAIN, max(SOON, (observed.now - began).total_seconds() / 4))
