"""Who the pods of a ScanJob are, what they read, and who may ask them."""

from __future__ import annotations

from sentinel_operator.api.scanjob import ScanJobSpec
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.api.serving import METRICS_PORT
from sentinel_operator.core.names import Owner
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.scanjob.jobs import children_name

_NAMESPACE_NAME = "kubernetes.io/metadata.name"


def desired_service_account(spec: ScanJobSpec, *, owner: Owner) -> Manifest | None:
    """Gives the account of the pods, without a right and without a token, unless the user names their own."""
    if spec.pod.service_account_name is not None:
        return None
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _metadata(spec, owner, component="identity"),
        "automountServiceAccountToken": False,
    }


def desired_network_policy(spec: ScanJobSpec, config: SentinelConfigSpec, *, owner: Owner) -> Manifest:
    """Gives the policy that lets nobody reach the pods but those that ask how far they are."""
    askers = [name for name in (config.operator_namespace, config.monitoring_namespace) if name]
    admitted = {
        "ports": [{"port": METRICS_PORT, "protocol": "TCP"}],
        "from": [{"namespaceSelector": {"matchLabels": {_NAMESPACE_NAME: name}}} for name in askers],
    }
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata(spec, owner, component="network"),
        "spec": {
            "podSelector": {"matchLabels": owner.selector},
            "policyTypes": ["Ingress"],
            "ingress": [admitted] if askers else [],
        },
    }


def desired_config_map(spec: ScanJobSpec, data: dict[str, str], *, owner: Owner) -> Manifest:
    """Gives the ConfigMap, which nothing changes once it is made."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(spec, owner, component="config"),
        "immutable": True,
        "data": data,
    }


def _metadata(spec: ScanJobSpec, owner: Owner, *, component: str) -> Manifest:
    return {
        "name": children_name(owner),
        "namespace": owner.namespace,
        "labels": owner.labels(component, extra=spec.labels),
        "ownerReferences": [owner.reference()],
    }
