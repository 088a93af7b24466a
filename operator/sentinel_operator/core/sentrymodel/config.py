"""The data of a revision's ConfigMap: the files that its pods read, complete in themselves."""

from __future__ import annotations

from sentinel_operator.api import serving
from sentinel_operator.api.base import Model
from sentinel_operator.api.fields import seconds
from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.api.serving import CONFIG_DIR, SECRETS_DIR, SERVING_FILE
from sentinel_operator.core.hashing import canonical_json
from sentinel_operator.core.names import Owner
from sentinel_operator.core.pods.artifact import fetch_config, trust_files
from sentinel_operator.core.pods.mentions import Contents
from sentinel_operator.core.pods.place import Place

PLACE = Place()
"""A model's pod has one artifact."""
JWKS_FILE = "jwks.json"
API_KEYS_DIR = f"{SECRETS_DIR}/api-keys"
TLS_DIR = f"{SECRETS_DIR}/tls"
_LEFT_FOR_EXIT = 5.0


def config_data(spec: SentryModelSpec, *, owner: Owner, revision: str, contents: Contents) -> dict[str, str]:
    """Gives every file; the same spec and contents give the same bytes."""
    return {
        PLACE.config_file: _text(fetch_config(spec.model, PLACE)),
        SERVING_FILE: _text(serving_config(spec, owner=owner, revision=revision)),
        **_trust(spec, contents),
    }


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
    files = trust_files(spec.model, PLACE, contents)
    if spec.access is not None and spec.access.auth is not None and spec.access.auth.jwt is not None:
        files[JWKS_FILE] = contents.text(spec.access.auth.jwt.jwks)
    return files


def _text(config: Model) -> str:
    return canonical_json(config.model_dump(mode="json", by_alias=True)).decode()
