"""Who decides how many pods there are, and how many of them may be missing at once."""

from __future__ import annotations

from typing import assert_never

from sentinel_operator.api.sentrymodel import Metric, SentryModelSpec
from sentinel_operator.core.names import REVISION, Owner
from sentinel_operator.core.plan import Manifest

IN_FLIGHT_METRIC = "sentinel_model_server_in_flight"
PER_SECOND_METRIC = "sentinel_model_server_requests_per_second"
"""The rate of the server's `sentinel_model_server_requests_total`, under the name that metrics adapters give it."""


def desired_autoscaler(spec: SentryModelSpec, *, owner: Owner, target: str) -> Manifest | None:
    """Gives the HorizontalPodAutoscaler of the Deployment that serves; pods of other revisions do not feed it."""
    autoscaling = spec.autoscaling
    if autoscaling is None:
        return None
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": _metadata(spec, owner, component="autoscaler"),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
            "minReplicas": autoscaling.min,
            "maxReplicas": autoscaling.max,
            "metrics": [_metric(metric) for metric in autoscaling.metrics],
            **({"behavior": autoscaling.behavior} if autoscaling.behavior else {}),
        },
    }


def desired_budget(spec: SentryModelSpec, *, owner: Owner, wanted: int, failed: str = "") -> Manifest | None:
    """Gives the PodDisruptionBudget from two replicas on; at one it would block every drain.

    The pods of a failed revision do not count: they would keep the pods that serve from ever being moved.
    """
    if wanted < 2:
        return None
    disruption = spec.disruption
    if disruption is not None and disruption.min_available is not None:
        bound = {"minAvailable": disruption.min_available}
    elif disruption is not None and disruption.max_unavailable is not None:
        bound = {"maxUnavailable": disruption.max_unavailable}
    else:
        bound = {"maxUnavailable": 1}
    selector: Manifest = {"matchLabels": owner.selector}
    if failed:
        selector["matchExpressions"] = [{"key": REVISION, "operator": "NotIn", "values": [failed]}]
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(spec, owner, component="disruption"),
        "spec": {"selector": selector, "unhealthyPodEvictionPolicy": "AlwaysAllow", **bound},
    }


def _metric(metric: Metric) -> Manifest:
    match metric.type:
        case "CPU" | "Memory":
            target = {"type": "Utilization", "averageUtilization": metric.target}
            return {"type": "Resource", "resource": {"name": metric.type.lower(), "target": target}}
        case "RequestsInFlight":
            return _pods_metric(IN_FLIGHT_METRIC, metric.target)
        case "RequestsPerSecond":
            return _pods_metric(PER_SECOND_METRIC, metric.target)
        case _:
            assert_never(metric.type)


def _pods_metric(name: str, target: int) -> Manifest:
    average = {"type": "AverageValue", "averageValue": str(target)}
    return {"type": "Pods", "pods": {"metric": {"name": name}, "target": average}}


def _metadata(spec: SentryModelSpec, owner: Owner, *, component: str) -> Manifest:
    return {
        "name": owner.name,
        "namespace": owner.namespace,
        "labels": owner.labels(component, extra=spec.labels),
        "ownerReferences": [owner.reference()],
    }
