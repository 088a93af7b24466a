"""What one that waits is told: which limit, who has its slots, and where in the line it stands."""

from __future__ import annotations

from sentinel_operator.core.budget.claim import Claimant
from sentinel_operator.core.budget.limits import Limit
from sentinel_operator.core.budget.queue import Place

NEAR = 10
"""Those further behind are not told their number and who is before them: at every end of a rollout it would have to be
written into the status of all of them."""
_NAMED = 3


def waits_for(place: Place) -> str:
    """Completes `waits for ...`; empty for one that may begin."""
    limit = place.full
    if limit is None:
        return ""
    if limit.slots == 0:
        return f"the end of the freeze of {limit.where} ({limit.said_by} is 0)"
    if place.number > NEAR:
        return f"{_slot(limit)}; more than {NEAR} wait before it"
    return f"{_slot(limit)}, taken by {_names(place.taken_by)}; number {place.number} in the queue"


def _slot(limit: Limit) -> str:
    which = "the one slot" if limit.slots == 1 else f"one of the {limit.slots} slots"
    return f"{which} of {limit.where} ({limit.said_by})"


def _names(claimants: tuple[Claimant, ...]) -> str:
    named = [f"{each.namespace}/{each.name}" if each.namespace else each.name for each in claimants[:_NAMED]]
    more = len(claimants) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
