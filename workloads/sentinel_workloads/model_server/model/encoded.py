"""A body of /v1/predict as tensors, and what makes it so."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from sentinel_workloads.model_server.oip.datatypes import Array
from sentinel_workloads.model_server.refusal import invalid

Body = dict[str, Any]


@dataclass(slots=True)
class Encoded:
    """Instances as the model takes them. `single`: the body named one instance, not a list of one."""

    feeds: dict[str, Array]
    rows: int
    single: bool
    key: Hashable = None
    """Only requests of one key run together."""
    truncated: tuple[bool, ...] | None = None
    """For texts: which were cut."""


class Encoder(Protocol):
    """Turns the instances of a body into tensors, or refuses and names the field."""

    one: str
    """Member that holds one instance."""
    many: str
    """Member that holds a list of them."""

    def encode(self, body: Body) -> Encoded:
        """Gives the tensors."""

    def is_heavy(self, body: Body) -> bool:
        """Tells whether encoding would hold up other requests for longer than a hop to a thread."""


def checked_json(body: bytes, encoder: Encoder) -> Body:
    """Reads a body."""
    try:
        return checked(orjson.loads(body), encoder)
    except orjson.JSONDecodeError as error:
        raise invalid(f"the body is not JSON: {error}") from None


PROBABILITIES = "probabilities"
"""Member that asks for the probability of every label."""


def checked(body: Any, encoder: Encoder) -> Body:
    """Gives the body; an unknown member is refused, since a misspelled one would silently do nothing."""
    if not isinstance(body, dict):
        raise invalid("the body must be a JSON object")
    for member in body:
        if member not in (encoder.one, encoder.many, PROBABILITIES):
            raise invalid(
                f"unknown member {member!r}; this model takes {encoder.one!r} or {encoder.many!r}", field=str(member)
            )
    if type(body.get(PROBABILITIES, False)) is not bool:
        raise invalid("must be true or false", field=PROBABILITIES)
    return body


def instances_of(body: Body, *, one: str, many: str, limit: int) -> tuple[list[Any], bool]:
    """Gives the instances and whether the body named just one; exactly one of the two members must be there."""
    if one in body:
        if many in body:
            raise invalid(f"give {one!r} or {many!r}, not both", field=many)
        return [body[one]], True
    instances = body.get(many)
    if instances is None:
        raise invalid(f"{one!r} is required (or {many!r}, a list)", field=one)
    if not isinstance(instances, list) or not instances:
        raise invalid(f"{many!r} must be a list of at least one", field=many)
    if len(instances) > limit:
        raise invalid(f"{many!r} holds {len(instances)} instances, the limit is {limit}", field=many)
    return instances, False
