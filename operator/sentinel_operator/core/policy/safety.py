"""The bound that a proposer sets itself. It can only make a plan more careful than the policies ask."""

from __future__ import annotations

from sentinel_operator.core.policy.facts import Facts
from sentinel_operator.core.policy.finding import Finding, holds, violated

OWN = "(the plan)"


def own_limit(facts: Facts) -> Finding | None:
    """Finds how the plan's own rate limit is kept; None where it sets none."""
    safety = facts.decision.safety
    if safety is None:
        return None
    begun = facts.begun_in_own_window
    told = {"begun": begun, "rateLimit": safety.rate_limit, "window": safety.window}
    if begun + 1 <= safety.rate_limit:
        return holds("the plan's own rate is kept", **told)
    said = f"{begun} changes of the target were begun within {safety.window}, at most {safety.rate_limit} are allowed"
    return violated(said, **told)
