"""What of a spec stays as it was created: the rule of the schema that compares two values, said once more in Python."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic.alias_generators import to_snake

from sentinel_operator.api.base import Model
from sentinel_operator.api.kinds import Kind
from sentinel_operator.api.rules import FIXED
from sentinel_operator.core.admission.verdict import FieldError


def moved(kind: Kind, before: Model, after: Model) -> Iterator[FieldError]:
    """Yields each member that is another one than before and may not be."""
    if kind.changeable is None:
        return
    changeable = {to_snake(member) for member in kind.changeable}
    for name, field in type(after).model_fields.items():
        if name not in changeable and getattr(before, name) != getattr(after, name):
            yield FieldError(f"spec.{field.alias or name}", FIXED)
