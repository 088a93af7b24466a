"""A long block is described where it comes first, and what it accepts is the same everywhere."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from sentinel_operator.api.kinds import KINDS, Kind
from sentinel_operator.crdgen.repetition import SAVES, bare, told_once
from sentinel_operator.crdgen.schema import structural
from sentinel_operator.crdgen.text import document

LONG: dict[str, Any] = {
    "description": "A long block.",
    "type": "object",
    "properties": {
        "name": {"description": "x" * SAVES, "type": "string", "maxLength": 5},
        "description": {"type": "string", "maxLength": 5},  # a field of that name is no description
    },
}
SHORT: dict[str, Any] = {
    "description": "A short block.",
    "type": "object",
    "properties": {"name": {"description": "Its name.", "type": "string", "maxLength": 5}},
}


def root(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields}


def test_a_long_block_is_described_where_it_comes_first():
    again = {**LONG, "description": "The same again."}
    told = told_once(root(first={"type": "array", "items": LONG}, second=again), "spec")["properties"]
    assert told["first"]["items"] == LONG
    assert told["second"] == {**bare(LONG), "description": "The same again. Its fields: see spec.first[]."}
    assert "description" in told["second"]["properties"]


@pytest.mark.parametrize(
    "other",
    [SHORT, {**LONG, "required": ["name"]}, {**LONG, "properties": {**LONG["properties"], "age": {"type": "integer"}}}],
    ids=["short", "other rules", "other fields"],
)
def test_what_is_short_or_another_is_described_again(other):
    schema = root(zero=SHORT, first=LONG, second=other)
    assert told_once(schema, "spec") == schema


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_nothing_but_descriptions_goes(kind: Kind):
    schema = structural(kind.spec)
    before = copy.deepcopy(schema)
    assert bare(told_once(schema, "spec")) == bare(before)
    assert schema == before


def test_a_field_stands_in_one_line_unless_it_has_fields_or_says_much():
    schema = root(
        short={"type": "string", "maxLength": 5}, names={"type": "array", "items": {"type": "string"}}, long=LONG
    )
    lines = document({"openAPIV3Schema": schema}).splitlines()
    assert "    short: {type: string, maxLength: 5}" in lines
    assert "    names: {type: array, items: {type: string}}" in lines
    assert "        name:" in lines
    assert yaml.safe_load("\n".join(lines)) == {"openAPIV3Schema": schema}
