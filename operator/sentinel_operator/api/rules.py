"""Rules of the contract: each is written once and holds at every gate.

A rule is CEL for the API server and a predicate for every parse of ours (webhook, reconciler). Both say the same
sentence; tests/unit/crdgen compares their verdicts, tests/integration/crds asks the API server itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.alias_generators import to_snake
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import InitErrorDetails, PydanticCustomError, core_schema

VALIDATIONS = "x-kubernetes-validations"
REQUIRED = "FieldValueRequired"
FORBIDDEN = "FieldValueForbidden"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CEL:
    """One rule. Source: apiextensions `x-kubernetes-validations`."""

    rule: str
    """The expression; `self` is the value, unset optional fields fail `has()`, defaults are already there."""
    message: str
    """What to do, read after the path of the value: `spec.model.digest: must be sha256: and …`."""
    holds: Callable[[Any], bool]
    """The same verdict in Python, on the parsed value; a rule of a whole object gets the raw object."""
    field: str = ""
    """The member of the value that has to be changed; empty where it is the value itself."""
    reason: str = ""

    def as_schema(self) -> dict[str, str]:
        """Gives the rule as it stands in a CRD."""
        optional = {"fieldPath": f".{self.field}" if self.field else "", "reason": self.reason}
        return {"rule": self.rule, "message": self.message, **{key: value for key, value in optional.items() if value}}


@dataclass(frozen=True, slots=True, eq=False)  # typing hashes the members of an Annotated
class Rules:
    """Marks a field with rules: the CRD's schema carries them and pydantic enforces them."""

    cel: tuple[CEL, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._enforce, handler(source))

    def __get_pydantic_json_schema__(
        self, core: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(core)
        if "$ref" in schema:
            schema = {"allOf": [schema]}
        return {**schema, VALIDATIONS: [*schema.get(VALIDATIONS, []), *(rule.as_schema() for rule in self.cel)]}

    def _enforce(self, value: Any) -> Any:
        broken = [rule for rule in self.cel if not rule.holds(value)]
        if broken:
            raise ValidationError.from_exception_data(
                type(value).__name__,
                [
                    InitErrorDetails(
                        type=PydanticCustomError("rule", "{message}", {"message": rule.message}),
                        loc=(rule.field,) if rule.field else (),
                        input=value,
                    )
                    for rule in broken
                ],
            )
        return value


def rules(*cel: CEL) -> Rules:
    """Marks a field or a model with rules."""
    return Rules(cel)


def has(value: BaseModel, member: str) -> bool:
    """Tells whether the member is set, as CEL's `has()` does after defaulting."""
    return getattr(value, to_snake(member)) is not None


def _set_members(members: tuple[str, ...]) -> str:
    return "[" + ", ".join(f"has(self.{member})" for member in members) + "]"


def exactly_one(*members: str) -> CEL:
    """Demands that one of the members is set and the others are not."""
    return CEL(
        rule=f"{_set_members(members)}.exists_one(isSet, isSet)",
        message=f"set exactly one of {_listed(members, 'and')}",
        holds=lambda value: sum(has(value, member) for member in members) == 1,
    )


def at_most_one(*members: str) -> CEL:
    """Demands that no two of the members are set."""
    return CEL(
        rule=f"{_set_members(members)}.filter(isSet, isSet).size() <= 1",
        message=f"set at most one of {_listed(members, 'and')}",
        holds=lambda value: sum(has(value, member) for member in members) <= 1,
    )


def required_when(member: str, discriminator: str, *choices: str) -> CEL:
    """Demands the member where the discriminator has one of the values."""
    return CEL(
        rule=f"!(self.{discriminator} in [{', '.join(repr(choice) for choice in choices)}]) || has(self.{member})",
        message=f"must be set when {discriminator} is {_listed(choices, 'or')}",
        holds=lambda value: getattr(value, to_snake(discriminator)) not in choices or has(value, member),
        field=member,
        reason=REQUIRED,
    )


FIXED = "cannot be changed once the object is created: make another one"


def fixed(member: str, *, always_set: bool) -> dict[str, str]:
    """Gives the rule, as it stands in a CRD, by which a member stays what it was. It speaks of two values, so that its
    counterpart in Python is with the webhook: whoever sees one of them alone cannot tell."""
    same = f"self.{member} == oldSelf.{member}"
    unless_unset = f"has(self.{member}) == has(oldSelf.{member}) && (!has(self.{member}) || {same})"
    return {"rule": same if always_set else unless_unset, "message": FIXED, "fieldPath": f".{member}"}


def _listed(words: tuple[str, ...], last: str) -> str:
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def matching(pattern: str, message: str) -> CEL:
    """Demands that a string matches the whole pattern (RE2: no look-around), and says so in words."""
    if not (pattern.startswith("^") and pattern.endswith("$")):
        raise ValueError(f"CEL's matches() searches: anchor {pattern!r} at both ends")
    compiled = re.compile(pattern)
    return CEL(
        rule=f"self.matches(r'{pattern}')",
        message=message,
        holds=lambda value: compiled.fullmatch(value) is not None,
    )
