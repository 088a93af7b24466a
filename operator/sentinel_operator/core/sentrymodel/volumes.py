"""What the containers of a model's pod find on disk, and which of them may write there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sentinel_operator.api.active import SERVICE_ACCOUNT_DIR
from sentinel_operator.api.fields import quantity
from sentinel_operator.api.pod import SecretKeyRef
from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.api.serving import CACHE_DIR, CONFIG_DIR, MODEL_DIR
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.sentrymodel.config import API_KEYS_DIR, SOURCE_DIR, TLS_DIR, authority_dir

FETCH, FOLLOW, SERVER, SOURCE = "fetch", "follow", "server", "source"
"""Names of the containers; `source` exists for artifacts that are baked into an image, `follow` where running pods are
told what to serve: it sees what `fetch` sees."""
RESERVED = frozenset({"config", "model", "tmp", "source", "cache", "api-keys", "tls", "token"})
RESERVED_PATHS = (
    *(CONFIG_DIR, MODEL_DIR, SOURCE_DIR, CACHE_DIR, "/etc/sentinel-secrets", "/tmp"),  # noqa: S108
    "/var/run/secrets",
)
_READABLE = 0o444  # the Secret's files belong to root; the pod's user only reads them
_TMP_LIMIT = "1Gi"
_SLACK = 64 * 1024**2
_COPIES = 2
"""Of the largest artifact: fetch may hold a part of it beside the copy; it refuses a larger one itself."""
_COPIES_FOLLOWING = 4
"""The one that serves, the one that comes, the part of it, and one that is about to be removed."""


@dataclass(frozen=True, slots=True)
class Mounted:
    """A volume, where it is seen, by which containers, and which of them may write."""

    name: str
    source: Manifest
    path: str
    readers: tuple[str, ...] = ()
    writers: tuple[str, ...] = ()

    @property
    def volume(self) -> Manifest:
        """Gives the pod's entry."""
        return {"name": self.name, **self.source}

    def mount(self, container: str) -> Manifest | None:
        """Gives the container's entry, if it sees the volume."""
        like = FETCH if container == FOLLOW else container
        if like in self.writers:
            return {"name": self.name, "mountPath": self.path}
        return {"name": self.name, "mountPath": self.path, "readOnly": True} if like in self.readers else None


_TOKEN = Mounted(
    "token",
    {
        "projected": {
            "defaultMode": _READABLE,
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
    limit = int(quantity(spec.model.max_bytes))
    copies = _COPIES_FOLLOWING if following else _COPIES
    return (
        Mounted("config", {"configMap": {"name": config_map}}, CONFIG_DIR, readers=(FETCH, SERVER)),
        Mounted("model", _empty(str(copies * limit + _SLACK)), MODEL_DIR, readers=(SERVER,), writers=(FETCH,)),
        Mounted("tmp", _empty(_TMP_LIMIT), "/tmp", writers=(FETCH, SERVER)),  # noqa: S108
        *_source(spec, limit),
        *_cache(spec),
        *_authorities(spec),
        *_access(spec),
        *([_TOKEN] if following else []),
        *_extra(spec),
    )


def _empty(size_limit: str) -> Manifest:
    return {"emptyDir": {"sizeLimit": size_limit}}


def _secret(name: str) -> Manifest:
    return {"secret": {"secretName": name, "defaultMode": _READABLE}}


def _secret_file(ref: SecretKeyRef, path: str) -> Manifest:
    source = _secret(ref.name)
    source["secret"]["items"] = [{"key": ref.key, "path": path}]
    return source


def _source(spec: SentryModelSpec, limit: int) -> Iterator[Mounted]:
    source = spec.model.source
    if source.pvc is not None:
        claim = {"persistentVolumeClaim": {"claimName": source.pvc.claim_name, "readOnly": True}}
        yield Mounted(SOURCE, claim, SOURCE_DIR, readers=(FETCH,))
    if source.image is not None:
        yield Mounted(SOURCE, _empty(str(limit + _SLACK)), SOURCE_DIR, readers=(FETCH,), writers=(SOURCE,))


def _cache(spec: SentryModelSpec) -> Iterator[Mounted]:
    cache = spec.model.cache
    if cache is not None and cache.type == "Pvc":
        yield Mounted("cache", {"persistentVolumeClaim": {"claimName": cache.claim_name}}, CACHE_DIR, writers=(FETCH,))
    if cache is not None and cache.type == "NodePath":
        yield Mounted(
            "cache", {"hostPath": {"path": cache.path, "type": "DirectoryOrCreate"}}, CACHE_DIR, writers=(FETCH,)
        )


def _authorities(spec: SentryModelSpec) -> Iterator[Mounted]:
    for index, authority in enumerate(spec.model.verify.authorities if spec.model.verify else ()):
        ref = (authority.key and authority.key.secret_ref) or (
            authority.certificate and authority.certificate.secret_ref
        )
        if ref:
            source = _secret_file(ref, "authority.pem")
            yield Mounted(f"authority-{index}", source, authority_dir(index), readers=(FETCH,))


def _access(spec: SentryModelSpec) -> Iterator[Mounted]:
    access = spec.access
    if access is not None and access.auth is not None and access.auth.api_keys_secret_ref is not None:
        yield Mounted("api-keys", _secret(access.auth.api_keys_secret_ref.name), API_KEYS_DIR, readers=(SERVER,))
    if access is not None and access.tls is not None:
        yield Mounted("tls", _secret(access.tls.secret_ref.name), TLS_DIR, readers=(SERVER,))


def _extra(spec: SentryModelSpec) -> Iterator[Mounted]:
    for volume in spec.pod.volumes or ():
        seen = (FETCH, SERVER)
        yield Mounted(
            volume.name,
            volume.source,
            volume.mount_path,
            readers=seen if volume.read_only else (),
            writers=() if volume.read_only else seen,
        )
