"""Every child that a model should have now, whole, in the order in which they are made."""

from __future__ import annotations

from sentinel_operator.core.names import revision_name
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.sentrymodel.active import desired_active, desired_rights
from sentinel_operator.core.sentrymodel.assess import Assessment
from sentinel_operator.core.sentrymodel.network import (
    desired_network_policy,
    desired_route,
    desired_service_account,
    desired_services,
)
from sentinel_operator.core.sentrymodel.observe import Observed
from sentinel_operator.core.sentrymodel.scaling import desired_autoscaler, desired_budget


def desired_children(observed: Observed, assessment: Assessment, *, deploy: bool) -> tuple[Manifest, ...]:
    """Gives the intents. Objects of former revisions are not among them: they stay as they were made.

    `deploy` says whether the target's Deployment has its turn; a Deployment is born with one pod, so one that may have
    none yet is not made yet.
    """
    spec, owner, target, decision = assessment.spec, observed.owner, assessment.target, assessment.decision
    scaled = decision.autoscale or (target.id if target is not None else "")
    scalable = scaled in observed.deployments or (deploy and target is not None and scaled == target.id)
    failed = assessment.candidate if assessment.failure and assessment.stable else ""
    routes = decision.routes
    # What the route still says is kept until it says something else.
    routed = {name for each in (routes, assessment.view.written) for name, _ in each.weights}
    routed |= {assessment.stable, assessment.candidate} - {""}
    first = target.id if target is not None else ""
    preview = decision.preview or (decision.mirror.revision if decision.mirror is not None else "")
    candidates = (
        desired_service_account(spec, owner=owner),
        desired_network_policy(spec, observed.config, owner=owner),
        *desired_rights(observed, assessment),
        target.config_map if target is not None else None,
        *desired_active(observed, assessment),
        target.deployment if target is not None and deploy else None,
        *desired_services(spec, owner=owner, routes=routes, first=first, revisions=routed, preview=preview),
        desired_budget(spec, owner=owner, wanted=assessment.wanted, failed=failed),
        desired_autoscaler(spec, owner=owner, target=revision_name(owner.name, scaled)) if scalable else None,
        desired_route(spec, owner=owner, routes=routes),
    )
    return tuple(child for child in candidates if child is not None)
