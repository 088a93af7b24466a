"""The containers that bring an artifact and verify the copy, and the volumes that they share with what uses it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sentinel_operator.api.artifact import ModelArtifact
from sentinel_operator.api.fields import quantity
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.pods.containers import container, credentials, merged
from sentinel_operator.core.pods.place import Place
from sentinel_operator.core.pods.trusted import everyone, required_scan
from sentinel_operator.core.pods.volumes import Mounted, empty, secret, secret_file

_SLACK = 64 * 1024**2
_COPIES = 2
"""Of the largest artifact: fetch may hold a part of it beside the copy; it refuses a larger one itself."""
FETCH_RESOURCES: Manifest = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}
_COPY = 'cp -RLf "$1" "$2" && if [ -e "$1.sig" ]; then cp -Lf "$1.sig" "$2"; fi'
"""A single file's signature lies beside it."""


def fetch_container(
    model: ModelArtifact,
    place: Place,
    mounted: tuple[Mounted, ...],
    *,
    image: str,
    env: Sequence[Manifest],
    args: Sequence[str] = (),
) -> Manifest:
    """Gives the container that brings the artifact, with the storage's credentials."""
    given = merged(credentials(model.source.object_store), list(env))
    return {
        **container(place.fetch, image, mounted, env=given),
        **({"args": list(args)} if args else {}),
        "resources": FETCH_RESOURCES,
    }


def source_container(model: ModelArtifact, place: Place, mounted: tuple[Mounted, ...]) -> Manifest | None:
    """Gives the container that copies a baked-in artifact out of its image, where there is one."""
    image = model.source.image
    if image is None:
        return None
    return {
        **container(place.source, image.reference, mounted),
        "command": ["sh", "-c", _COPY, "sh", image.path.rstrip("/"), f"{place.source_dir}/"],
        "resources": FETCH_RESOURCES,
    }


def copy_volume(model: ModelArtifact, place: Place, *, reader: str, copies: int = _COPIES) -> Mounted:
    """Gives the volume of the verified copy."""
    size = str(copies * int(quantity(model.max_bytes)) + _SLACK)
    return Mounted(place.volume, empty(size), place.folder, readers=(reader,), writers=(place.fetch,))


def source_volumes(model: ModelArtifact, place: Place) -> Iterator[Mounted]:
    """Gives the claim, or what an image's container leaves its copy in."""
    source = model.source
    if source.pvc is not None:
        claim = {"persistentVolumeClaim": {"claimName": source.pvc.claim_name, "readOnly": True}}
        yield Mounted(place.source, claim, place.source_dir, readers=(place.fetch,))
    if source.image is not None:
        room = empty(str(int(quantity(model.max_bytes)) + _SLACK))
        yield Mounted(place.source, room, place.source_dir, readers=(place.fetch,), writers=(place.source,))


def cache_volumes(model: ModelArtifact, place: Place) -> Iterator[Mounted]:
    """Gives the cache, where there is one."""
    cache, name = model.cache, f"cache{place.suffix}"
    if cache is not None and cache.type == "Pvc":
        claim = {"persistentVolumeClaim": {"claimName": cache.claim_name}}
        yield Mounted(name, claim, place.cache_dir, writers=(place.fetch,))
    if cache is not None and cache.type == "NodePath":
        path = {"hostPath": {"path": cache.path, "type": "DirectoryOrCreate"}}
        yield Mounted(name, path, place.cache_dir, writers=(place.fetch,))


def authority_volumes(model: ModelArtifact, place: Place) -> Iterator[Mounted]:
    """Gives the Secrets that hold what signatures are verified by, and the credentials of a scan's report."""
    for trusted in everyone(model, place):
        if trusted.secret_ref is not None:
            source = secret_file(trusted.secret_ref, "authority.pem")
            yield Mounted(trusted.stem, source, trusted.folder, readers=(place.fetch,))
    required = required_scan(model)
    if required is not None and (report := required.report).credentials_secret_ref is not None:
        source = secret(report.credentials_secret_ref.name)
        yield Mounted(place.scan_credentials, source, place.scan_credentials_dir, readers=(place.fetch,))
