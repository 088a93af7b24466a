"""A plan that is taken back: the inverse of what was done, the last first."""

from __future__ import annotations

from sentinel_operator.api.actionstatus import DecisionStatus
from sentinel_operator.core.actionplan.drive import drive_back, undone_from
from sentinel_operator.core.actionplan.locks import regained
from sentinel_operator.core.actionplan.observed import Observed
from sentinel_operator.core.actionplan.order import ordered
from sentinel_operator.core.actionplan.step import SOON, Step, ended, records, replaced, stay


def roll_back(observed: Observed) -> Step:
    """Goes on taking back. No ttl ends it: what was begun is finished."""
    if not observed.around.locked:
        return regained(observed)
    known = records(observed)
    line = [known[each.id] for each in reversed(ordered(observed.plan.decisions))]
    current = next((each for each in line if each.state == "Undoing"), None)
    if current is not None:
        driven = drive_back(observed, current, rolling_back=True)
        if driven.record == current:
            return Step(status=observed.status, patch=driven.patch, look_again=SOON)
        return _noted(observed, driven.record)
    coming = next((each for each in line if _is_owed(each)), None)
    if coming is not None:
        return _noted(observed, undone_from(observed, coming))
    stuck = [each for each in line if each.state == "UndoFailed"]
    failure = observed.status.failure
    if stuck:
        said = "; ".join(f"{each.id} {each.message}" for each in stuck)
        return ended(observed, "Failed", f"{failure}; {said}")
    return ended(observed, "RolledBack", f"{failure}; all that was done is taken back", done=0)


def _is_owed(record: DecisionStatus) -> bool:
    """Tells whether something of the decision may be there: it was recorded, and was not taken back."""
    return bool(record.intents) and not record.undo and record.state in ("Done", "Failed", "Expired")


def _noted(observed: Observed, record: DecisionStatus) -> Step:
    return stay(
        observed,
        f"{observed.status.failure}; {record.id}: {record.message}",
        again=0.0,
        decisions=replaced(observed, record),
    )
