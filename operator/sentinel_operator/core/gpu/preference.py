"""Pods that ask for GPUs had better come to nodes whose GPUs are well; what the user says of nodes stays."""

from __future__ import annotations

from sentinel_operator.api.nodetelemetry import NODE_HEALTH_LABEL
from sentinel_operator.core.plan import Manifest

_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_WELL = {"key": NODE_HEALTH_LABEL, "operator": "NotIn", "values": ["Degraded", "Failed"]}
_HEALTHY_GPUS: Manifest = {"weight": 100, "preference": {"matchExpressions": [_WELL]}}
"""Nodes without the label are as good as any."""


def preferring_healthy_gpus(placement: Manifest) -> Manifest:
    """Adds the preference to the fields of a pod's spec that the scheduler goes by."""
    affinity = placement.get("affinity") or {}
    nodes = affinity.get("nodeAffinity") or {}
    preferred = [*(nodes.get(_PREFERRED) or ()), _HEALTHY_GPUS]
    return {**placement, "affinity": {**affinity, "nodeAffinity": {**nodes, _PREFERRED: preferred}}}


def prefers_healthy_gpus(pod_spec: Manifest) -> bool:
    """Tells whether a pod template was made with the preference."""
    nodes = (pod_spec.get("affinity") or {}).get("nodeAffinity") or {}
    terms = ((each.get("preference") or {}).get("matchExpressions") or () for each in nodes.get(_PREFERRED) or ())
    return any(each.get("key") == NODE_HEALTH_LABEL for term in terms for each in term)
