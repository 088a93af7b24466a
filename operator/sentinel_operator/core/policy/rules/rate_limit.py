"""RateLimit: how many changes are begun in a minute and an hour. A limit of 0 permits none."""

from __future__ import annotations

from sentinel_operator.api.actionrules import RateLimit
from sentinel_operator.core.policy.facts import Begun, Facts
from sentinel_operator.core.policy.finding import Finding, holds, violated


def judge(bound: RateLimit, facts: Facts) -> Finding:
    """Finds it violated if the change would be one more than allowed."""
    begun = facts.begun.get(bound.scope, Begun())
    told = {"scope": bound.scope, "minute": begun.minute, "hour": begun.hour}
    for limit, count, word in (
        (bound.max_per_minute, begun.minute, "minute"),
        (bound.max_per_hour, begun.hour, "hour"),
    ):
        if limit is not None and count + 1 > limit:
            said = f"{count} changes were begun within a {word} ({bound.scope}), at most {limit} are allowed"
            return violated(said, **told, limit=limit)
    return holds("the rate is kept", **told)
