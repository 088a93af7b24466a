"""What a pod block, and an artifact that a pod is given, must be beyond what their schemas can say."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import PurePosixPath

from sentinel_operator.api.artifact import ModelArtifact
from sentinel_operator.api.fields import quantity
from sentinel_operator.api.pod import Pod
from sentinel_operator.core.admission.patterns import pattern_problem
from sentinel_operator.core.admission.verdict import FieldError
from sentinel_operator.core.pods.place import Place
from sentinel_operator.core.pods.trusted import of_artifact


def resource_problems(pod: Pod) -> Iterator[FieldError]:
    """Yields what the API server would refuse of the resources."""
    given, path = pod.resources, "spec.pod.resources"
    requests, limits = (given.requests or {}, given.limits or {}) if given else ({}, {})
    for name in sorted(requests.keys() & limits.keys()):
        if quantity(requests[name]) > quantity(limits[name]):
            yield FieldError(f"{path}.requests.{name}", f"must not be greater than the limit {limits[name]}")


def volume_problems(pod: Pod, *, reserved: Collection[str]) -> Iterator[FieldError]:
    """Yields what the API server would refuse of the volumes, and what would hide what the operator mounts."""
    seen: set[PurePosixPath] = set()
    for index, volume in enumerate(pod.volumes or ()):
        path, target = f"spec.pod.volumes[{index}]", PurePosixPath(volume.mount_path)
        if len(volume.source) != 1:
            yield FieldError(f"{path}.source", "must hold exactly one source, such as {configMap: {name: extra}}")
        below = [own for own in reserved if target in PurePosixPath(own).parents]
        if below:
            yield FieldError(f"{path}.mountPath", f"must not lie above what the operator mounts: {', '.join(below)}")
        if target in seen:
            yield FieldError(f"{path}.mountPath", f'Duplicate value: "{target}"')
        seen.add(target)


def taken_problems(
    pod: Pod, *, names: Collection[str], prefixes: tuple[str, ...], paths: Collection[str]
) -> Iterator[FieldError]:
    """Yields names and places of the user's that are the operator's own."""
    for index, volume in enumerate(pod.volumes or ()):
        field = f"spec.pod.volumes[{index}]"
        if volume.name in names or volume.name.startswith(prefixes):
            yield FieldError(f"{field}.name", f"{volume.name!r} is a volume of the operator's; choose another")
        path = volume.mount_path.rstrip("/")
        if any(path == taken or path.startswith(f"{taken}/") for taken in paths) or not path:
            yield FieldError(f"{field}.mountPath", f"{volume.mount_path!r} is a place of the operator's")


def artifact_problems(model: ModelArtifact, field: str) -> Iterator[FieldError]:
    """Yields what is wrong with sizes and with the expressions of identities."""
    if quantity(model.max_bytes) < 1:
        yield FieldError(f"{field}.maxBytes", "must be at least 1")
    cache = model.cache
    if cache is not None and cache.type != "None" and quantity(cache.max_bytes) < 1:
        yield FieldError(f"{field}.cache.maxBytes", "must be at least 1")
    for trusted in of_artifact(model, Place()):
        for j, identity in enumerate(trusted.authority.keyless.identities if trusted.authority.keyless else ()):
            for name, pattern in (
                ("issuerRegExp", identity.issuer_reg_exp),
                ("subjectRegExp", identity.subject_reg_exp),
            ):
                if problem := pattern_problem(pattern or ""):
                    yield FieldError(f"{field}.{trusted.field}.keyless.identities[{j}].{name}", problem)


def image_path_problems(model: ModelArtifact, field: str) -> Iterator[FieldError]:
    """Yields a path in an image that is none."""
    image = model.source.image
    if image is not None and (not image.path.strip("/") or ".." in image.path.split("/")):
        yield FieldError(f"{field}.source.image.path", "must be the path of a file or folder, without '..'")
