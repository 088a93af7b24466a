"""The API server's own checks of a schema, so that a mistake shows where it was made and not at install time.

Source: apiextensions-apiserver `pkg/apiserver/schema/validation.go` and `pkg/apis/apiextensions/validation`. Beyond
them, `unbounded` finds what makes the cost of CEL rules unlimited.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sentinel_operator.api.rules import VALIDATIONS
from sentinel_operator.crdgen.schema import INT_OR_STRING, Schema

_NOT_NESTED = (
    "type", "title", "description", "default", "nullable", "additionalProperties", "externalDocs",
    "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string",
    "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type", VALIDATIONS,
)  # fmt: skip
_NEVER = ("$ref", "$defs", "definitions", "dependencies", "patternProperties", "uniqueItems", "id", "deprecated")
_LOOK_AROUND = re.compile(r"\(\?(?!:|P<|[imsU-]+[:)])|\\[1-9]")


def problems(schema: Schema) -> Iterator[str]:
    """Yields each reason for which the API server would refuse the schema of a kind."""
    if schema.get("type") != "object":
        yield "root: type must be object"
    if "additionalProperties" in schema:
        yield "root: additionalProperties must not be used at the root"
    for name in ("apiVersion", "kind", "metadata"):
        if "default" in schema.get("properties", {}).get(name, {}):
            yield f"{name}: must not have a default"
    extra = set(schema.get("properties", {}).get("metadata", {}).get("properties", {})) - {"name", "generateName"}
    if extra:
        yield f"metadata: only name and generateName may be restricted, not {', '.join(sorted(extra))}"
    yield from _node(schema, "", correlatable=True)


def _node(node: Schema, path: str, *, correlatable: bool) -> Iterator[str]:
    where = path or "root"
    yield from (f"{where}: {key} is not allowed" for key in _NEVER if key in node)
    if not any(node.get(key) for key in ("type", "x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields")):
        yield f"{where}: type must not be empty"
    if node.get("x-kubernetes-preserve-unknown-fields", True) is not True:
        yield f"{where}: x-kubernetes-preserve-unknown-fields must be true or absent"
    if "properties" in node and "additionalProperties" in node:
        yield f"{where}: properties and additionalProperties exclude each other"
    if node.get("default", 0) is None and not node.get("nullable"):
        yield f"{where}: a default of null needs nullable"
    if _LOOK_AROUND.search(node.get("pattern", "")):
        yield f"{where}: RE2 has neither look-around nor back-references"
    yield from _junctors(node, where)
    yield from _list(node, where)
    yield from _rules(node, where, correlatable=correlatable)
    merged = node.get("x-kubernetes-list-type") == "map"
    for name, child in node.get("properties", {}).items():
        yield from _node(child, f"{path}.{name}".lstrip("."), correlatable=correlatable)
    if isinstance(node.get("additionalProperties"), dict):
        yield from _node(node["additionalProperties"], f"{path}.*", correlatable=correlatable)
    if "items" in node:
        yield from _node(node["items"], f"{path}[]", correlatable=correlatable and merged)


def _junctors(node: Schema, where: str) -> Iterator[str]:
    if node.get("x-kubernetes-int-or-string") and node.get("anyOf") == INT_OR_STRING:
        return
    for keyword in ("anyOf", "allOf", "oneOf"):
        for index, member in enumerate(node.get(keyword, ())):
            for name in member.keys() & set(_NOT_NESTED):
                yield f"{where}.{keyword}[{index}]: {name} must be empty to be structural"


def _list(node: Schema, where: str) -> Iterator[str]:
    kind, keys, items = (
        node.get("x-kubernetes-list-type"),
        node.get("x-kubernetes-list-map-keys", ()),
        node.get("items"),
    )
    if (node.get("type") == "array") != (items is not None):
        yield f"{where}: an array has items, and nothing else has"
    if kind and node.get("type") != "array":
        yield f"{where}: x-kubernetes-list-type needs an array"
    if (kind == "map") != bool(keys):
        yield f"{where}: a list of type map has keys, and no other list has"
    if kind == "set" and items and items.get("type") == "object" and items.get("x-kubernetes-map-type") != "atomic":
        yield f"{where}: a set of objects needs atomic items"
    for key in keys:
        field = (items or {}).get("properties", {}).get(key)
        if field is None or field.get("type") in ("array", "object"):
            yield f"{where}: the key {key} must be a scalar field of the items"
        elif key not in (items or {}).get("required", ()) and "default" not in field:
            yield f"{where}: the key {key} must be required or have a default"


def _rules(node: Schema, where: str, *, correlatable: bool) -> Iterator[str]:
    for rule in node.get(VALIDATIONS, ()):
        target = node
        for step in rule.get("fieldPath", "").split(".")[1:]:
            target = target.get("properties", {}).get(step, {})
        if not target:
            yield f"{where}: the rule's fieldPath {rule['fieldPath']} does not exist"
        if "\n" in rule["rule"] or "\n" in rule.get("message", ""):
            yield f"{where}: a rule and its message must be one line each"
        if re.search(r"\boldSelf\b", rule["rule"]) and not correlatable:
            yield f"{where}: oldSelf needs every list above to be of type map"


def unbounded(schema: Schema, path: str = "") -> Iterator[str]:
    """Yields each string, list and map whose size nothing limits."""
    bound = {"string": "maxLength", "array": "maxItems"}.get(schema.get("type", ""))
    if "additionalProperties" in schema:
        bound = "maxProperties"
    if schema.get("x-kubernetes-int-or-string"):
        bound = "maxLength"
    if bound and not schema.keys() & {bound, "enum", "format"}:
        yield f"{path}: {bound} is missing"
    for name, child in schema.get("properties", {}).items():
        yield from unbounded(child, f"{path}.{name}".lstrip("."))
    for keyword, step in (("items", "[]"), ("additionalProperties", ".*")):
        if isinstance(schema.get(keyword), dict):
            yield from unbounded(schema[keyword], path + step)
