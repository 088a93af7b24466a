"""A status as it is written: JSON in which what is not known is left out."""

from __future__ import annotations

from typing import Any

from sentinel_operator.api.base import Model
from sentinel_operator.core.plan import Manifest


def as_manifest(status: Model) -> Manifest:
    """Writes a status as JSON, without what is absent and without empty strings."""
    written: Manifest = _without_blanks(status.model_dump(by_alias=True, exclude_none=True))
    return written


def _without_blanks(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_blanks(each) for key, each in value.items() if each != ""}
    if isinstance(value, list):
        return [_without_blanks(each) for each in value]
    return value
