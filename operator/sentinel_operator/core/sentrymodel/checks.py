"""What the schema cannot say about a SentryModel: names and places that the operator's own objects take."""

from __future__ import annotations

from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.core.admission.verdict import FieldError
from sentinel_operator.core.sentrymodel.volumes import RESERVED, RESERVED_PATHS


def problems(spec: SentryModelSpec) -> tuple[FieldError, ...]:
    """Gives what would make pods that the API server refuses, or that hide the operator's own files."""
    return (*_volumes(spec), *_image_path(spec))


def _volumes(spec: SentryModelSpec) -> tuple[FieldError, ...]:
    found: list[FieldError] = []
    for index, volume in enumerate(spec.pod.volumes or ()):
        field = f"spec.pod.volumes[{index}]"
        if volume.name in RESERVED or volume.name.startswith("authority-"):
            found.append(FieldError(f"{field}.name", f"{volume.name!r} is a volume of the operator's; choose another"))
        path = volume.mount_path.rstrip("/")
        if any(path == taken or path.startswith(f"{taken}/") for taken in RESERVED_PATHS) or not path:
            found.append(FieldError(f"{field}.mountPath", f"{volume.mount_path!r} is a place of the operator's"))
    return tuple(found)


def _image_path(spec: SentryModelSpec) -> tuple[FieldError, ...]:
    image = spec.model.source.image
    if image is None or (image.path.strip("/") and ".." not in image.path.split("/")):
        return ()
    return (FieldError("spec.model.source.image.path", "must be the path of a file or folder, without '..'"),)
