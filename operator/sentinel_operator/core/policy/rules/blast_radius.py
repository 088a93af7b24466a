"""BlastRadius: how much is in change at once, how much stays up, and a rest after something went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sentinel_operator.api.actionrules import BlastRadius
from sentinel_operator.api.fields import seconds
from sentinel_operator.core.policy.facts import Facts
from sentinel_operator.core.policy.finding import Finding, holds, number, violated


def judge(bound: BlastRadius, facts: Facts) -> Finding:
    """Finds a change violated that would make too much unavailable, or come too soon after a failure."""
    after, lost = _ready_after(facts), _lost_percent(facts)
    told = {
        "targets": facts.targets + facts.in_flight,
        "readyAfter": after,
        "percentUnavailable": lost,
        "lastFailure": facts.last_failure.isoformat() if facts.last_failure else "none",
    }
    broken = "; ".join((*_breadth(bound, facts), *_depth(bound, after, lost), *_storm(bound, facts)))
    return violated(broken, **told) if broken else holds("it stays within bounds", **told)


def _breadth(bound: BlastRadius, facts: Facts) -> Iterator[str]:
    count = facts.targets + facts.in_flight
    if bound.max_targets is not None and count > bound.max_targets:
        yield f"{count} targets would be in change at once, at most {bound.max_targets} are allowed"


def _depth(bound: BlastRadius, after: int | None, lost: float | None) -> Iterator[str]:
    if bound.max_percent_unavailable is not None:
        if lost is None:
            yield "how many are ready is not known"
        elif lost > bound.max_percent_unavailable:
            most = number(bound.max_percent_unavailable)
            yield f"{number(lost)} % would be unavailable, at most {most} % are allowed"
    if bound.min_healthy is not None:
        if after is None:
            yield "how many are ready is not known"
        elif after < bound.min_healthy:
            yield f"{after} would stay ready, at least {bound.min_healthy} have to"


def _storm(bound: BlastRadius, facts: Facts) -> Iterator[str]:
    if bound.storm_cooldown is None or facts.last_failure is None:
        return
    until = facts.last_failure + timedelta(seconds=seconds(bound.storm_cooldown))
    if facts.now < until:
        yield f"a plan failed or was undone at {facts.last_failure.isoformat()}; nothing for {bound.storm_cooldown}"


def _ready_after(facts: Facts) -> int | None:
    """A scale-up takes nothing away, whatever is ready of it now; a scale-down takes what it takes away."""
    ready, wanted, after = facts.target.ready, facts.target.replicas, facts.replicas_after
    if ready is None or wanted is None or after is None:
        return None
    return min(ready - facts.target.at_risk, after) if after < wanted else ready - facts.target.at_risk


def _lost_percent(facts: Facts) -> float | None:
    """Of what is wanted after the change: what is missing of it already, and what the change takes down."""
    ready, after = _ready_after(facts), facts.replicas_after
    if ready is None or after is None:
        return None
    base = min(after, facts.target.replicas or 0) if facts.decision.verb == "scale" else after
    return 0.0 if base <= 0 else max(0.0, 100.0 * (base - ready) / base)
