"""SLO: while requests are too slow or fail too often, nothing but a cure."""

from __future__ import annotations

from collections.abc import Iterator

from sentinel_operator.api.actionrules import ServiceLevel
from sentinel_operator.core.policy.facts import Facts
from sentinel_operator.core.policy.finding import Finding, holds, number, violated


def judge(bound: ServiceLevel, facts: Facts) -> Finding:
    """Finds a change violated, but for a cure, that is proposed while the objective is breached."""
    told = {**facts.target.shown("p99LatencyMs", "successRatePercent"), "cure": facts.is_cure}
    breached = "; ".join(_breaches(bound, facts))
    if breached and facts.is_cure:
        return holds(f"{breached}; and this is a cure", **told)
    if breached:
        return violated(breached, **told)
    unknown = [word for word, missing in _unknown(bound, facts) if missing]
    if unknown:
        finding = violated if bound.missing == "Reject" and not facts.is_cure else holds
        return finding(f"the {' and the '.join(unknown)} is not known", **told)
    return holds("the objective is met", **told)


def _breaches(bound: ServiceLevel, facts: Facts) -> Iterator[str]:
    slow, good = facts.target.p99_latency_ms, facts.target.success_rate_percent
    if bound.max_p99_latency_ms is not None and slow is not None and slow > bound.max_p99_latency_ms:
        yield f"the p99 latency is {number(slow)} ms, above {number(bound.max_p99_latency_ms)} ms"
    if bound.min_success_rate_percent is not None and good is not None and good < bound.min_success_rate_percent:
        yield f"{number(good)} % of the requests succeed, below {number(bound.min_success_rate_percent)} %"


def _unknown(bound: ServiceLevel, facts: Facts) -> Iterator[tuple[str, bool]]:
    yield "latency", bound.max_p99_latency_ms is not None and facts.target.p99_latency_ms is None
    yield "success rate", bound.min_success_rate_percent is not None and facts.target.success_rate_percent is None
