"""Every child that a model should have now, whole, in the order in which they are made."""

from __future__ import annotations

from sentinel_operator.core.names import revision_name
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.sentrymodel.assess import Assessment
from sentinel_operator.core.sentrymodel.network import (
    desired_network_policy,
    desired_route,
    desired_service,
    desired_service_account,
)
from sentinel_operator.core.sentrymodel.observe import Observed
from sentinel_operator.core.sentrymodel.scaling import desired_autoscaler, desired_budget


def desired_children(observed: Observed, assessment: Assessment, *, deploy: bool) -> tuple[Manifest, ...]:
    """Gives the intents. Objects of former revisions are not among them: they stay as they were made.

    `deploy` says whether the target's Deployment has its turn; a Deployment is born with one pod, so one that may have
    none yet is not made yet.
    """
    spec, owner, target = assessment.spec, observed.owner, assessment.target
    serving = assessment.stable or (target.id if target is not None else "")
    scalable = serving in observed.deployments or (deploy and target is not None and serving == target.id)
    failed = target.id if target is not None and assessment.coming and assessment.failure and assessment.stable else ""
    candidates = (
        desired_service_account(spec, owner=owner),
        desired_network_policy(spec, observed.config, owner=owner),
        target.config_map if target is not None else None,
        target.deployment if target is not None and deploy else None,
        desired_service(spec, owner=owner),
        desired_budget(spec, owner=owner, wanted=assessment.wanted, failed=failed),
        desired_autoscaler(spec, owner=owner, target=revision_name(owner.name, serving)) if scalable else None,
        desired_route(spec, owner=owner),
    )
    return tuple(child for child in candidates if child is not None)
