"""The bound that a proposer sets itself. It can only make a plan more careful than the policies ask."""

from __future__ import annotations

from collections.abc import Iterator

from sentinel_operator.api.actionstatus import TraceEntry
from sentinel_operator.core.policy.facts import Facts

OWN = "(the plan)"


def own_limit(facts: Facts) -> Iterator[TraceEntry]:
    """Yields how the plan's own rate limit was kept, if it sets one."""
    safety = facts.decision.safety
    if safety is None:
        return
    exceeded = facts.begun_in_own_window + 1 > safety.rate_limit
    yield TraceEntry(
        decision=facts.decision.id,
        policy=OWN,
        rule="Safety",
        inputs={"begun": str(facts.begun_in_own_window), "rateLimit": str(safety.rate_limit), "window": safety.window},
        verdict="Violated" if exceeded else "Holds",
        effect="Reject" if exceeded else "Pass",
        message=f"{facts.begun_in_own_window} changes of the target were begun within {safety.window}, "
        f"at most {safety.rate_limit} are allowed"
        if exceeded
        else "the plan's own rate is kept",
    )
