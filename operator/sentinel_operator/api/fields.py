"""Field types that mean the same to pydantic, to the CRD's schema and to the API server."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

DURATION = r"^([0-9]+(ms|s|m|h))+$"
QUANTITY = r"^[+-]?([0-9]+|[0-9]+\.[0-9]*|\.[0-9]+)(([KMGTPE]i)|[numkMGTPE]|([eE][+-]?[0-9]+))?$"
DIGEST = r"^sha256:[0-9a-f]{64}$"
DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"


@dataclass(frozen=True, slots=True, eq=False)  # typing hashes the members of an Annotated
class Extension:
    """Adds keywords to a field's JSON schema, `x-kubernetes-*` ones above all; crdgen keeps them."""

    keywords: Mapping[str, Any]

    def __get_pydantic_json_schema__(
        self, core: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(core)
        if "$ref" in schema:
            schema = {"allOf": [schema]}
        added = copy.deepcopy(dict(self.keywords))
        rules = schema.get("x-kubernetes-validations", []) + added.pop("x-kubernetes-validations", [])
        return {**schema, **added, **({"x-kubernetes-validations": rules} if rules else {})}


@dataclass(frozen=True, slots=True)
class CEL:
    """One validation rule that the API server evaluates. Source: apiextensions `x-kubernetes-validations`."""

    rule: str
    message: str
    field_path: str = ""

    def as_schema(self) -> dict[str, str]:
        """Gives the rule as it stands in a CRD."""
        out = {"rule": self.rule, "message": self.message}
        return {**out, "fieldPath": self.field_path} if self.field_path else out


def rules(*cel: CEL) -> Extension:
    """Marks a field or a model with CEL rules."""
    return Extension({"x-kubernetes-validations": [rule.as_schema() for rule in cel]})


def list_map(*keys: str) -> Extension:
    """Marks a list whose items server-side apply merges by key; each key must be required or defaulted."""
    return Extension({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)})


def list_set() -> Extension:
    """Marks a list of scalars without repetition."""
    return Extension({"x-kubernetes-list-type": "set"})


def list_atomic() -> Extension:
    """Marks an ordered list that is replaced as a whole."""
    return Extension({"x-kubernetes-list-type": "atomic"})


def open_object() -> Extension:
    """Marks an object whose fields Kubernetes defines elsewhere (affinity, tolerations): kept as given."""
    return Extension({"type": "object", "x-kubernetes-preserve-unknown-fields": True})


def open_items() -> Extension:
    """Marks a list of objects whose fields Kubernetes defines elsewhere: each kept as given."""
    return Extension(
        {"items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}, "x-kubernetes-list-type": "atomic"}
    )


_UNITS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}


def seconds(duration: str) -> float:
    """Turns `1m30s` into 90.0; raises ValueError for anything else."""
    if not re.fullmatch(DURATION, duration):
        raise ValueError(f"{duration!r} is no duration; use a number with ms, s, m or h, such as 30s or 1m30s")
    parts = re.findall(r"([0-9]+)(ms|s|m|h)", duration)
    return float(sum(Decimal(number) * _UNITS[unit] for number, unit in parts))


_SUFFIX = {
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)},
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("k", "M", "G", "T", "P", "E"), start=1)},
    "m": Decimal("1e-3"),
    "u": Decimal("1e-6"),
    "n": Decimal("1e-9"),
    "": Decimal(1),
}


def quantity(value: str | float) -> Decimal:
    """Turns a Kubernetes quantity (`250m`, `1Gi`, 2) into its exact number of base units; raises ValueError."""
    text = str(value)
    if not re.fullmatch(QUANTITY, text):
        raise ValueError(f"{text!r} is no quantity; use a number with an optional suffix, such as 250m, 2 or 1Gi")
    number, suffix = re.fullmatch(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([A-Za-z]*)", text).groups()  # type: ignore[union-attr]
    return Decimal(number) * _SUFFIX[suffix]


def _check_quantity(value: str | int) -> str | int:
    quantity(value)
    return value


Duration = Annotated[str, Field(pattern=DURATION, max_length=32)]
Quantity = Annotated[
    int | str,
    AfterValidator(_check_quantity),
    Extension({"x-kubernetes-int-or-string": True, "pattern": QUANTITY, "maxLength": 32}),
]
IntOrPercent = Annotated[
    int | Annotated[str, Field(pattern=r"^([0-9]|[1-9][0-9]|100)%$")],
    Extension({"x-kubernetes-int-or-string": True, "maxLength": 4}),
]
Digest = Annotated[str, Field(pattern=DIGEST, max_length=71)]
Name = Annotated[str, Field(pattern=DNS_SUBDOMAIN, min_length=1, max_length=253)]
Label = Annotated[str, Field(pattern=DNS_LABEL, min_length=1, max_length=63)]
ShortText = Annotated[str, Field(max_length=256)]
Text = Annotated[str, Field(max_length=1024)]
LabelMap = Annotated[dict[str, Annotated[str, Field(max_length=256)]], Field(max_length=64)]
OpenObject = Annotated[dict[str, Any], open_object()]
OpenList = Annotated[list[dict[str, Any]], Field(max_length=64), open_items()]
