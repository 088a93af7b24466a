"""What a pod says beside its containers: who it is, where it may run, and that it runs as nobody in particular."""

from __future__ import annotations

import math
from collections.abc import Mapping

from sentinel_operator.api.fields import seconds
from sentinel_operator.api.pod import Pod
from sentinel_operator.core.plan import Manifest

_USER = 65532
_POD_SECURITY: Manifest = {
    "runAsNonRoot": True,
    "runAsUser": _USER,
    "runAsGroup": _USER,
    "fsGroup": _USER,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}


def identity(pod: Pod, *, account: str) -> Manifest:
    """Gives the account, the security context and the time to end in."""
    return {
        "serviceAccountName": pod.service_account_name or account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod.security_context if pod.security_context is not None else _POD_SECURITY,
        "terminationGracePeriodSeconds": math.ceil(seconds(pod.termination_grace_period)),
    }


def spread(pod: Pod, *, selector: Mapping[str, str]) -> list[Manifest]:
    """Spreads pods of one sort over nodes, or as the user says; without a selector of theirs, these pods."""
    labelled = {"matchLabels": dict(selector)}
    if pod.topology_spread_constraints is not None:
        return [{"labelSelector": labelled, **each} for each in pod.topology_spread_constraints]
    return [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": labelled,
        }
    ]


def placement(pod: Pod) -> Manifest:
    """Gives what the user says of where the pod runs."""
    optional = {
        "nodeSelector": pod.node_selector,
        "tolerations": pod.tolerations,
        "affinity": pod.affinity,
        "priorityClassName": pod.priority_class_name,
        "runtimeClassName": pod.runtime_class_name,
        "imagePullSecrets": [{"name": each.name} for each in pod.image_pull_secrets or ()],
    }
    return {key: value for key, value in optional.items() if value}
