"""The data of a revision's ConfigMap: the files that its pods read, complete in themselves."""

from __future__ import annotations

from urllib.parse import quote

from sentinel_operator.api import serving
from sentinel_operator.api.artifact import Authority
from sentinel_operator.api.base import Model
from sentinel_operator.api.fields import quantity, seconds
from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.api.serving import CACHE_DIR, CONFIG_DIR, FETCH_FILE, SECRETS_DIR, SERVING_FILE
from sentinel_operator.core.hashing import canonical_json
from sentinel_operator.core.names import Owner
from sentinel_operator.core.sentrymodel.references import Contents

SOURCE_DIR = "/var/run/sentinel/source"
"""Where a claim is mounted, or an image's container leaves its copy."""
CA_FILE = "ca-bundle.pem"
JWKS_FILE = "jwks.json"
API_KEYS_DIR = f"{SECRETS_DIR}/api-keys"
TLS_DIR = f"{SECRETS_DIR}/tls"
_LEFT_FOR_EXIT = 5.0


def authority_dir(index: int) -> str:
    """Names where the Secret of an authority is mounted."""
    return f"{SECRETS_DIR}/authority-{index}"


def config_data(spec: SentryModelSpec, *, owner: Owner, revision: str, contents: Contents) -> dict[str, str]:
    """Gives every file; the same spec and contents give the same bytes."""
    return {
        FETCH_FILE: _text(fetch_config(spec)),
        SERVING_FILE: _text(serving_config(spec, owner=owner, revision=revision)),
        **_trust(spec, contents),
    }


def fetch_config(spec: SentryModelSpec) -> serving.FetchConfig:
    """Gives `fetch.json`."""
    model, verify, cache = spec.model, spec.model.verify, spec.model.cache
    cached = cache is not None and cache.type != "None"
    return serving.FetchConfig(
        uri=_uri(spec),
        digest=model.digest or "",
        max_bytes=int(quantity(model.max_bytes)),
        object_store=_store_access(spec),
        verify=verify.mode if verify else "None",
        authorities=tuple(_authority(i, each) for i, each in enumerate(verify.authorities if verify else ())),
        cache_dir=CACHE_DIR if cached else "",
        cache_max_bytes=int(quantity(cache.max_bytes)) if cache is not None and cached else 0,
    )


def serving_config(spec: SentryModelSpec, *, owner: Owner, revision: str) -> serving.ServingConfig:
    """Gives `serving.json`."""
    schema, runtime = spec.schema_, spec.runtime
    grace = seconds(spec.pod.termination_grace_period)
    return serving.ServingConfig(
        name=owner.name,
        namespace=owner.namespace,
        revision=revision,
        version=spec.model.version,
        model_digest=spec.model.digest or "",
        task=schema.task,
        features=tuple(schema.features or ()),
        labels=tuple(schema.labels or ()),
        tokenizer=schema.tokenizer,
        max_tokens=schema.max_tokens,
        threshold=schema.threshold,
        label_policies=schema.label_policies or {},
        threads=runtime.threads,
        batching=serving.Batching(
            max_size=runtime.batching.max_size, max_delay_ms=seconds(runtime.batching.max_delay) * 1000
        ),
        warmup=tuple(runtime.warmup or ()),
        limits=serving.Limits(drain_seconds=max(0.0, min(serving.Limits().drain_seconds, grace - _LEFT_FOR_EXIT))),
        access=_access(spec),
    )


def _uri(spec: SentryModelSpec) -> str:
    source = spec.model.source
    match source.type:
        case "ObjectStore":
            return source.object_store.uri if source.object_store else ""
        case "Https":
            return source.https.url if source.https else ""
        case "Pvc":
            return _file(source.pvc.path) if source.pvc else ""
        case "Image":
            return _file(source.image.path.rstrip("/").rpartition("/")[2]) if source.image else ""


def _file(path: str) -> str:
    return "file://" + quote(f"{SOURCE_DIR}/{path}")


def _store_access(spec: SentryModelSpec) -> serving.ObjectStoreAccess:
    store, https = spec.model.source.object_store, spec.model.source.https
    trusted = f"{CONFIG_DIR}/{CA_FILE}"
    if store is not None:
        return serving.ObjectStoreAccess(
            endpoint=store.endpoint.rstrip("/"), region=store.region, ca_file=trusted if store.ca_bundle else ""
        )
    return serving.ObjectStoreAccess(ca_file=trusted if https is not None and https.ca_bundle is not None else "")


def _authority(index: int, authority: Authority) -> serving.Authority:
    if authority.key is not None:
        return serving.KeyAuthority(
            name=authority.name, public_key_file=_pem_file(index, secret=authority.key.secret_ref is not None)
        )
    if authority.certificate is not None:
        return serving.CertificateAuthority(
            name=authority.name, chain_file=_pem_file(index, secret=authority.certificate.secret_ref is not None)
        )
    return serving.KeylessAuthority(
        name=authority.name,
        trust_root_file=f"{CONFIG_DIR}/trust-root-{index}.json",
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


def _pem_file(index: int, *, secret: bool) -> str:
    return f"{authority_dir(index)}/authority.pem" if secret else f"{CONFIG_DIR}/authority-{index}.pem"


def _access(spec: SentryModelSpec) -> serving.AccessConfig:
    access = spec.access
    if access is None:
        return serving.AccessConfig()
    auth, limit = access.auth, access.rate_limit
    jwt = auth.jwt if auth is not None else None
    return serving.AccessConfig(
        api_keys_dir=API_KEYS_DIR if auth is not None and auth.api_keys_secret_ref is not None else "",
        jwt=serving.JwtAccess(issuer=jwt.issuer, audience=jwt.audience, jwks_file=f"{CONFIG_DIR}/{JWKS_FILE}")
        if jwt is not None
        else None,
        requests_per_second=limit.requests_per_second if limit else 0.0,
        burst=limit.burst if limit else serving.AccessConfig().burst,
        tls_dir=TLS_DIR if access.tls else "",
    )


def _trust(spec: SentryModelSpec, contents: Contents) -> dict[str, str]:
    files: dict[str, str] = {}
    for index, authority in enumerate(spec.model.verify.authorities if spec.model.verify else ()):
        pem = (authority.key and authority.key.pem) or (authority.certificate and authority.certificate.pem)
        if pem:
            files[f"authority-{index}.pem"] = pem
        if authority.keyless is not None:
            files[f"trust-root-{index}.json"] = contents.text(authority.keyless.trust_root)
    store, https = spec.model.source.object_store, spec.model.source.https
    if store is not None and store.ca_bundle is not None:
        files[CA_FILE] = contents.text(store.ca_bundle.config_map_ref)
    if https is not None and https.ca_bundle is not None:
        files[CA_FILE] = contents.text(https.ca_bundle)
    if spec.access is not None and spec.access.auth is not None and spec.access.auth.jwt is not None:
        files[JWKS_FILE] = contents.text(spec.access.auth.jwt.jwks)
    return files


def _text(config: Model) -> str:
    return canonical_json(config.model_dump(mode="json", by_alias=True)).decode()
