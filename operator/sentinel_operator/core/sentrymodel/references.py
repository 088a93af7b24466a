"""Which other objects a spec names, and the field that does: for snapshots, for messages, never to read a Secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sentinel_operator.api.pod import ConfigMapKeyRef
from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.core.plan import Manifest, ObjectRef

VERIFY = "spec.model.verify.authorities"
SOURCE = "spec.model.source"


@dataclass(frozen=True, slots=True)
class Mention:
    """An object of the model's namespace, and the field that names it; `key` is empty where the whole is meant."""

    field: str
    name: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Contents:
    """What the referenced ConfigMaps hold at this moment, by name and key; `missing` says what is not there."""

    texts: Mapping[tuple[str, str], str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    def text(self, ref: ConfigMapKeyRef) -> str:
        """Gives the content that a reference means; only for references that are not missing."""
        return self.texts[ref.name, ref.key]


def config_maps(spec: SentryModelSpec) -> tuple[Mention, ...]:
    """Gives every key of a ConfigMap that becomes part of a revision."""
    return tuple(Mention(field, ref.name, ref.key) for field, ref in _config_maps(spec))


def secrets(spec: SentryModelSpec) -> tuple[Mention, ...]:
    """Gives every Secret that the pods need; the operator does not read them."""
    return tuple(_secrets(spec))


def claims(spec: SentryModelSpec) -> tuple[Mention, ...]:
    """Gives every PersistentVolumeClaim that the pods need."""
    return tuple(_claims(spec))


def reference(namespace: str, name: str) -> ObjectRef:
    """Names a ConfigMap for the engine."""
    return ObjectRef("v1", "ConfigMap", namespace, name)


def contents(spec: SentryModelSpec, *, namespace: str, found: Mapping[ObjectRef, Manifest | None]) -> Contents:
    """Takes the snapshot: what each reference means now, or which field's object is not there."""
    texts: dict[tuple[str, str], str] = {}
    missing: list[str] = []
    for mention in config_maps(spec):
        config_map = found.get(reference(namespace, mention.name))
        if config_map is None:
            missing.append(f"{mention.field}: ConfigMap {namespace}/{mention.name} does not exist")
        elif mention.key not in (data := config_map.get("data") or {}):
            missing.append(f"{mention.field}: ConfigMap {namespace}/{mention.name} has no key {mention.key!r}")
        else:
            texts[mention.name, mention.key] = data[mention.key]
    return Contents(texts, tuple(missing))


def _config_maps(spec: SentryModelSpec) -> Iterator[tuple[str, ConfigMapKeyRef]]:
    source = spec.model.source
    if source.object_store is not None and source.object_store.ca_bundle is not None:
        yield f"{SOURCE}.objectStore.caBundle.configMapRef", source.object_store.ca_bundle.config_map_ref
    if source.https is not None and source.https.ca_bundle is not None:
        yield f"{SOURCE}.https.caBundle", source.https.ca_bundle
    for index, authority in enumerate(spec.model.verify.authorities if spec.model.verify else ()):
        if authority.keyless is not None:
            yield f"{VERIFY}[{index}].keyless.trustRoot", authority.keyless.trust_root
    if spec.access is not None and spec.access.auth is not None and spec.access.auth.jwt is not None:
        yield "spec.access.auth.jwt.jwks", spec.access.auth.jwt.jwks


def _secrets(spec: SentryModelSpec) -> Iterator[Mention]:
    store = spec.model.source.object_store
    if store is not None and store.credentials_secret_ref is not None:
        yield Mention(f"{SOURCE}.objectStore.credentialsSecretRef", store.credentials_secret_ref.name)
    for index, authority in enumerate(spec.model.verify.authorities if spec.model.verify else ()):
        if authority.key is not None and authority.key.secret_ref is not None:
            ref = authority.key.secret_ref
            yield Mention(f"{VERIFY}[{index}].key.secretRef", ref.name, ref.key)
        if authority.certificate is not None and authority.certificate.secret_ref is not None:
            ref = authority.certificate.secret_ref
            yield Mention(f"{VERIFY}[{index}].certificate.secretRef", ref.name, ref.key)
    access = spec.access
    if access is not None and access.auth is not None and access.auth.api_keys_secret_ref is not None:
        yield Mention("spec.access.auth.apiKeysSecretRef", access.auth.api_keys_secret_ref.name)
    if access is not None and access.tls is not None:
        yield Mention("spec.access.tls.secretRef", access.tls.secret_ref.name)


def _claims(spec: SentryModelSpec) -> Iterator[Mention]:
    if spec.model.source.pvc is not None:
        yield Mention(f"{SOURCE}.pvc.claimName", spec.model.source.pvc.claim_name)
    if spec.model.cache is not None and spec.model.cache.claim_name is not None:
        yield Mention("spec.model.cache.claimName", spec.model.cache.claim_name)
