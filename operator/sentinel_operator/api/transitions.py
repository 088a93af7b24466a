"""Rules about a change: what may not be edited once it is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sentinel_operator.api.base import Model


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Transition:
    """Refuses an edit of certain members. The API server evaluates it on updates; admission asks `edited`."""

    members: tuple[str, ...]
    message: str

    def edited(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
        """Gives the members, of raw objects as they are stored, that differ."""
        return tuple(member for member in self.members if before.get(member) != after.get(member))

    def rule(self, member: str) -> dict[str, str]:
        """Gives the rule as it stands in a CRD: neither changed, nor added, nor taken away."""
        same = f"(!has(self.{member}) || self.{member} == oldSelf.{member})"
        return {
            "rule": f"has(self.{member}) == has(oldSelf.{member}) && {same}",
            "message": self.message,
            "fieldPath": f".{member}",
        }

    def as_schema(self) -> list[dict[str, str]]:
        """Gives the rules as they stand in a CRD, on the object that has the members."""
        return [self.rule(member) for member in self.members]


def immutable_but(model: type[Model], *mutable: str) -> Transition:
    """Forbids every edit of a model's members but of those that are named as the API names them."""
    names = [field.alias or name for name, field in model.model_fields.items()]
    unknown = set(mutable) - set(names)
    if unknown:
        raise ValueError(f"{model.__name__} has no {', '.join(sorted(unknown))}")
    return Transition(
        members=tuple(name for name in names if name not in mutable),
        message=f"must not be changed: only {' and '.join(mutable)} can be",
    )
