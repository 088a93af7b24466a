"""Fields that no kind of ours has: the API server refuses them under strict validation, so a typing error is found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sentinel_operator.api.kinds import Kind
from sentinel_operator.core.admission.verdict import FieldError
from sentinel_operator.core.plan import Manifest
from sentinel_operator.crdgen.schema import structural

_TOP = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})


def unknown_fields(kind: Kind, raw: Manifest) -> Iterator[FieldError]:
    """Yields each field that the schema of the kind does not know, where it stands."""
    for name in raw:
        if name not in _TOP:
            yield FieldError(name, "unknown field")
    yield from _below(raw.get("spec"), structural(kind.spec), "spec")


def _below(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _below(item, schema.get("items") or {}, f"{path}[{index}]")
    elif isinstance(value, dict):
        fields, others = schema.get("properties"), schema.get("additionalProperties")
        for name, each in value.items():
            if fields is not None and name not in fields:
                yield FieldError(f"{path}.{name}", "unknown field")
            else:
                known = fields[name] if fields is not None else others if isinstance(others, dict) else {}
                yield from _below(each, known, f"{path}.{name}")
