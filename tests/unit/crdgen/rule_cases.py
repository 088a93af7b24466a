"""For every rule of the contract, where it stands, what it must accept and what it must refuse (tests/data/crds)."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from sentinel_operator.api.kinds import KINDS, Kind
from sentinel_operator.api.rules import VALIDATIONS
from sentinel_operator.crdgen.definition import definition

DATA = Path(__file__).parents[2] / "data" / "crds"

Steps = tuple[str | int, ...]


@dataclass(frozen=True)
class Occurrence:
    """One rule at one place of one kind's schema; `*` stands for a map's keys and `[]` for a list's items."""

    kind: Kind
    steps: tuple[str, ...]
    rule: str
    message: str
    field: str
    schema: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.kind.kind}.{'.'.join(self.steps)}: {self.message}"


@cache
def schema_of(kind: Kind) -> dict[str, Any]:
    return definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def occurrences() -> Iterator[Occurrence]:
    """Yields every rule that a CRD of ours carries about one value, at every place. Those that compare it with the one
    before are tested in test_fixed.py."""
    for kind in KINDS:
        yield from _occurrences(kind, schema_of(kind), ())


def _occurrences(kind: Kind, schema: dict[str, Any], steps: tuple[str, ...]) -> Iterator[Occurrence]:
    for rule in schema.get(VALIDATIONS, ()):
        if "oldSelf" in rule["rule"]:
            continue
        field = rule.get("fieldPath", "").removeprefix(".")
        yield Occurrence(kind, steps, rule["rule"], rule["message"], field, schema)
    for name, child in schema.get("properties", {}).items():
        yield from _occurrences(kind, child, (*steps, name))
    for keyword, step in (("items", "[]"), ("additionalProperties", "*")):
        if keyword in schema:
            yield from _occurrences(kind, schema[keyword], (*steps, step))


def fields(schema: dict[str, Any], steps: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yields the place of every field of a schema."""
    for name, child in schema.get("properties", {}).items():
        yield (*steps, name)
        yield from fields(child, (*steps, name))
    for keyword, step in (("items", "[]"), ("additionalProperties", "*")):
        if keyword in schema:
            yield from fields(schema[keyword], (*steps, step))


@cache
def accepted() -> tuple[dict[str, Any], ...]:
    """Gives valid objects that between them use every field that this version serves."""
    return _documents("accepted")


def _documents(folder: str) -> tuple[dict[str, Any], ...]:
    documents = (yaml.safe_load(path.read_text()) for path in sorted((DATA / folder).glob("*.yaml")))
    return tuple(json.loads(json.dumps(document)) for document in documents)  # an alias becomes a value of its own


@cache
def examples() -> tuple[dict[str, Any], ...]:
    """Gives our objects among the examples that people are told to apply."""
    files = sorted((DATA.parents[2] / "examples").rglob("*.yaml"))
    documents = [document for path in files for document in yaml.safe_load_all(path.read_text())]
    return tuple(each for each in documents if each["kind"] in {kind.kind for kind in KINDS})


@cache
def refused_values() -> dict[str, list[Any]]:
    """Gives the values that must be refused, by the message that must be given."""
    values: dict[str, list[Any]] = yaml.safe_load((DATA / "refused.yaml").read_text())
    return values


def places(occurrence: Occurrence) -> list[tuple[dict[str, Any], Steps]]:
    """Gives where a valid object has a value that the rule is about."""
    return found(occurrence.kind, occurrence.steps)


def found(kind: Kind, steps: tuple[str, ...]) -> list[tuple[dict[str, Any], Steps]]:
    """Gives each valid object that has something at the place, and where."""
    documents = (document for document in accepted() if document["kind"] == kind.kind)
    return [(document, concrete) for document in documents for concrete in _concrete(document, steps)]


def _concrete(value: Any, steps: tuple[str, ...]) -> Iterator[Steps]:
    if not steps:
        yield ()
        return
    first, *rest = steps
    if first == "[]":
        keys: list[Any] = list(range(len(value)))
    elif first == "*":
        keys = list(value)
    else:
        keys = [first] if first in value else []
    for key in keys:
        yield from ((key, *more) for more in _concrete(value[key], tuple(rest)))


def at(document: Any, steps: Steps) -> Any:
    for step in steps:
        document = document[step]
    return document


def replaced(document: dict[str, Any], steps: Steps, value: Any) -> dict[str, Any]:
    """Gives the document with another value at a place."""
    out = copy.deepcopy(document)
    *parents, last = steps
    at(out, tuple(parents))[last] = copy.deepcopy(value)
    return out


def refused(occurrence: Occurrence) -> list[tuple[dict[str, Any], str]]:
    """Gives documents that break the rule at this place and nothing before it, with the field to be named."""
    target = occurrence.field.split(".") if not occurrence.steps else []
    document, steps = (places(occurrence) or [({}, ())])[0]
    field = field_path((*steps, *(occurrence.field.split(".") if occurrence.field else ())))
    return [
        (replaced(document, (*steps, *target), value), field) for value in refused_values().get(occurrence.message, ())
    ]


def field_path(steps: Steps) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")
