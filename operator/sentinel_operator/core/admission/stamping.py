"""What admission writes on objects of a kind about who made and who approved them, over whatever the request says."""

from __future__ import annotations

from datetime import datetime

from sentinel_operator.api.kinds import Kind
from sentinel_operator.core.actionplan.stamps import STAMPS
from sentinel_operator.core.admission import actionplan, requested
from sentinel_operator.core.admission.verdict import Review
from sentinel_operator.core.names import REQUESTED_BY


def annotations_of(kind: Kind) -> tuple[str, ...]:
    """Names the annotations that are admission's alone."""
    if kind.approvable:
        return STAMPS
    return (REQUESTED_BY,) if kind.remembers_requester else ()


def stamped(kind: Kind, review: Review, now: datetime) -> dict[str, str | None]:
    """Gives those annotations as they must be; None takes one away."""
    if kind.approvable:
        return actionplan.stamped(review, now)
    return {REQUESTED_BY: requested.stamped(review)} if kind.remembers_requester else {}
