"""Pydantic models become structural schemas, as `apiextensions.k8s.io/v1` defines them.

Pydantic speaks JSON Schema 2020-12; the API server speaks a subset of OpenAPI 3.0. What has no counterpart there
(a union, a pattern of properties) is refused here, with the path of the field, and not left for the API server.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema
from typing_extensions import override

from sentinel_operator.api.base import Model
from sentinel_operator.api.fields import LATE_DEFAULT
from sentinel_operator.api.rules import VALIDATIONS

Schema = dict[str, Any]

INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
_DROPPED = {"title", "examples", "deprecated", "readOnly", "writeOnly"}
_UNSUPPORTED = {
    "patternProperties", "propertyNames", "prefixItems", "contains", "if", "then", "else", "dependentRequired",
    "dependentSchemas", "unevaluatedProperties", "discriminator", "oneOf", "not",
}  # fmt: skip
_JSON_TYPES = {str: "string", int: "integer", bool: "boolean", float: "number"}


class SchemaError(ValueError):
    """A model says something that no structural schema can say."""


class _Dialect(GenerateJsonSchema):
    """JSON schema as the CRD wants it: absent instead of null, and of defaults only what a person wrote."""

    @override
    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        # The API server prunes explicit nulls of fields that are not nullable before it applies defaults.
        return self.generate_inner(schema["schema"])

    @override
    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        out = self.generate_inner(schema["schema"])
        factory: Any = schema.get("default_factory")
        default = factory() if factory and not schema.get("default_factory_takes_data") else schema.get("default")
        if default is None or out.get(LATE_DEFAULT):
            return out
        # A `$ref` may not have siblings that the definition would hide.
        return {**({"allOf": [out]} if "$ref" in out else out), "default": _plain(default)}


def _plain(default: Any) -> Any:
    """Gives a default as JSON; of a model only what was set: the API server fills in the rest from the fields."""
    if isinstance(default, BaseModel):
        return default.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if isinstance(default, list | tuple):
        return [_plain(item) for item in default]
    return copy.deepcopy(default)


def structural(model: type[Model]) -> Schema:
    """Gives the model's structural schema, every reference inlined."""
    raw = model.model_json_schema(by_alias=True, schema_generator=_Dialect)
    definitions = raw.pop("$defs", {})
    return _convert(raw, definitions, path=model.__name__)


def without_defaults(schema: Schema) -> Schema:
    """Gives the schema without any default: a status says what was observed, and nothing else."""
    out: Schema = {}
    for key, value in schema.items():
        if key == "properties":
            out[key] = {name: without_defaults(child) for name, child in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            out[key] = without_defaults(value)
        elif key != "default":
            out[key] = value
    return out


def _convert(node: Mapping[str, Any], definitions: Mapping[str, Schema], *, path: str) -> Schema:
    out = _inline(node, definitions, path=path)
    unsupported = _UNSUPPORTED & out.keys()
    if unsupported or ("anyOf" in out and not out.get("x-kubernetes-int-or-string")):
        raise SchemaError(f"{path}: {', '.join(sorted(unsupported)) or 'a union'} has no structural form")
    out = _to_openapi({key: value for key, value in out.items() if key not in _DROPPED and key != LATE_DEFAULT})
    if "properties" in out:
        out.pop("additionalProperties", None)  # unknown fields are pruned, or refused under strict validation
        out["properties"] = {
            name: _convert(child, definitions, path=f"{path}.{name}") for name, child in out["properties"].items()
        }
    elif out.get("x-kubernetes-preserve-unknown-fields"):
        out.pop("additionalProperties", None)
    elif isinstance(out.get("additionalProperties"), dict):
        out["additionalProperties"] = _convert(out["additionalProperties"], definitions, path=f"{path}.*")
    elif out.get("type") == "object":
        raise SchemaError(f"{path}: an object without fields; use open_object() where Kubernetes defines them")
    if "items" in out:
        out["items"] = _convert(out["items"], definitions, path=f"{path}[]")
    if "default" in out:
        out["default"] = _filled(out["default"], out)
    return out


def _filled(default: Any, schema: Schema) -> Any:
    """Completes an object's default by those of its fields: the API server evaluates rules on it as it stands."""
    if not isinstance(default, dict):
        return default
    fields = schema.get("properties", {})
    given = {name: _filled(value, fields.get(name, {})) for name, value in default.items()}
    return {**{name: copy.deepcopy(field["default"]) for name, field in fields.items() if "default" in field}, **given}


def _inline(
    node: Mapping[str, Any], definitions: Mapping[str, Schema], *, path: str, seen: tuple[str, ...] = ()
) -> Schema:
    """Merges what `$ref` and a single `allOf` point to into the node; the node's own words win, rules add up."""
    out = dict(node)
    if "$ref" in out:
        name = out.pop("$ref").rsplit("/", 1)[-1]
        if name in seen or path.count(".") > 32:
            raise SchemaError(f"{path}: {name} contains itself; use open_object()")
        return _merge(_inline(definitions[name], definitions, path=path, seen=(*seen, name)), out)
    if "allOf" in out:
        inner, *others = out.pop("allOf")
        if others:
            raise SchemaError(f"{path}: more than one schema in allOf has no structural form")
        return _merge(_inline(inner, definitions, path=path, seen=seen), out)
    return out


def _merge(inner: Schema, outer: Schema) -> Schema:
    checks = [*inner.get(VALIDATIONS, []), *outer.get(VALIDATIONS, [])]
    return {**inner, **outer, **({VALIDATIONS: checks} if checks else {})}


def _to_openapi(node: Schema) -> Schema:
    """Rewrites the keywords whose form differs between JSON Schema 2020-12 and OpenAPI 3.0."""
    out = dict(node)
    if "description" in out:
        out["description"] = " ".join(out["description"].split())
    if "const" in out:
        out["enum"] = [out.pop("const")]
    if "enum" in out:
        out.setdefault("type", _JSON_TYPES[type(out["enum"][0])])
    for exclusive, inclusive in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if exclusive in out:
            out[inclusive], out[exclusive] = out[exclusive], True
    if out.pop("uniqueItems", False):
        out["x-kubernetes-list-type"] = "set"
    if out.get("x-kubernetes-int-or-string"):
        out.pop("type", None)
        out["anyOf"] = copy.deepcopy(INT_OR_STRING)
    return out
