"""What the containers of a ScanJob's pods find on disk, and which of them may write there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from sentinel_operator.api.scanjob import ScanJobSpec
from sentinel_operator.api.scanning import CLASSIFIER_DIR, EMBEDDING_DIR, SIGNING_DIR, TOKEN_FILE
from sentinel_operator.api.serving import CONFIG_DIR, SECRETS_DIR
from sentinel_operator.core.pods.bring import authority_volumes, cache_volumes, copy_volume, source_volumes
from sentinel_operator.core.pods.volumes import READABLE, Mounted, empty, extra, secret, secret_file
from sentinel_operator.core.scanjob.config import CLASSIFIER, EMBEDDING, KEY_FILE, artifacts
from sentinel_operator.core.scanjob.stores import stores

Step = Literal["plan", "shard", "report"]
"""What a pod does; the argument of its command."""
SCAN = "scan"
"""Name of the container that does it."""
_TOKEN_DIR, _TOKEN_NAME = TOKEN_FILE.rsplit("/", 1)
_TOKEN_SECONDS = 600
"""The least that there may be; the kubelet renews it."""
_TMP_LIMIT = "10Gi"
_PLACES = (EMBEDDING, CLASSIFIER)
RESERVED_PATHS = (
    *(CONFIG_DIR, SECRETS_DIR, SIGNING_DIR, EMBEDDING_DIR, CLASSIFIER_DIR, "/tmp"),  # noqa: S108
    *(place.source_dir for place in _PLACES),
    *(place.cache_dir for place in _PLACES),
    "/var/run/secrets",
)
RESERVED = frozenset(
    {"config", "tmp", "signing", "token"}
    | {f"credentials-{name}" for name in ("source", "provenance", "cache", "quarantine", "output")}
    | {name for place in _PLACES for name in (place.source, place.volume, f"cache{place.suffix}")}
)


def mounted(spec: ScanJobSpec, step: Step, *, config_map: str) -> tuple[Mounted, ...]:
    """Gives every volume of a pod, in one order always. The signer's key is where the report is made, and nowhere
    else."""
    models = list(artifacts(spec)) if step == "shard" else []
    fetches = tuple(place.fetch for _, place in models)
    return (
        Mounted("config", {"configMap": {"name": config_map}}, CONFIG_DIR, readers=(*fetches, SCAN)),
        Mounted("tmp", empty(_TMP_LIMIT), "/tmp", writers=(*fetches, SCAN)),  # noqa: S108
        *_credentials(spec),
        *(_signing(spec) if step == "report" else ()),
        *(
            volume
            for model, place in models
            for volume in (
                copy_volume(model, place, reader=SCAN),
                *source_volumes(model, place),
                *cache_volumes(model, place),
                *authority_volumes(model, place),
            )
        ),
        *extra(spec.pod, seen_by=(*fetches, SCAN)),
    )


def _credentials(spec: ScanJobSpec) -> Iterator[Mounted]:
    for named in stores(spec):
        if named.store.credentials_secret_ref is not None:
            source = secret(named.store.credentials_secret_ref.name)
            yield Mounted(named.volume, source, named.credentials_dir, readers=(SCAN,))


def _signing(spec: ScanJobSpec) -> Iterator[Mounted]:
    signing = spec.signing
    if signing is not None and signing.key is not None:
        yield Mounted("signing", secret_file(signing.key.secret_ref, KEY_FILE), SIGNING_DIR, readers=(SCAN,))
    if signing is not None and signing.keyless is not None:
        token = {"path": _TOKEN_NAME, "audience": "sigstore", "expirationSeconds": _TOKEN_SECONDS}
        projected = {"projected": {"defaultMode": READABLE, "sources": [{"serviceAccountToken": token}]}}
        yield Mounted("token", projected, _TOKEN_DIR, readers=(SCAN,))
