"""Pydantic's schema becomes structural: table by table, and refused where it has no structural form."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from sentinel_operator.api.base import Model
from sentinel_operator.api.fields import Duration, Quantity, late_default, list_map, list_set, open_items, open_object
from sentinel_operator.api.rules import VALIDATIONS, exactly_one, matching, rules
from sentinel_operator.crdgen.schema import SchemaError, structural, without_defaults


class Inner(Model):
    """An inner block."""

    size: int = 3
    name: Annotated[str, Field(max_length=5)]


class Settings(Model):
    """All defaults."""

    mode: Literal["A", "B"] = "A"
    image: Annotated[str, Field(max_length=5), late_default()] = "x:1"


def field(annotation: Any, default: Any = ...) -> dict[str, Any]:
    """Gives the schema of a field of that type."""
    model = type(
        "Outer", (Model,), {"__annotations__": {"it": annotation}} | ({} if default is ... else {"it": default})
    )
    return structural(model)["properties"]["it"]


@pytest.mark.parametrize(
    ("annotation", "default", "wanted"),
    [
        (str | None, None, {"type": "string"}),
        (
            Annotated[int, Field(gt=0, lt=9)],
            ...,
            {"type": "integer", "minimum": 0, "exclusiveMinimum": True, "maximum": 9, "exclusiveMaximum": True},
        ),
        (Literal["a"], "a", {"type": "string", "enum": ["a"], "default": "a"}),
        (Literal[1, 2], ..., {"type": "integer", "enum": [1, 2]}),
        (
            Annotated[list[str], list_set()],
            ...,
            {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        ),
        (set[str], ..., {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}),
        (dict[str, str], ..., {"type": "object", "additionalProperties": {"type": "string"}}),
        (
            Annotated[dict[str, Any], open_object()],
            ...,
            {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        ),
        (
            Annotated[list[dict[str, Any]], open_items()],
            ...,
            {
                "type": "array",
                "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "x-kubernetes-list-type": "atomic",
            },
        ),
        (Annotated[int, Field(json_schema_extra={"format": "int64"})], ..., {"type": "integer", "format": "int64"}),
    ],
    ids=str,
)
def test_each_form_has_its_structural_one(annotation, default, wanted):
    assert field(annotation, default) == wanted


def test_an_optional_block_is_that_block():
    assert field(Inner | None, None) == {
        "description": "An inner block.",
        "type": "object",
        "properties": {"size": {"type": "integer", "default": 3}, "name": {"type": "string", "maxLength": 5}},
        "required": ["name"],
    }


def test_the_default_of_a_block_is_complete_so_that_rules_can_be_evaluated_on_it():
    assert field(Settings, Settings())["default"] == {"mode": "A"}


def test_a_late_default_is_left_to_the_operator():
    assert "default" not in field(Settings, Settings())["properties"]["image"]


def test_a_default_made_by_a_factory_is_there_too():
    model = type(
        "Outer",
        (Model,),
        {"__annotations__": {"it": list[Inner]}, "it": Field(default_factory=lambda: [Inner(name="a")])},
    )
    assert structural(model)["properties"]["it"]["default"] == [{"name": "a"}]


def test_rules_of_a_type_and_of_its_use_add_up():
    rule = matching(r"^a$", "must be a")
    tight = Annotated[str, rules(rule)]
    twice = field(Annotated[tight, rules(matching(r"^b$", "must be b"))])
    assert [each["message"] for each in twice[VALIDATIONS]] == ["must be a", "must be b"]


def test_a_quantity_is_an_integer_or_a_string():
    schema = field(Quantity)
    assert schema["x-kubernetes-int-or-string"] is True
    assert schema["anyOf"] == [{"type": "integer"}, {"type": "string"}]
    assert "type" not in schema


def test_a_duration_is_bounded_in_cel():
    assert "duration(self) >= duration('1s')" in field(Duration)[VALIDATIONS][0]["rule"]


def test_acronyms_and_snake_case_become_camel_case():
    model = type("Outer", (Model,), {"__annotations__": {"kms_key_id": str}})
    assert list(structural(model)["properties"]) == ["kmsKeyId"]


class Loop(Model):
    """Contains itself."""

    inner: Loop | None = None


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (int | str, "it: a union has no structural form"),
        (tuple[int, str], "it: prefixItems has no structural form"),
        (dict[Annotated[str, Field(pattern="^a$")], str], "no structural form"),
        (dict[str, Any], "an object without fields; use open_object"),
        (Loop, "contains itself"),
    ],
    ids=str,
)
def test_what_has_no_structural_form_is_refused_with_its_path(annotation, said):
    with pytest.raises(SchemaError, match=said.replace("(", "[(]")):
        field(annotation)


def test_a_status_has_no_defaults():
    class Status(Model):
        """A status."""

        settings: Settings = Settings()
        items: Annotated[list[Inner], list_map("name")] = Field(default_factory=list)

    def defaults(schema: Any) -> bool:
        if isinstance(schema, dict):
            return "default" in schema or any(defaults(child) for child in schema.values())
        return isinstance(schema, list) and any(map(defaults, schema))

    assert defaults(structural(Status))
    assert not defaults(without_defaults(structural(Status)))


def test_a_rule_that_is_not_anchored_is_refused_for_cel_searches():
    with pytest.raises(ValueError, match="anchor"):
        matching("a", "must be a")


def test_a_broken_rule_stands_at_its_member():
    class Choice(Model):
        """One of two."""

        first: str | None = None
        second: str | None = None

    assert exactly_one("first", "second").message == "set exactly one of first and second"
    assert field(Annotated[Choice, rules(exactly_one("first", "second"))])[VALIDATIONS] == [
        {
            "rule": "[has(self.first), has(self.second)].exists_one(isSet, isSet)",
            "message": "set exactly one of first and second",
        }
    ]
