"""What is said on the Node itself: its condition, the label by which GPU work prefers other nodes, and the taint that
keeps it away from a GPU that failed."""

from __future__ import annotations

from collections.abc import Iterable

from sentinel_agent.gpu.health import Overall
from sentinel_agent.report.api import Api, Object
from sentinel_operator.api.nodetelemetry import NODE_CONDITION, NODE_HEALTH_LABEL, Health

MANAGER = "sentinel-agent"
TAINT = "sentinel.dev/gpu-failed"


def condition(node: str, overall: Overall, *, since: str, now: str) -> Object:
    """Gives the condition as an intent for the Node's status. A GPU that is merely degraded is no fault of the node."""
    status = "False" if overall.failed else "Unknown" if overall.status == "Unknown" else "True"
    told = {
        "type": NODE_CONDITION,
        "status": status,
        "reason": overall.reason,
        "message": overall.message[:1024],
        "lastTransitionTime": since,
        "lastHeartbeatTime": now,
    }
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}, "status": {"conditions": [told]}}


def label(overall: Overall, devices: Iterable[Health]) -> str:
    """Gives the worst of a node's GPUs, as the label says it; empty where none is at fault."""
    found = set(devices)
    if overall.failed or "Failed" in found:
        return "Failed"
    return "Degraded" if "Degraded" in found else ""


def set_label(api: Api, node: str, value: str) -> None:
    """Sets the label, or takes it away."""
    api.merge(f"/api/v1/nodes/{node}", {"metadata": {"labels": {NODE_HEALTH_LABEL: value or None}}}, manager=MANAGER)


def set_taint(api: Api, node: str, *, effect: str, failed: bool) -> None:
    """Adds the taint or takes it away; the list of taints has no merge, so the version that was read is demanded."""
    path = f"/api/v1/nodes/{node}"
    found = api.get(path)
    taints = found["spec"].get("taints") or []
    others = [each for each in taints if each.get("key") != TAINT]
    wanted = [*others, {"key": TAINT, "effect": effect}] if failed else others
    same = sorted((each["key"], each["effect"]) for each in taints) == sorted(
        (each["key"], each["effect"]) for each in wanted
    )
    if not same:
        version = found["metadata"]["resourceVersion"]
        api.merge(path, {"metadata": {"resourceVersion": version}, "spec": {"taints": wanted}}, manager=MANAGER)
