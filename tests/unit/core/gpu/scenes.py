"""What nodes tell in tests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sentinel_operator.api.nodetelemetry import NodeTelemetryStatus
from sentinel_operator.core.conditions import rfc3339


def node(*devices: dict[str, Any], at: datetime) -> NodeTelemetryStatus:
    """What the agent of a node has written last."""
    return NodeTelemetryStatus.model_validate({"observedAt": rfc3339(at), "devices": list(devices)})


def gpu(uuid: str, *pods: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A healthy device with pods on it."""
    return {"uuid": uuid, "index": 0, "health": "Healthy", "pods": list(pods), **more}


def on(name: str, **more: Any) -> dict[str, Any]:
    """A pod that is on a device."""
    return {"namespace": "team-a", "name": name, **more}


FATAL = {"health": "Failed", "reasons": ["FatalXid"]}
XID = {"code": 79, "severity": "Fatal", "at": "2025-03-01T12:00:00Z", "count": 1}
