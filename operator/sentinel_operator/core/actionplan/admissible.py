"""What is wrong with a plan whatever the policies say: who it is from, where it points, when it was meant."""

from __future__ import annotations

from collections.abc import Iterator

from sentinel_operator.core.actionplan.observed import Observed
from sentinel_operator.core.policy.matcher import sources_of

Fault = tuple[str, str]
"""A reason and what to say."""


def faults(observed: Observed) -> Iterator[Fault]:
    """Yields each reason for which the plan is rejected unjudged."""
    plan, around = observed.plan, observed.around
    if observed.requester is None:
        yield "UnknownRequester", "nobody vouches for who created it: it did not pass the operator's admission"
        return
    names = sources_of(observed.requester, around.policies)
    if plan.source not in names:
        said = f"spec.source: {plan.source} is not who created it; {observed.requester.username} is"
        yield "SourceMismatch", f"{said} {', '.join(sorted(names))}"
    if around.neighbours.duplicate_of:
        yield "DuplicatePlanId", f"spec.planId: {plan.plan_id} was there before: {around.neighbours.duplicate_of}"
    for index, decision in enumerate(plan.decisions):
        path, target = f"spec.decisions[{index}].target", decision.target
        if target.cluster is not None and target.cluster != observed.config.cluster_id:
            mine = observed.config.cluster_id or "without a clusterId"
            yield "WrongCluster", f"{path}.cluster: {target.cluster} is meant, this one is {mine}"
        own = observed.config.operator_namespace
        if target.kind == "Node" and not observed.may_touch_nodes:
            yield "TargetForbidden", f"{path}: only plans in namespace {own} may change Nodes"
        if target.namespace not in (None, observed.namespace) and not observed.may_touch_nodes:
            yield "TargetForbidden", f"{path}.namespace: only plans in namespace {own} may point elsewhere"
