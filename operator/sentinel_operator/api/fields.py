"""Field types that mean the same to pydantic, to the CRD's schema and to the API server."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import InitErrorDetails, PydanticCustomError, core_schema

from sentinel_operator.api.rules import CEL, Rules, matching, rules

DURATION = r"^([0-9]{1,5}(ms|s|m|h)){1,4}$"  # bounded, so that CEL's duration() cannot overflow
QUANTITY = r"^([0-9]+|[0-9]+\.[0-9]*|\.[0-9]+)(([KMGTPE]i)|[numkMGTPE]|([eE][+-]?[0-9]+))?$"
PERCENT = r"^([0-9]|[1-9][0-9]|100)%$"
DIGEST = r"^sha256:[0-9a-f]{64}$"
DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
RELATIVE_PATH = r"^[^/].*$"
LABEL_KEY = r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
LABEL_VALUE = r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$"


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
        return {**schema, **copy.deepcopy(dict(self.keywords))}


@dataclass(frozen=True, slots=True, eq=False)
class Unique(Extension):
    """Refuses a list in which an item comes again, in the API server's words; items with the same keys are the same."""

    keys: tuple[str, ...] = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._enforce, handler(source))

    def _enforce(self, items: list[Any]) -> list[Any]:
        seen, repeated = set(), []
        for index, item in enumerate(items):
            same = {key: getattr(item, key) for key in self.keys} if self.keys else item
            identity = json.dumps(same, separators=(",", ":"))
            if identity in seen:
                error = PydanticCustomError("duplicate", "{message}", {"message": f"Duplicate value: {identity}"})
                repeated.append(InitErrorDetails(type=error, loc=(index,), input=item))
            seen.add(identity)
        if repeated:
            raise ValidationError.from_exception_data("list", repeated)
        return items


def list_map(*keys: str) -> Unique:
    """Marks a list whose items server-side apply merges by key; each key must be required or defaulted."""
    return Unique({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}, keys)


def list_set() -> Unique:
    """Marks a list of scalars without repetition."""
    return Unique({"x-kubernetes-list-type": "set"})


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


LATE_DEFAULT = "x-sentinel-late-default"


def late_default() -> Extension:
    """Marks a default that changes with releases: the CRD leaves it out, so that no stored object keeps it."""
    return Extension({LATE_DEFAULT: True})


_UNITS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}


@lru_cache(maxsize=1024)
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
    """Turns a Kubernetes quantity (`250m`, `1Gi`, 2), never a negative one, into its number; raises ValueError."""
    text = str(value)
    if not re.fullmatch(QUANTITY, text):
        raise ValueError(f"{text!r} is no quantity; use a number with an optional suffix, such as 250m, 2 or 1Gi")
    number, suffix = re.fullmatch(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)([A-Za-z]*)", text).groups()  # type: ignore[union-attr]
    return Decimal(number) * _SUFFIX[suffix]


def _scalar(value: Any) -> Any:
    # One error for the union, not one for each of its members; floats and booleans are refused as the API server does.
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise PydanticCustomError("int_or_string", "must be of type integer or string")
    return value


def _int_or_string(**keywords: Any) -> Extension:
    return Extension({"x-kubernetes-int-or-string": True, **keywords})


def _is_quantity(value: str | int) -> bool:
    return value >= 0 if isinstance(value, int) else re.fullmatch(QUANTITY, value) is not None


def _is_percent(value: str | int) -> bool:
    return value >= 0 if isinstance(value, int) else re.fullmatch(PERCENT, value) is not None


def between(low: str, high: str) -> Rules:
    """Marks a string as a duration within bounds."""
    return rules(
        CEL(
            rule=f"self.matches(r'{DURATION}') "
            f"&& duration(self) >= duration('{low}') && duration(self) <= duration('{high}')",
            message=f"must be a duration from {low} to {high}, such as 30s or 1m30s",
            holds=lambda value: (
                re.fullmatch(DURATION, value) is not None and seconds(low) <= seconds(value) <= seconds(high)
            ),
        )
    )


def relative_path() -> Rules:
    """Marks a path that cannot leave the folder that it is relative to."""
    return rules(
        CEL(
            rule=f"self.matches(r'{RELATIVE_PATH}') && !self.matches(r'(^|/)[.][.](/|$)')",
            message="must be a relative path without '..'",
            holds=lambda value: re.fullmatch(RELATIVE_PATH, value) is not None and ".." not in value.split("/"),
        )
    )


Duration = Annotated[str, Field(max_length=32), between("1s", "24h")]
Quantity = Annotated[
    int | str,
    BeforeValidator(_scalar),
    _int_or_string(maxLength=32),
    rules(
        CEL(
            rule=f"type(self) == int ? self >= 0 : self.matches(r'{QUANTITY}')",
            message="must be a quantity, such as 250m, 2 or 1Gi",
            holds=_is_quantity,
        )
    ),
]
IntOrPercent = Annotated[
    int | str,
    BeforeValidator(_scalar),
    _int_or_string(maxLength=4),
    rules(
        CEL(
            rule=f"type(self) == int ? self >= 0 : self.matches(r'{PERCENT}')",
            message="must be a number of pods or a percentage from 0% to 100%, such as 1 or 25%",
            holds=_is_percent,
        )
    ),
]
Digest = Annotated[
    str, Field(max_length=71), rules(matching(DIGEST, "must be sha256: and 64 lower-case hexadecimal digits"))
]
Name = Annotated[
    str,
    Field(min_length=1, max_length=253),
    rules(matching(DNS_SUBDOMAIN, "must be the name of an object: lower-case letters, digits, '-' and '.'")),
]
Label = Annotated[
    str,
    Field(min_length=1, max_length=63),
    rules(matching(DNS_LABEL, "must hold only lower-case letters, digits and '-', and neither start nor end with '-'")),
]
ImageName = Annotated[
    str, Field(min_length=1, max_length=512), rules(matching(r"^[^\s]+$", "must be the reference of an image"))
]
Path = Annotated[str, Field(min_length=1, max_length=1024), relative_path()]
ShortText = Annotated[str, Field(max_length=256)]
Text = Annotated[str, Field(max_length=1024)]
LabelMap = Annotated[
    dict[str, Annotated[str, Field(max_length=63)]],
    Field(max_length=64),
    rules(
        CEL(
            rule=f"self.all(key, key.matches(r'{LABEL_KEY}') && self[key].matches(r'{LABEL_VALUE}'))",
            message="must hold valid label names and values",
            holds=lambda value: all(
                re.fullmatch(LABEL_KEY, key) and re.fullmatch(LABEL_VALUE, text) for key, text in value.items()
            ),
        )
    ),
]
AnnotationMap = Annotated[
    dict[str, Annotated[str, Field(max_length=4096)]],
    Field(max_length=64),
    rules(
        CEL(
            rule=f"self.all(key, key.matches(r'{LABEL_KEY}'))",
            message="must hold valid annotation names",
            holds=lambda value: all(re.fullmatch(LABEL_KEY, key) for key in value),
        )
    ),
]
OpenObject = Annotated[dict[str, Any], open_object()]
OpenList = Annotated[list[dict[str, Any]], Field(max_length=64), open_items()]
