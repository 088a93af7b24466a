"""The same bounds in a bare loop over tuples: no trace, no inputs, no words. What cannot be less."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sentinel_operator.core.policy.facts import Begun, Facts
from sentinel_operator.core.policy.policy import Policy

Check = Callable[[Facts], bool]
Bound = tuple[frozenset[str], frozenset[str], tuple[Check, ...]]
_BERLIN = ZoneInfo("Europe/Berlin")
_ZERO = Decimal(0)


def _cost(facts: Facts) -> bool:
    after = facts.replicas_after or 0
    if facts.decision.verb != "scale" or after <= (facts.target.replicas or 0):
        return False
    return (facts.target.cost_per_replica_hour or _ZERO) * after > 40


def _rate(facts: Facts) -> bool:
    begun = facts.begun.get("Workload", Begun())
    return begun.minute + 1 > 10 or begun.hour + 1 > 100


def _uptime(facts: Facts) -> bool:
    return (facts.target.uptime_percent or 0) < 99.0 and not facts.is_cure


def _objective(facts: Facts) -> bool:
    slow = (facts.target.p99_latency_ms or 0) > 250 or (facts.target.success_rate_percent or 0) < 99
    return slow and not facts.is_cure


def _quota(facts: Facts) -> bool:
    after = facts.replicas_after or 0
    if facts.decision.verb != "scale":
        return False
    return after > 20 or (facts.target.requests is not None and facts.target.requests.gpus * after > 16)


def _frozen(facts: Facts) -> bool:
    return (facts.now.astimezone(_BERLIN) + timedelta(0)).weekday() >= 5


def _blast(facts: Facts) -> bool:
    wanted, after, ready = facts.target.replicas or 0, facts.replicas_after or 0, facts.target.ready or 0
    left = min(ready, after) if after < wanted else ready
    return facts.targets + facts.in_flight > 10 or left < 1


def _expression(facts: Facts) -> bool:
    return not (facts.decision.verb != "drain" and (facts.target.replicas or 0) < 50)


_CHECKS: dict[str, Check] = {
    "CostCeiling": _cost,
    "RateLimit": _rate,
    "SLA": _uptime,
    "SLO": _objective,
    "Quota": _quota,
    "ChangeFreeze": _frozen,
    "BlastRadius": _blast,
    "CEL": _expression,
}


def bounds(policies: Sequence[Policy]) -> list[Bound]:
    """Gives the policies as what the loop goes over."""
    out = []
    for policy in policies:
        if policy.spec is not None and policy.spec.selector is not None:
            selector = policy.spec.selector
            checks = tuple(_CHECKS[rule.type] for rule in policy.spec.rules or ())
            out.append((frozenset(selector.namespaces or ()), frozenset(selector.verbs or ()), checks))
    return out


def judge(known: Sequence[Bound], facts: Facts) -> bool:
    """Tells whether any bound is broken, having looked at all of them."""
    broken = False
    for namespaces, verbs, checks in known:
        if facts.namespace in namespaces and facts.decision.verb in verbs:
            for check in checks:
                broken |= check(facts)
    return broken
