"""What it means that a container ended which brings an artifact."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from sentinel_operator.api.serving import ExitCode, Termination
from sentinel_operator.core.pods.faults import Fault, at, conclusion, quoted
from sentinel_operator.core.pods.place import Place

_MODEL = Place().field
_FIELDS: Mapping[ExitCode, str] = {
    ExitCode.DigestMismatch: f"{_MODEL}.digest",
    ExitCode.SignatureInvalid: f"{_MODEL}.verify",
    ExitCode.AccessDenied: f"{_MODEL}.source",
    ExitCode.NotFound: f"{_MODEL}.source",
    ExitCode.StorageUnreachable: f"{_MODEL}.source",
    ExitCode.ArtifactTooLarge: f"{_MODEL}.maxBytes",
    ExitCode.ScanMissing: f"{_MODEL}.requireScan",
    ExitCode.ScanInvalid: f"{_MODEL}.requireScan",
    ExitCode.SchemaMismatch: "spec.schema",
    ExitCode.ModelUnreadable: f"{_MODEL}.source",
}
_MAY_PASS = frozenset({ExitCode.StorageUnreachable, ExitCode.NoSpace, ExitCode.ScanMissing})


def told(code: ExitCode, message: str, place: Place) -> Fault:
    """Takes a container's own word; the exit code is what counts, the message may be anything. What brings an artifact
    speaks of spec.model, wherever the artifact is named."""
    try:
        said = Termination.model_validate_json(message)
    except ValidationError:
        said = Termination(message=conclusion(message))
    field = said.field or _FIELDS.get(code, "")
    if field == _MODEL or field.startswith(f"{_MODEL}."):
        field = place.field + field.removeprefix(_MODEL)
    return Fault(code.name, at(field, quoted(said.message) or code.name), terminal=code not in _MAY_PASS)


def not_copied(code: int, message: str, place: Place) -> Fault:
    """Tells that an artifact is not where its image was said to have it."""
    said = quoted(message) or f"the copy ended with exit code {code}"
    return Fault(ExitCode.NotFound.name, at(f"{place.field}.source.image.path", said), terminal=code == 1)
