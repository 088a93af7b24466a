"""An artifact that a pod is given before it begins: the files that say what to bring, and what a spec names for it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from sentinel_operator.api import serving
from sentinel_operator.api.artifact import Authority, ModelArtifact
from sentinel_operator.api.fields import quantity
from sentinel_operator.api.pod import ConfigMapKeyRef
from sentinel_operator.api.serving import CONFIG_DIR
from sentinel_operator.core.pods.mentions import Contents, Mention
from sentinel_operator.core.pods.place import Place


def fetch_config(model: ModelArtifact, place: Place) -> serving.FetchConfig:
    """Gives the file that says what to bring, what it must be, and who must have signed it."""
    verify, cache = model.verify, model.cache
    cached = cache is not None and cache.type != "None"
    return serving.FetchConfig(
        uri=_uri(model, place),
        digest=model.digest or "",
        max_bytes=int(quantity(model.max_bytes)),
        object_store=_store_access(model, place),
        verify=verify.mode if verify else "None",
        authorities=tuple(_authority(i, each, place) for i, each in enumerate(verify.authorities if verify else ())),
        cache_dir=place.cache_dir if cached else "",
        cache_max_bytes=int(quantity(cache.max_bytes)) if cache is not None and cached else 0,
    )


def trust_files(model: ModelArtifact, place: Place, contents: Contents) -> dict[str, str]:
    """Gives the files beside it: what signatures and stores are trusted by."""
    files: dict[str, str] = {}
    for index, authority in enumerate(model.verify.authorities if model.verify else ()):
        pem = (authority.key and authority.key.pem) or (authority.certificate and authority.certificate.pem)
        if pem:
            files[f"{place.authority(index)}.pem"] = pem
        if authority.keyless is not None:
            files[place.trust_root(index)] = contents.text(authority.keyless.trust_root)
    store, https = model.source.object_store, model.source.https
    if store is not None and store.ca_bundle is not None:
        files[place.ca_file] = contents.text(store.ca_bundle.config_map_ref)
    if https is not None and https.ca_bundle is not None:
        files[place.ca_file] = contents.text(https.ca_bundle)
    return files


def _uri(model: ModelArtifact, place: Place) -> str:
    source = model.source
    match source.type:
        case "ObjectStore":
            return source.object_store.uri if source.object_store else ""
        case "Https":
            return source.https.url if source.https else ""
        case "Pvc":
            return _file(source.pvc.path, place) if source.pvc else ""
        case "Image":
            return _file(source.image.path.rstrip("/").rpartition("/")[2], place) if source.image else ""


def _file(path: str, place: Place) -> str:
    return "file://" + quote(f"{place.source_dir}/{path}")


def _store_access(model: ModelArtifact, place: Place) -> serving.ObjectStoreAccess:
    store, https = model.source.object_store, model.source.https
    trusted = f"{CONFIG_DIR}/{place.ca_file}"
    if store is not None:
        return serving.ObjectStoreAccess(
            endpoint=store.endpoint.rstrip("/"), region=store.region, ca_file=trusted if store.ca_bundle else ""
        )
    return serving.ObjectStoreAccess(ca_file=trusted if https is not None and https.ca_bundle is not None else "")


def _authority(index: int, authority: Authority, place: Place) -> serving.Authority:
    if authority.key is not None:
        file = _pem_file(index, place, secret=authority.key.secret_ref is not None)
        return serving.KeyAuthority(name=authority.name, public_key_file=file)
    if authority.certificate is not None:
        file = _pem_file(index, place, secret=authority.certificate.secret_ref is not None)
        return serving.CertificateAuthority(name=authority.name, chain_file=file)
    return serving.KeylessAuthority(
        name=authority.name,
        trust_root_file=f"{CONFIG_DIR}/{place.trust_root(index)}",
        identities=tuple(
            serving.Identity(
                issuer=each.issuer or "",
                issuer_reg_exp=each.issuer_reg_exp or "",
                subject=each.subject or "",
                subject_reg_exp=each.subject_reg_exp or "",
            )
            for each in (authority.keyless.identities if authority.keyless else ())
        ),
    )


def _pem_file(index: int, place: Place, *, secret: bool) -> str:
    return f"{place.authority_dir(index)}/authority.pem" if secret else f"{CONFIG_DIR}/{place.authority(index)}.pem"


def config_maps(model: ModelArtifact, field: str) -> Iterator[tuple[str, ConfigMapKeyRef]]:
    """Yields every key of a ConfigMap that is copied, with the field that names it."""
    source = model.source
    if source.object_store is not None and source.object_store.ca_bundle is not None:
        yield f"{field}.source.objectStore.caBundle.configMapRef", source.object_store.ca_bundle.config_map_ref
    if source.https is not None and source.https.ca_bundle is not None:
        yield f"{field}.source.https.caBundle", source.https.ca_bundle
    for index, authority in enumerate(model.verify.authorities if model.verify else ()):
        if authority.keyless is not None:
            yield f"{field}.verify.authorities[{index}].keyless.trustRoot", authority.keyless.trust_root


def secrets(model: ModelArtifact, field: str) -> Iterator[Mention]:
    """Yields every Secret that the pod needs for it."""
    store = model.source.object_store
    if store is not None and store.credentials_secret_ref is not None:
        yield Mention(f"{field}.source.objectStore.credentialsSecretRef", store.credentials_secret_ref.name)
    for index, authority in enumerate(model.verify.authorities if model.verify else ()):
        if authority.key is not None and authority.key.secret_ref is not None:
            ref = authority.key.secret_ref
            yield Mention(f"{field}.verify.authorities[{index}].key.secretRef", ref.name, ref.key)
        if authority.certificate is not None and authority.certificate.secret_ref is not None:
            ref = authority.certificate.secret_ref
            yield Mention(f"{field}.verify.authorities[{index}].certificate.secretRef", ref.name, ref.key)


def claims(model: ModelArtifact, field: str) -> Iterator[Mention]:
    """Yields every PersistentVolumeClaim that the pod needs for it."""
    if model.source.pvc is not None:
        yield Mention(f"{field}.source.pvc.claimName", model.source.pvc.claim_name)
    if model.cache is not None and model.cache.claim_name is not None:
        yield Mention(f"{field}.cache.claimName", model.cache.claim_name)
