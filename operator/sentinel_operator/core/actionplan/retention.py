"""Which finished plans go: those that are too old, and the oldest of those that are too many."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sentinel_operator.api.actionstatus import FINISHED
from sentinel_operator.api.fields import seconds
from sentinel_operator.api.sentinelconfig import PlanRetention
from sentinel_operator.core.actionplan.history import is_told
from sentinel_operator.core.bridge.marks import awaits_acknowledgement
from sentinel_operator.core.conditions import parse_time
from sentinel_operator.core.plan import Delete, Manifest, ObjectRef
from sentinel_operator.core.policy.rates import LONGEST


def pruned(
    plans: Iterable[Manifest], retention: PlanRetention, now: datetime, *, published: bool = False
) -> tuple[Delete, ...]:
    """Gives what to remove, the oldest first. What was begun in the last hour is counted by its plan and stays. Where
    transitions are `published`, a plan of which the sink was not told all goes by its age alone, at twice that; one of
    which a brain has yet to be told goes by its age alone, too."""
    finished = sorted(
        ((at, plan) for plan in plans if (at := _finished_at(plan)) is not None),
        key=lambda each: (each[0], each[1]["metadata"]["uid"]),
    )
    longest = timedelta(seconds=seconds(retention.max_age))
    too_many = len(finished) - retention.max_finished

    def is_over(index: int, at: datetime, plan: Manifest) -> bool:
        if published and not is_told(plan):
            return now - at > 2 * longest
        if awaits_acknowledgement(plan):
            return now - at > longest
        return index < too_many or now - at > longest

    return tuple(
        Delete(ObjectRef.of(plan, pinned=True))
        for index, (at, plan) in enumerate(finished)
        if now - at >= LONGEST and is_over(index, at, plan)
    )


def _finished_at(plan: Manifest) -> datetime | None:
    status = plan.get("status") or {}
    if status.get("state") not in FINISHED or plan["metadata"].get("deletionTimestamp"):
        return None
    return parse_time(str(status.get("finishedAt") or "-"))
