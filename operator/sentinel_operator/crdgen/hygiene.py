"""The eleven points by which definitions are compared with those of other projects. What a kind lacks, it lacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sentinel_operator.api.rules import VALIDATIONS

POINTS = (
    "status subresource",
    "scale subresource",
    "integer observedGeneration",
    "conditions",
    "conditions merged by type",
    "observedGeneration in each condition",
    "short name",
    "category",
    "four printer columns",
    "CEL rule",
    "conversion webhook",
)
_MIN_COLUMNS = 4


def score(crd: Mapping[str, Any]) -> dict[str, bool]:
    """Tells for each point whether the definition has it, judged by the version that is stored."""
    spec = crd["spec"]
    version = next(each for each in spec["versions"] if each["storage"])
    schema = version["schema"]["openAPIV3Schema"]
    status = schema.get("properties", {}).get("status", {}).get("properties", {})
    conditions = status.get("conditions", {})
    item = conditions.get("items", {}).get("properties", {})
    subresources = version.get("subresources", {})
    held = (
        "status" in subresources,
        "scale" in subresources,
        status.get("observedGeneration", {}).get("type") == "integer",
        bool(conditions),
        conditions.get("x-kubernetes-list-map-keys") == ["type"],
        "observedGeneration" in item,
        bool(spec["names"].get("shortNames")),
        bool(spec["names"].get("categories")),
        len(version.get("additionalPrinterColumns", ())) >= _MIN_COLUMNS,
        _has_rule(schema),
        spec.get("conversion", {}).get("strategy") == "Webhook",
    )
    return dict(zip(POINTS, held, strict=True))


def _has_rule(schema: Any) -> bool:
    if isinstance(schema, Mapping):
        return VALIDATIONS in schema or any(map(_has_rule, schema.values()))
    return isinstance(schema, list) and any(map(_has_rule, schema))
