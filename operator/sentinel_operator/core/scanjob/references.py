"""Which other objects a ScanJob names, and the field that does."""

from __future__ import annotations

from collections.abc import Iterator

from sentinel_operator.api.scanjob import ScanJobSpec
from sentinel_operator.core.pods import artifact
from sentinel_operator.core.pods.mentions import Mention
from sentinel_operator.core.scanjob.config import artifacts
from sentinel_operator.core.scanjob.stores import stores


def config_maps(spec: ScanJobSpec) -> tuple[Mention, ...]:
    """Gives every key of a ConfigMap that is copied for the pods."""
    return tuple(_config_maps(spec))


def secrets(spec: ScanJobSpec) -> tuple[Mention, ...]:
    """Gives every Secret that the pods need; the operator does not read them."""
    return tuple(_secrets(spec))


def claims(spec: ScanJobSpec) -> tuple[Mention, ...]:
    """Gives every PersistentVolumeClaim that the pods need."""
    return tuple(mention for model, place in artifacts(spec) for mention in artifact.claims(model, place.field))


def _config_maps(spec: ScanJobSpec) -> Iterator[Mention]:
    for named in stores(spec):
        if named.store.ca_bundle is not None:
            ref = named.store.ca_bundle.config_map_ref
            yield Mention(f"{named.field}.caBundle.configMapRef", ref.name, ref.key)
    keyless = spec.signing.keyless if spec.signing is not None else None
    if keyless is not None and keyless.trust_config is not None:
        yield Mention("spec.signing.keyless.trustConfig", keyless.trust_config.name, keyless.trust_config.key)
    for model, place in artifacts(spec):
        yield from (Mention(field, ref.name, ref.key) for field, ref in artifact.config_maps(model, place.field))


def _secrets(spec: ScanJobSpec) -> Iterator[Mention]:
    for named in stores(spec):
        if named.store.credentials_secret_ref is not None:
            yield Mention(f"{named.field}.credentialsSecretRef", named.store.credentials_secret_ref.name)
    key = spec.signing.key if spec.signing is not None else None
    if key is not None:
        yield Mention("spec.signing.key.secretRef", key.secret_ref.name, key.secret_ref.key)
    for model, place in artifacts(spec):
        yield from artifact.secrets(model, place.field)
