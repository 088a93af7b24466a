"""A raw spec as a typed value, or what is wrong with it: the third gate, in the words of the first two."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from sentinel_operator.core.admission.verdict import FieldError, Verdict
from sentinel_operator.core.plan import Manifest

SpecT = TypeVar("SpecT")
Read = Callable[[Manifest], tuple[SpecT | None, tuple[FieldError, ...]]]
"""Admission's reading of a whole object."""
REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Parsed(Generic[SpecT]):
    """The spec if it is valid, and otherwise a message that names every field at fault."""

    spec: SpecT | None
    problem: str = ""


def parse(raw: Manifest, read: Read[SpecT]) -> Parsed[SpecT]:
    """Reads the spec of a raw object; never raises for what a user may have written."""
    spec, errors = read(raw)
    return Parsed(None, Verdict(errors=errors).message) if errors else Parsed(spec)


class ParsedSpecs(Generic[SpecT]):
    """Parses each generation of an object once: validating a spec is the dearest part of a pass that finds nothing to
    do. Not safe for threads."""

    def __init__(self, read: Read[SpecT], *, remembered: int = REMEMBERED) -> None:
        self._read, self._remembered = read, remembered
        self._parsed: OrderedDict[tuple[str, int], Parsed[SpecT]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._parsed)

    def of(self, raw: Manifest) -> Parsed[SpecT]:
        """Gives what the object says; one that the API server has not named yet is read each time."""
        metadata = raw["metadata"]
        if not metadata.get("uid") or not metadata.get("generation"):
            return parse(raw, self._read)
        key = (metadata["uid"], int(metadata["generation"]))
        found = self._parsed.get(key)
        if found is None:
            found = self._parsed[key] = parse(raw, self._read)
            if len(self._parsed) > self._remembered:
                self._parsed.popitem(last=False)
        self._parsed.move_to_end(key)
        return found
