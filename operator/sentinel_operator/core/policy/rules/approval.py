"""Approval: somebody has to agree, and rarely whoever proposed it."""

from __future__ import annotations

from sentinel_operator.api.actionrules import ApprovalRule
from sentinel_operator.core.policy.facts import Facts
from sentinel_operator.core.policy.finding import Finding, holds, violated


def judge(bound: ApprovalRule, facts: Facts) -> Finding:
    """Finds a change violated until one of the approvers has agreed."""
    wanted = " or ".join(bound.approvers or ()) or "somebody with the right to approve"
    if facts.approved is None:
        return violated(f"waits for {wanted}", approvedBy="nobody")
    by = facts.approved.by.username
    if bound.approvers is not None and not facts.approved.sources & set(bound.approvers):
        return violated(f"waits for {wanted}; {by} is none of them", approvedBy=by)
    if not agreed(facts, allow_self=bound.allow_self):
        return violated(f"waits for {wanted}; {by} proposed it", approvedBy=by)
    return holds(f"approved by {by}", approvedBy=by)


def agreed(facts: Facts, *, allow_self: bool) -> bool:
    """Tells whether somebody agreed who may: not whoever created the plan, unless that is allowed."""
    return facts.approved is not None and (allow_self or facts.approved.by.username != facts.who.username)
