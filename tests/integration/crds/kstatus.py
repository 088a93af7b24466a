"""What GitOps tools read out of a status. Source: sigs.k8s.io/cli-utils pkg/kstatus/status/{core,generic}.go."""

from __future__ import annotations

from typing import Any


def kstatus(manifest: dict[str, Any]) -> str:
    """Gives InProgress, Failed, Terminating or Current, as kstatus' generic rules do."""
    metadata, status = manifest["metadata"], manifest.get("status") or {}
    if metadata.get("deletionTimestamp"):
        return "Terminating"
    if "observedGeneration" in status and status["observedGeneration"] != metadata["generation"]:
        return "InProgress"
    conditions = {each["type"]: each["status"] for each in status.get("conditions") or ()}
    if conditions.get("Stalled") == "True":
        return "Failed"
    if conditions.get("Reconciling") == "True":
        return "InProgress"
    if conditions.get("Ready") in ("False", "Unknown"):
        return "InProgress"
    return "Current"
