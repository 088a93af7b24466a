"""SentryModels as the benchmark makes them: valid, small, each with every child that a usual one has."""

from __future__ import annotations

from typing import Any


def a_model(index: int, *, namespace: str) -> dict[str, Any]:
    """Gives one SentryModel; two replicas, so that a disruption budget is made as well."""
    return {
        "apiVersion": "sentinel.dev/v1alpha1",
        "kind": "SentryModel",
        "metadata": {"name": f"model-{index:05d}", "namespace": namespace},
        "spec": {
            "model": {
                "version": "1.0.0",
                "digest": "sha256:" + f"{index:064x}",
                "source": {"objectStore": {"uri": f"s3://models/m{index}/1.0.0/", "endpoint": "http://store:8333"}},
            },
            "schema": {
                "task": "TabularClassification",
                "features": [{"name": f"f{i}"} for i in range(6)],
                "labels": ["a", "b", "c"],
            },
            "replicas": 2,
        },
    }


CHILDREN: tuple[tuple[str, str], ...] = (
    ("apps/v1", "deployments"),
    ("v1", "services"),
    ("v1", "configmaps"),
    ("v1", "serviceaccounts"),
    ("networking.k8s.io/v1", "networkpolicies"),
    ("policy/v1", "poddisruptionbudgets"),
)
"""What each of them must have before it counts as reconciled: one of each."""
