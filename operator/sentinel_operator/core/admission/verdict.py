"""What admission decides, and the shape of the pure functions that decide it: `(review) -> Verdict`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from typing_extensions import override

from sentinel_operator.core.plan import Manifest

_MOST_ERRORS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong, at the field that has to be changed: `spec.rollout.steps[2].weight`."""

    field: str
    message: str

    @override
    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


def member(name: str) -> str:
    """Gives how a field's path goes on to a member; a name that could break the line, or the path, is quoted."""
    return f".{name}" if name.isprintable() and name else f"[{json.dumps(name)}]"


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks, as the API server has authenticated them."""

    username: str
    uid: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One creation (`old` is None) or update to be judged. The objects are raw and may not validate."""

    kind: str
    new: Manifest
    old: Manifest | None
    requester: Requester


@dataclass(frozen=True, slots=True)
class Verdict:
    """Errors refuse the request; warnings are shown to whoever made it."""

    errors: tuple[FieldError, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """Says every error in one line, the way the API server says its own."""
        shown = [str(error) for error in self.errors[:_MOST_ERRORS_SHOWN]]
        rest = len(self.errors) - len(shown)
        return "; ".join(shown) + (f"; and {rest} more" if rest else "")


Validator = Callable[[Review], Verdict]
"""Judges one kind. Pure: what it says depends on the review alone."""
