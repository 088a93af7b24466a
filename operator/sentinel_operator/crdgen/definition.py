"""A kind becomes a CustomResourceDefinition that the API server accepts, below the size that tools can carry."""

from __future__ import annotations

import json
from typing import Any

from sentinel_operator.api.kinds import Column, Kind
from sentinel_operator.api.rules import VALIDATIONS, fixed
from sentinel_operator.crdgen.repetition import told_once
from sentinel_operator.crdgen.schema import Schema, SchemaError, structural, without_defaults
from sentinel_operator.crdgen.structure import problems, unbounded

CATEGORY = "sentinel"
MAX_BYTES = 130_000
"""Of a CRD as JSON: two versions of that fit into an annotation (256 KiB), and client-side `kubectl apply` remembers
in one."""
LABELS = {"app.kubernetes.io/name": "sentinel-operator", "app.kubernetes.io/part-of": "sentinel"}
_AGE = Column(name="Age", path=".metadata.creationTimestamp", type="date")


def size_of(crd: dict[str, Any]) -> int:
    """Gives the bytes that a CRD has as JSON."""
    return len(json.dumps(crd, separators=(",", ":"), ensure_ascii=False).encode())


def definition(kind: Kind) -> dict[str, Any]:
    """Gives the kind's CRD; raises SchemaError with every reason for which it could not be installed."""
    schema = _object_schema(kind)
    wrong = [*problems(schema), *unbounded(schema["properties"]["spec"], "spec")]
    if wrong:
        raise SchemaError(f"{kind.kind}: " + "; ".join(wrong))
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{kind.group}", "labels": dict(LABELS)},
        "spec": {
            "group": kind.group,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": list(kind.short_names),
                "categories": [CATEGORY],
            },
            "versions": [
                {
                    "name": kind.version,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": [_column(column) for column in (*kind.columns, _AGE)],
                    "subresources": _subresources(kind),
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


def _object_schema(kind: Kind) -> Schema:
    spec = _with_what_is_fixed(told_once(structural(kind.spec), "spec"), kind)
    status = without_defaults(structural(kind.status))
    # kstatus: an object that nobody has looked at is in progress, not ready.
    status["default"] = {"observedGeneration": -1}
    root: Schema = {
        "description": spec["description"],
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            # Named here only so that rules about it can point at it.
            "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
            "spec": spec,
            "status": status,
        },
    }
    if spec.get("required"):
        root["required"] = ["spec"]
    else:
        spec["default"] = {}
    if kind.rules:
        root[VALIDATIONS] = [rule.as_schema() for rule in kind.rules]
    return root


def _with_what_is_fixed(spec: Schema, kind: Kind) -> Schema:
    if kind.changeable is None:
        return spec
    stay = [
        fixed(member, always_set=member in spec.get("required", ()) or "default" in field)
        for member, field in spec["properties"].items()
        if member not in kind.changeable
    ]
    return {**spec, VALIDATIONS: [*spec.get(VALIDATIONS, ()), *stay]}


def _column(column: Column) -> dict[str, Any]:
    wide = {"priority": column.priority} if column.priority else {}
    return {"name": column.name, "type": column.type, "jsonPath": column.path, **wide}


def _subresources(kind: Kind) -> dict[str, Any]:
    if kind.scale is None:
        return {"status": {}}
    scale = {
        "specReplicasPath": kind.scale.spec_replicas,
        "statusReplicasPath": kind.scale.status_replicas,
        "labelSelectorPath": kind.scale.selector,
    }
    return {"status": {}, "scale": scale}
