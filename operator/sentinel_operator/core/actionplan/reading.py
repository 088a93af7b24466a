"""What has to be read for a pass over a plan, and for how long anything has to be."""

from __future__ import annotations

from dataclasses import dataclass

from sentinel_operator.api.actionstatus import FINISHED
from sentinel_operator.api.actionverbs import API_VERSIONS
from sentinel_operator.core.actionplan.neighbours import targets_of
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.core.targets import TargetKey

_REVISIONS = {"Deployment": "ReplicaSet", "StatefulSet": "ControllerRevision"}


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


def needed(plan: Manifest) -> tuple[Read, ...]:
    """Gives what a pass over the plan needs, with the pods of each; nothing once it is finished. Tolerates a spec that
    does not validate. Where a Node is among the targets, or a price has to be known, all Nodes are needed as well."""
    status = plan.get("status")
    if isinstance(status, dict) and status.get("state") in FINISHED:
        return ()
    return tuple(
        Read(
            key=key,
            ref=ObjectRef(API_VERSIONS[key.kind], key.kind, key.namespace, key.name),
            revisions=_REVISIONS.get(key.kind, ""),
            deployments=key.kind == "SentryModel",
        )
        for key in sorted(targets_of(plan))
        if key.kind in API_VERSIONS
    )
