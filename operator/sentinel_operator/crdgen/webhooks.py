"""The static configuration of the validating webhook: our kinds alone, and nothing of ours gets in unseen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sentinel_operator.api.kinds import Kind
from sentinel_operator.config import Settings
from sentinel_operator.crdgen.definition import LABELS
from sentinel_operator.hooks.admission import path_of

_TIMEOUT_SECONDS = 10


def webhook_configuration(kinds: Sequence[Kind], settings: Settings) -> dict[str, Any]:
    """Gives the configuration. Its caBundle is the operator's to fill in, or cert-manager's."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": settings.webhook_configuration, "labels": dict(LABELS)},
        "webhooks": [_webhook(kind, settings) for kind in kinds],
    }


def _webhook(kind: Kind, settings: Settings) -> dict[str, Any]:
    return {
        "name": f"{kind.plural}.{kind.group}",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {
            "service": {
                "name": settings.webhook_service,
                "namespace": settings.namespace,
                "path": path_of(kind),
                "port": 443,
            }
        },
        "rules": [
            {
                "apiGroups": [kind.group],
                "apiVersions": [kind.version],
                "operations": ["CREATE", "UPDATE"],
                "resources": [kind.plural],
                "scope": "Namespaced" if kind.namespaced else "Cluster",
            }
        ],
        # A change of labels or annotations alone needs no verdict, and must work while the operator is down.
        "matchConditions": [
            {"name": "spec-changed", "expression": "oldObject == null || object.spec != oldObject.spec"},
            {"name": "not-being-deleted", "expression": "!has(object.metadata.deletionTimestamp)"},
        ],
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "sideEffects": "None",
        "timeoutSeconds": _TIMEOUT_SECONDS,
    }
