"""What has to be read for a pass over a plan, and for how long anything has to be."""

from __future__ import annotations

from dataclasses import dataclass

from sentinel_operator.api.actionstatus import ACTING, FINISHED
from sentinel_operator.api.actionverbs import API_VERSIONS
from sentinel_operator.api.kinds import SENTRY_MODEL
from sentinel_operator.core.actionplan.neighbours import targets_of, verbs_of
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.core.targets import TargetKey

_REVISIONS = {"Deployment": "ReplicaSet", "StatefulSet": "ControllerRevision"}
_BY_REVISION, _BY_POD = "rollback", "reschedule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One target, and what hangs on it."""

    key: TargetKey
    ref: ObjectRef
    """To be read afresh: what was remembered may be what a decision has changed since."""
    revisions: str = ""
    """The kind of its revisions (apps/v1), by its uid in their controller references."""
    deployments: bool = False
    """Its Deployments, by the same, are needed too."""
    pods: bool = False
    """Its pods are needed too."""


def needed(plan: Manifest, *, priced: bool = False) -> tuple[Read, ...]:
    """Gives what a pass over the plan needs; nothing once it is finished. Tolerates a spec that does not validate.
    Where a Node is among the targets, or a price has to be known, all Nodes are needed as well.

    Of a Deployment and a StatefulSet that is the object alone, except where a decision is about its pods or its earlier
    revisions, or its pods are to be `priced`: what they cost depends on their nodes.
    """
    status = plan.get("status")
    state = status.get("state") if isinstance(status, dict) else None
    if state in FINISHED:
        return ()
    verbs = verbs_of(plan)
    return tuple(
        _of(key, verbs.get(key, frozenset()), priced=priced and state not in ACTING)
        for key in sorted(targets_of(plan))
        if key.kind in API_VERSIONS
    )


def _of(key: TargetKey, verbs: frozenset[str], *, priced: bool) -> Read:
    is_model = key.kind == SENTRY_MODEL.kind
    pods = key.kind != "Node" and (is_model or priced or _BY_POD in verbs)
    return Read(
        key=key,
        ref=ObjectRef(API_VERSIONS[key.kind], key.kind, key.namespace, key.name),
        revisions=_REVISIONS.get(key.kind, "") if pods or _BY_REVISION in verbs else "",
        deployments=is_model,
        pods=pods,
    )
