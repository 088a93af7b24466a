"""The API server accepts and refuses what the contract says, and all three gates use the same words."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from sentinel_operator.api.kinds import KINDS, Kind
from sentinel_operator.api.rules import VALIDATIONS
from sentinel_operator.core.admission.errors import broken_rules, explain
from tests.integration.crds.client import Client
from tests.unit.crdgen.rule_cases import (
    Occurrence,
    Steps,
    accepted,
    examples,
    field_path,
    occurrences,
    places,
    refused,
    replaced,
    schema_of,
)

pytestmark = pytest.mark.integration


def kind_of(document: dict[str, Any]) -> Kind:
    return next(kind for kind in KINDS if kind.kind == document["kind"])


def plain(field: str) -> str:
    """Map keys are `requests[memory]` to one part of the API server and `requests.memory` to another."""
    return re.sub(r"\[([^\]]*)\]", r".\1", field)


def sentence(message: str) -> str:
    """Drops what the API server puts before the sentence itself."""
    short = re.sub(r'^Invalid value: (?:"(?:[^"\\]|\\.)*"|[^:"]*): ', "", message)
    short = re.sub(r"^Required value: (?=.)", "", short)
    short = re.sub(r"^\S+ in body ", "", short)
    return re.sub(r'^(must be of type \w+): ".*"$', r"\1", short)


def api_says(api: Client, namespace: str, document: dict[str, Any]) -> set[tuple[str, str]]:
    causes = api.causes(kind_of(document), namespace, document)
    return {(plain(field), sentence(message)) for field, message in causes}


def we_say(document: dict[str, Any]) -> set[tuple[str, str]]:
    kind = kind_of(document)
    errors = list(broken_rules(kind, document))
    try:
        kind.spec.model_validate(document["spec"])
    except ValidationError as error:
        errors += explain(error)
    return {(plain(error.field), error.message) for error in errors}


@pytest.mark.parametrize("document", [*accepted(), *examples()], ids=lambda document: document["metadata"]["name"])
def test_accepted_objects_are_accepted(api: Client, namespace: str, document: dict[str, Any]):
    assert api_says(api, namespace, document) == set()


@pytest.mark.parametrize("occurrence", tuple(occurrences()), ids=str)
def test_each_rule_refuses_at_its_field_with_its_message_at_every_gate(
    api: Client, namespace: str, occurrence: Occurrence
):
    cases = refused(occurrence)
    assert places(occurrence)
    assert cases
    for document, field in cases:
        wanted = (plain(field), occurrence.message)
        assert wanted in api_says(api, namespace, document)
        assert wanted in we_say(document)


def out_of_bounds(schema: dict[str, Any]) -> Iterator[Any]:
    """Yields a value beyond each bound that the schema itself (no rule) sets."""
    if schema.get("enum"):
        yield "Unheard-Of"
    if "minimum" in schema:
        yield schema["minimum"] - (0 if schema.get("exclusiveMinimum") else 1)
    if "maximum" in schema:
        yield schema["maximum"] + 1
    if schema.get("minLength"):
        yield ""
    if "maxLength" in schema and schema.get("type") == "string" and VALIDATIONS not in schema:
        yield "x" * (schema["maxLength"] + 1)
    if schema.get("minItems"):
        yield []
    if schema.get("type") == "array":
        yield 5
    if schema.get("type") in ("boolean", "object"):
        yield ["x"]


def bounded(document: dict[str, Any]) -> Iterator[tuple[Steps, Any]]:
    yield from _bounded(document["spec"], schema_of(kind_of(document))["properties"]["spec"], ("spec",))


def _bounded(value: Any, schema: dict[str, Any], steps: Steps) -> Iterator[tuple[Steps, Any]]:
    yield from ((steps, bad) for bad in out_of_bounds(schema))
    if isinstance(value, dict):
        for name, item in value.items():
            child = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
            if child:
                yield from _bounded(item, child, (*steps, name))
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from _bounded(item, schema["items"], (*steps, index))


@pytest.mark.parametrize("document", accepted(), ids=lambda document: document["metadata"]["name"])
def test_bounds_types_and_choices_are_refused_in_the_same_words(api: Client, namespace: str, document: dict[str, Any]):
    tried = 0
    for steps, bad in bounded(document):
        field = plain(field_path(steps))
        broken = replaced(document, steps, bad)
        theirs = {said for said in api_says(api, namespace, broken) if said[0] == field}
        ours = {said for said in we_say(broken) if said[0] == field}
        assert theirs, f"the API server accepts {bad!r} at {field}"
        assert ours
        assert ours <= theirs, "where a bound is broken, a rule's verdict may come on top at the API server"
        tried += 1
    assert tried > 1


def required_fields(value: Any, schema: dict[str, Any], steps: Steps) -> Iterator[Steps]:
    for name in schema.get("required", ()):
        yield (*steps, name)
    for name, item in value.items() if isinstance(value, dict) else ():
        yield from required_fields(item, schema.get("properties", {}).get(name, {}), (*steps, name))
    for index, item in enumerate(value if isinstance(value, list) else ()):
        yield from required_fields(item, schema.get("items", {}), (*steps, index))


@pytest.mark.parametrize("document", accepted(), ids=lambda document: document["metadata"]["name"])
def test_what_is_required_is_asked_for_in_the_same_words(api: Client, namespace: str, document: dict[str, Any]):
    for steps in required_fields(document["spec"], schema_of(kind_of(document))["properties"]["spec"], ("spec",)):
        *parents, last = steps
        broken = copy.deepcopy(document)
        target = broken
        for step in parents:
            target = target[step]
        del target[last]
        wanted = (plain(field_path(steps)), "Required value")
        assert wanted in api_says(api, namespace, broken)
        assert wanted in we_say(broken)


def test_items_that_repeat_a_key_are_refused_in_the_same_words(api: Client, namespace: str):
    document = next(each for each in accepted() if each["metadata"]["name"] == "from-object-store")
    for steps in (
        ("spec", "model", "verify", "authorities"),
        ("spec", "pod", "env"),
        ("spec", "pod", "volumes"),
        ("spec", "pod", "imagePullSecrets"),
        ("spec", "routing", "gateway", "hostnames"),
    ):
        target: Any = document
        for step in steps:
            target = target[step]
        broken = replaced(document, steps, [*target, target[0]])
        theirs = {said for said in api_says(api, namespace, broken) if said[1].startswith("Duplicate value")}
        assert theirs
        assert theirs <= we_say(broken)
