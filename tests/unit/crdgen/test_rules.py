"""Each rule of the contract gives one verdict, whoever evaluates it: CEL or Python."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import celpy
import pytest
from pydantic import ValidationError

from sentinel_operator.api.kinds import KINDS, Kind
from sentinel_operator.core.admission.errors import broken_rules, explain
from sentinel_operator.core.admission.verdict import FieldError
from tests.unit.crdgen import rule_cases
from tests.unit.crdgen.rule_cases import (
    Occurrence,
    accepted,
    at,
    examples,
    fields,
    found,
    occurrences,
    places,
    refused,
    schema_of,
)

OCCURRENCES = tuple(occurrences())


def verdict(document: dict[str, Any]) -> tuple[FieldError, ...]:
    """Gives what our own parse says."""
    kind = next(kind for kind in KINDS if kind.kind == document["kind"])
    errors = broken_rules(kind, document)
    try:
        kind.spec.model_validate(document["spec"])
    except ValidationError as error:
        return (*errors, *explain(error))
    return errors


@cache
def program(rule: str) -> celpy.Runner:
    environment = celpy.Environment()
    return environment.program(environment.compile(rule))


def holds(rule: str, value: Any) -> bool:
    return bool(program(rule).evaluate({"self": celpy.json_to_cel(value)}))


def defaulted(value: Any, schema: dict[str, Any]) -> Any:
    """Fills in defaults as the API server does before it evaluates rules, for which a number is never an integer."""
    if isinstance(value, dict) and "properties" in schema:
        fields = schema["properties"]
        filled = {name: copy.deepcopy(field["default"]) for name, field in fields.items() if "default" in field}
        return {name: defaulted(item, fields.get(name, {})) for name, item in {**filled, **value}.items()}
    if isinstance(value, dict) and "additionalProperties" in schema:
        return {name: defaulted(item, schema["additionalProperties"]) for name, item in value.items()}
    if isinstance(value, list):
        return [defaulted(item, schema["items"]) for item in value]
    return float(value) if schema.get("type") == "number" else value


@pytest.mark.parametrize("document", [*accepted(), *examples()], ids=lambda document: document["metadata"]["name"])
def test_an_accepted_object_parses_and_survives_a_round_trip(document):
    assert verdict(document) == ()
    spec = next(kind for kind in KINDS if kind.kind == document["kind"]).spec
    parsed = spec.model_validate(document["spec"])
    assert spec.model_validate(parsed.model_dump(mode="json", by_alias=True, exclude_none=True)) == parsed


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_every_field_is_in_an_accepted_object(kind: Kind):
    spec = schema_of(kind)["properties"]["spec"]
    assert [".".join(steps) for steps in fields(spec, ("spec",)) if not found(kind, steps)] == []


@pytest.mark.parametrize("occurrence", OCCURRENCES, ids=str)
def test_every_rule_has_something_to_accept_and_something_to_refuse(occurrence: Occurrence):
    assert places(occurrence), "no object in tests/data/crds/accepted has this field"
    assert refused(occurrence), "tests/data/crds/refused.yaml has no value for this message"


def test_nothing_is_refused_by_a_rule_that_is_gone():
    assert set(rule_cases.refused_values()) == {occurrence.message for occurrence in OCCURRENCES}


@pytest.mark.parametrize("occurrence", OCCURRENCES, ids=str)
def test_the_parse_refuses_what_breaks_the_rule_and_names_the_field(occurrence: Occurrence):
    for document, field in refused(occurrence):
        said = {
            FieldError(error.field.replace("[", ".").replace("]", ""), error.message) for error in verdict(document)
        }
        assert FieldError(field.replace("[", ".").replace("]", ""), occurrence.message) in said


@pytest.mark.parametrize("occurrence", OCCURRENCES, ids=str)
def test_cel_gives_the_same_verdict(occurrence: Occurrence):
    schema = schema_of(occurrence.kind)
    for document, steps in places(occurrence):
        assert holds(occurrence.rule, at(defaulted(document, schema), steps)), document["metadata"]["name"]
    (_, steps), *_ = places(occurrence)
    for document, _ in refused(occurrence):
        assert not holds(occurrence.rule, at(defaulted(document, schema), steps)), at(document, steps)
