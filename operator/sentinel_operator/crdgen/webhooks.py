"""The static configurations of the webhooks: our kinds alone, and nothing of ours gets in unseen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sentinel_operator.api.kinds import Kind
from sentinel_operator.config import Settings
from sentinel_operator.core.admission.stamping import annotations_of
from sentinel_operator.crdgen.definition import LABELS
from sentinel_operator.hooks.admission import path_of, stamping_path_of

_TIMEOUT_SECONDS = 10


def webhook_configuration(kinds: Sequence[Kind], settings: Settings) -> dict[str, Any]:
    """Gives the one that validates. Its caBundle is the operator's to fill in, or cert-manager's."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": settings.webhook_configuration, "labels": dict(LABELS)},
        "webhooks": [_validating(kind, settings) for kind in kinds],
    }


def mutating_configuration(kinds: Sequence[Kind], settings: Settings) -> dict[str, Any]:
    """Gives the one by which it is written on objects who created them."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": settings.webhook_configuration, "labels": dict(LABELS)},
        "webhooks": [_stamping(kind, settings) for kind in kinds if annotations_of(kind)],
    }


def _validating(kind: Kind, settings: Settings) -> dict[str, Any]:
    changed = "oldObject == null || object.spec != oldObject.spec"
    if kind.approvable:
        changed = f"{changed} || {_stamp_changed(kind)}"
    return {
        **_webhook(kind, settings, path=path_of(kind)),
        # A change of labels or annotations alone needs no verdict, and must work while the operator is down.
        "matchConditions": [
            {"name": "spec-changed", "expression": changed},
            {"name": "not-being-deleted", "expression": "!has(object.metadata.deletionTimestamp)"},
        ],
    }


def _stamping(kind: Kind, settings: Settings) -> dict[str, Any]:
    """Asked at every creation, and at an update that would change an annotation, or that may be an approval: anything
    else works while the operator is down."""
    changed = f"oldObject == null || {_stamp_changed(kind)}"
    if kind.approvable:
        changed = f"{changed} || object.spec != oldObject.spec"
    return {
        **_webhook(kind, settings, path=stamping_path_of(kind)),
        "matchConditions": [{"name": "requester-changed", "expression": changed}],
        # Should another webhook change the object after it, it is asked once more.
        "reinvocationPolicy": "IfNeeded",
    }


def _stamp_changed(kind: Kind) -> str:
    told = (
        [
            f"(has({each}.metadata.annotations) && '{name}' in {each}.metadata.annotations "
            f"? {each}.metadata.annotations['{name}'] : '')"
            for each in ("object", "oldObject")
        ]
        for name in annotations_of(kind)
    )
    return " || ".join(f"{now} != {before}" for now, before in told)


def _webhook(kind: Kind, settings: Settings, *, path: str) -> dict[str, Any]:
    return {
        "name": f"{kind.plural}.{kind.group}",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {
            "service": {
                "name": settings.webhook_service,
                "namespace": settings.namespace,
                "path": path,
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
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "sideEffects": "None",
        "timeoutSeconds": _TIMEOUT_SECONDS,
    }
