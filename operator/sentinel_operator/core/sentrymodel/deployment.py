"""The pod template of a revision and the Deployment that keeps its pods; the number of replicas is not part of it."""

from __future__ import annotations

from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.core.gpu.preference import preferring_healthy_gpus
from sentinel_operator.core.names import Owner, revision_name
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.pods.template import identity, placement, spread
from sentinel_operator.core.sentrymodel.containers import (
    fetch_container,
    follow_container,
    server_container,
    source_container,
)
from sentinel_operator.core.sentrymodel.volumes import SERVER, mounted

COMPONENT = "server"
VERSION_ANNOTATION = "sentinel.dev/version"
MODEL_DIGEST_ANNOTATION = "sentinel.dev/model-digest"
CONFIG_DIGEST_ANNOTATION = "sentinel.dev/config-digest"
PROCESS_DIGEST_ANNOTATION = "sentinel.dev/process-digest"
"""Of all that a running pod cannot change: revisions with the same one can be swapped in each other's pods."""


def pod_template(
    spec: SentryModelSpec,
    config: SentinelConfigSpec,
    *,
    owner: Owner,
    revision: str,
    follows: str = "",
    choosy: bool = False,
) -> Manifest:
    """Gives everything that makes a pod what it is; with an empty revision, everything that the revision's name is
    the hash of. `follows` names the ConfigMap by which running pods are told what to serve; that they are is no part
    of the name, so that a strategy which needs it can be chosen without a new revision. Nor is a preference for nodes
    whose GPUs are well (`choosy`): it makes no other pod."""
    pod = spec.pod
    placed = placement(pod)
    return {
        "metadata": {
            "labels": owner.labels(COMPONENT, revision=revision, extra={**(spec.labels or {}), **(pod.labels or {})}),
            "annotations": {**(pod.annotations or {}), "kubectl.kubernetes.io/default-container": SERVER},
        },
        "spec": {
            **_containers(spec, config, config_map=revision_name(owner.name, revision), follows=follows),
            **identity(pod, account=owner.name),
            "topologySpreadConstraints": spread(pod, selector=owner.revision_selector(revision)),
            **(preferring_healthy_gpus(placed) if choosy and spec.runtime.gpu is not None else placed),
        },
    }


def deployment(owner: Owner, *, name: str, labels: Manifest, annotations: Manifest, template: Manifest) -> Manifest:
    """Gives the Deployment without `replicas`: those are set through its scale, by us or by an autoscaler."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": owner.namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [owner.reference()],
        },
        "spec": {
            "selector": {"matchLabels": owner.revision_selector(labels["sentinel.dev/revision"])},
            # The template never changes: this only matters for the repair of a change made by hand.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "revisionHistoryLimit": 1,
            "template": template,
        },
    }


def _containers(spec: SentryModelSpec, config: SentinelConfigSpec, *, config_map: str, follows: str) -> Manifest:
    volumes = mounted(spec, config_map=config_map, following=bool(follows))
    source = source_container(spec, volumes)
    return {
        "initContainers": [*([source] if source else []), fetch_container(spec, config, volumes, follows=follows)],
        "containers": [
            server_container(spec, config, volumes, follows=bool(follows)),
            *([follow_container(spec, config, volumes, follows=follows)] if follows else []),
        ],
        "volumes": [each.volume for each in volumes],
    }
