"""Until when a decision may be begun: its ttl, from the earlier of two clocks. Neither can make it later."""

from __future__ import annotations

from datetime import datetime, timedelta

from sentinel_operator.api.actionplan import ActionPlanSpec, Decision
from sentinel_operator.api.fields import seconds
from sentinel_operator.core.conditions import parse_time


def born(spec: ActionPlanSpec, created: datetime) -> datetime:
    """Gives the moment from which a plan ages. A proposer's clock that runs ahead gains nothing; one that is behind
    makes the plan older than it is, which is the safe side."""
    claimed = parse_time(spec.created_at) if spec.created_at is not None else None
    return created if claimed is None else min(claimed, created)


def deadline(decision: Decision, since: datetime) -> datetime:
    """Gives the first moment at which the decision is not begun any more."""
    return since + timedelta(seconds=seconds(decision.ttl))


def last_deadline(spec: ActionPlanSpec, since: datetime) -> datetime:
    """Gives the moment from which nothing of the plan is begun any more."""
    return max(deadline(each, since) for each in spec.decisions)
