"""Which other objects a SentryModel names, and the field that does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sentinel_operator.api.pod import ConfigMapKeyRef
from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.core.pods import artifact
from sentinel_operator.core.pods.mentions import Contents, Mention, reference, snapshot

__all__ = ["Contents", "Mention", "claims", "config_maps", "contents", "reference", "secrets"]

_MODEL = "spec.model"


def config_maps(spec: SentryModelSpec) -> tuple[Mention, ...]:
    """Gives every key of a ConfigMap that becomes part of a revision."""
    return tuple(Mention(field, ref.name, ref.key) for field, ref in _config_maps(spec))


def secrets(spec: SentryModelSpec) -> tuple[Mention, ...]:
    """Gives every Secret that the pods need; the operator does not read them."""
    return tuple(_secrets(spec))


def claims(spec: SentryModelSpec) -> tuple[Mention, ...]:
    """Gives every PersistentVolumeClaim that the pods need."""
    return tuple(artifact.claims(spec.model, _MODEL))


def contents(spec: SentryModelSpec, *, namespace: str, found: Mapping[ObjectRef, Manifest | None]) -> Contents:
    """Takes the snapshot: what each reference means now, or which field's object is not there."""
    return snapshot(config_maps(spec), namespace=namespace, found=found)


def _config_maps(spec: SentryModelSpec) -> Iterator[tuple[str, ConfigMapKeyRef]]:
    yield from artifact.config_maps(spec.model, _MODEL)
    if spec.access is not None and spec.access.auth is not None and spec.access.auth.jwt is not None:
        yield "spec.access.auth.jwt.jwks", spec.access.auth.jwt.jwks


def _secrets(spec: SentryModelSpec) -> Iterator[Mention]:
    yield from artifact.secrets(spec.model, _MODEL)
    access = spec.access
    if access is not None and access.auth is not None and access.auth.api_keys_secret_ref is not None:
        yield Mention("spec.access.auth.apiKeysSecretRef", access.auth.api_keys_secret_ref.name)
    if access is not None and access.tls is not None:
        yield Mention("spec.access.tls.secretRef", access.tls.secret_ref.name)
