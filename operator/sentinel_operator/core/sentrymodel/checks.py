"""What the schema cannot say about a SentryModel: names and places that the operator's own objects take."""

from __future__ import annotations

from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.core.admission.pods import image_path_problems, taken_problems
from sentinel_operator.core.admission.verdict import FieldError
from sentinel_operator.core.sentrymodel.volumes import RESERVED, RESERVED_PATHS


def problems(spec: SentryModelSpec) -> tuple[FieldError, ...]:
    """Gives what would make pods that the API server refuses, or that hide the operator's own files."""
    return (
        *taken_problems(
            spec.pod,
            names=RESERVED,
            prefixes=("authority-", "scan-authority-", "scan-credentials"),
            paths=RESERVED_PATHS,
        ),
        *image_path_problems(spec.model, "spec.model"),
    )
