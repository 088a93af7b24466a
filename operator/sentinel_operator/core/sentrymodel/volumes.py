"""What the containers of a model's pod find on disk, and which of them may write there."""

from __future__ import annotations

from collections.abc import Iterator

from sentinel_operator.api.active import SERVICE_ACCOUNT_DIR
from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.api.serving import CACHE_DIR, CONFIG_DIR, MODEL_DIR
from sentinel_operator.core.pods.bring import authority_volumes, cache_volumes, copy_volume, source_volumes
from sentinel_operator.core.pods.volumes import READABLE, Mounted, empty, extra, secret
from sentinel_operator.core.sentrymodel.config import API_KEYS_DIR, PLACE, TLS_DIR

FETCH, FOLLOW, SERVER, SOURCE = PLACE.fetch, "follow", "server", PLACE.source
"""Names of the containers; `source` exists for artifacts that are baked into an image, `follow` where running pods are
told what to serve: it sees what `fetch` sees."""
RESERVED = frozenset({"config", "model", "tmp", "source", "cache", "api-keys", "tls", "token"})
RESERVED_PATHS = (
    *(CONFIG_DIR, MODEL_DIR, PLACE.source_dir, CACHE_DIR, "/etc/sentinel-secrets", "/tmp"),  # noqa: S108
    "/var/run/secrets",
)
_TMP_LIMIT = "1Gi"
_COPIES_FOLLOWING = 4
"""The one that serves, the one that comes, the part of it, and one that is about to be removed."""


_TOKEN = Mounted(
    "token",
    {
        "projected": {
            "defaultMode": READABLE,
            "sources": [
                {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {
                    "downwardAPI": {
                        "items": [
                            {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
                        ]
                    }
                },
            ],
        }
    },
    SERVICE_ACCOUNT_DIR,
    readers=(FETCH,),
)
"""The server gets none: it has no business with the API server."""


def mounted(spec: SentryModelSpec, *, config_map: str, following: bool = False) -> tuple[Mounted, ...]:
    """Gives every volume of the pod, in one order always."""
    model = spec.model
    copies = {"copies": _COPIES_FOLLOWING} if following else {}
    return (
        Mounted("config", {"configMap": {"name": config_map}}, CONFIG_DIR, readers=(FETCH, SERVER)),
        copy_volume(model, PLACE, reader=SERVER, **copies),
        Mounted("tmp", empty(_TMP_LIMIT), "/tmp", writers=(FETCH, SERVER)),  # noqa: S108
        *source_volumes(model, PLACE),
        *cache_volumes(model, PLACE),
        *authority_volumes(model, PLACE),
        *_access(spec),
        *([_TOKEN] if following else []),
        *extra(spec.pod, seen_by=(FETCH, SERVER)),
    )


def _access(spec: SentryModelSpec) -> Iterator[Mounted]:
    access = spec.access
    if access is not None and access.auth is not None and access.auth.api_keys_secret_ref is not None:
        yield Mounted("api-keys", secret(access.auth.api_keys_secret_ref.name), API_KEYS_DIR, readers=(SERVER,))
    if access is not None and access.tls is not None:
        yield Mounted("tls", secret(access.tls.secret_ref.name), TLS_DIR, readers=(SERVER,))
