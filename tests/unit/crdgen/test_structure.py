"""The port of the API server's checks: each of its refusals is ours too, and our own schemas pass."""

from __future__ import annotations

from typing import Any

import pytest

from sentinel_operator.crdgen.structure import problems, unbounded

ITEMS = {"type": "object", "properties": {"name": {"type": "string"}}}
INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]


def root(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": fields}}}


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ({}, "spec.it: type must not be empty"),
        ({"type": "array"}, "spec.it: an array has items, and nothing else has"),
        ({"$ref": "#/x", "type": "object"}, "spec.it: $ref is not allowed"),
        ({"type": "array", "items": {"type": "string"}, "uniqueItems": True}, "spec.it: uniqueItems is not allowed"),
        (
            {"type": "object", "properties": {}, "additionalProperties": {"type": "string"}},
            "spec.it: properties and additionalProperties exclude each other",
        ),
        ({"type": "string", "default": None}, "spec.it: a default of null needs nullable"),
        ({"type": "string", "pattern": "(?=a)b"}, "spec.it: RE2 has neither look-around nor back-references"),
        ({"type": "string", "pattern": r"(a)\1"}, "spec.it: RE2 has neither look-around nor back-references"),
        (
            {"type": "object", "x-kubernetes-preserve-unknown-fields": False},
            "spec.it: x-kubernetes-preserve-unknown-fields must be true or absent",
        ),
        ({"type": "string", "anyOf": [{"type": "string"}]}, "spec.it.anyOf[0]: type must be empty to be structural"),
        (
            {"type": "string", "oneOf": [{"description": "x"}]},
            "spec.it.oneOf[0]: description must be empty to be structural",
        ),
        (
            {"type": "array", "items": ITEMS, "x-kubernetes-list-type": "map"},
            "spec.it: a list of type map has keys, and no other list has",
        ),
        (
            {"type": "array", "items": ITEMS, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
            "spec.it: the key name must be required or have a default",
        ),
        (
            {"type": "array", "items": ITEMS, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"]},
            "spec.it: the key id must be a scalar field of the items",
        ),
        (
            {"type": "array", "items": ITEMS, "x-kubernetes-list-type": "set"},
            "spec.it: a set of objects needs atomic items",
        ),
        ({"type": "string", "x-kubernetes-list-type": "set"}, "spec.it: x-kubernetes-list-type needs an array"),
        (
            {"type": "array", "items": {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}},
            "spec.it[]: oldSelf needs every list above to be of type map",
        ),
        (
            {**ITEMS, "x-kubernetes-validations": [{"rule": "true", "fieldPath": ".nme"}]},
            "spec.it: the rule's fieldPath .nme does not exist",
        ),
        (
            {**ITEMS, "x-kubernetes-validations": [{"rule": "a &&\nb"}]},
            "spec.it: a rule and its message must be one line each",
        ),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_what_the_api_server_refuses_is_found_before(field, said):
    assert list(problems(root(it=field))) == [said]


@pytest.mark.parametrize(
    "field",
    [
        {"x-kubernetes-int-or-string": True, "anyOf": INT_OR_STRING},
        {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        {**ITEMS, "x-kubernetes-validations": [{"rule": "self == oldSelf", "fieldPath": ".name"}]},
        {"type": "string", "anyOf": [{"pattern": "^a$"}, {"pattern": "^b$"}]},
        {"type": "string", "pattern": "^(?:a|b)$"},
    ],
    ids=str,
)
def test_what_the_api_server_accepts_is_accepted(field):
    assert list(problems(root(it=field))) == []


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "array", "items": {"type": "string"}}, "root: type must be object"),
        (
            {"type": "object", "additionalProperties": {"type": "string"}},
            "root: additionalProperties must not be used at the root",
        ),
        (
            {"type": "object", "properties": {"kind": {"type": "string", "default": "A"}}},
            "kind: must not have a default",
        ),
        (
            {
                "type": "object",
                "properties": {"metadata": {"type": "object", "properties": {"labels": {"type": "object"}}}},
            },
            "metadata: only name and generateName may be restricted, not labels",
        ),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_the_root_has_rules_of_its_own(schema, said):
    assert said in list(problems(schema))


def test_what_nothing_limits_is_named():
    schema = {
        "type": "object",
        "properties": {
            "text": {"type": "string"},
            "choice": {"type": "string", "enum": ["a"]},
            "when": {"type": "string", "format": "date-time"},
            "many": {"type": "array", "items": {"type": "string", "maxLength": 3}},
            "map": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 3},
            "size": {"x-kubernetes-int-or-string": True, "anyOf": INT_OR_STRING},
        },
    }
    assert list(unbounded(schema, "spec")) == [
        "spec.text: maxLength is missing",
        "spec.many: maxItems is missing",
        "spec.map.*: maxLength is missing",
        "spec.size: maxLength is missing",
    ]
