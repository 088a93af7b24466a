"""CostCeiling: what a workload costs after it was scaled, by the operator's own prices."""

from __future__ import annotations

from sentinel_operator.api.actionrules import CostCeiling
from sentinel_operator.api.fields import quantity
from sentinel_operator.core.policy.facts import Facts
from sentinel_operator.core.policy.finding import Finding, holds, number, violated


def judge(bound: CostCeiling, facts: Facts) -> Finding:
    """Finds a scale-up violated that costs more than the ceiling, or, if so set, one whose price is not known."""
    if facts.decision.verb != "scale":
        return holds("it does not change what the workload costs")
    before, after, price = facts.target.replicas, facts.replicas_after, facts.target.cost_per_replica_hour
    ceiling, currency = quantity(bound.max_cost_per_hour), bound.currency
    if before is not None and after is not None and after <= before:
        return holds("it does not cost more than before", replicas=before, after=after)
    if price is None or after is None or facts.target.currency != currency:
        said = "the price of its pods is not known" if price is None else f"its price is not known in {currency}"
        finding = violated if bound.missing == "Reject" else holds
        return finding(said, costPerHour=None, maxCostPerHour=ceiling)
    cost = price * after
    if cost > ceiling:
        said = f"{after} replicas cost {number(cost)} {currency} an hour, at most {number(ceiling)} are allowed"
        return violated(said, costPerHour=cost, maxCostPerHour=ceiling)
    return holds("it costs no more than allowed", costPerHour=cost, maxCostPerHour=ceiling)
