"""SLA: while the uptime is too low, nothing but a cure."""

from __future__ import annotations

from sentinel_operator.api.actionrules import ServiceLevelAgreement
from sentinel_operator.core.policy.facts import Facts
from sentinel_operator.core.policy.finding import Finding, holds, number, violated


def judge(bound: ServiceLevelAgreement, facts: Facts) -> Finding:
    """Finds a change violated, but for a cure, that is proposed while the uptime is below the bound."""
    uptime, least = facts.target.uptime_percent, bound.min_uptime_percent
    told = {**facts.target.shown("uptimePercent"), "minUptimePercent": least, "cure": facts.is_cure}
    if uptime is None:
        finding = violated if bound.missing == "Reject" and not facts.is_cure else holds
        return finding("the uptime is not known", **told)
    if uptime >= least:
        return holds("the uptime is kept", **told)
    if facts.is_cure:
        return holds("the uptime is too low, and this is a cure", **told)
    return violated(f"the uptime is {number(uptime)} %, below {number(least)} %", **told)
