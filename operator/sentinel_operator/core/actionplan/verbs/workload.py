"""What Deployments and StatefulSets say of a template on its way to the pods."""

from __future__ import annotations

from sentinel_operator.core.actionplan.view import is_current, status_of, wanted_replicas
from sentinel_operator.core.plan import Manifest


def rolls(raw: Manifest) -> str:
    """Says how far the newest template is; empty when every wanted pod is of it, ready, and no other is there."""
    status, wanted = status_of(raw), wanted_replicas(raw)
    if not is_current(raw):
        return f"the controller of {raw['kind']} {raw['metadata']['name']} has not seen the change yet"
    updated = int(status.get("updatedReplicas") or 0)
    ready = int(status.get("readyReplicas") or 0)
    there = int(status.get("replicas") or 0)
    if raw["kind"] == "StatefulSet" and status.get("currentRevision") == status.get("updateRevision"):
        updated = wanted  # once complete, its status counts no updated ones
    if updated >= wanted and ready >= wanted and there <= wanted:
        return ""
    return f"{min(updated, ready)} of {wanted} pods of {raw['kind']} {raw['metadata']['name']} are new and ready"
