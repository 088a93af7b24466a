"""A raw spec as a typed value, or what is wrong with it: the third gate, in the words of the first two."""

from __future__ import annotations

from dataclasses import dataclass

from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.core.admission.sentrymodel import read
from sentinel_operator.core.admission.verdict import Verdict
from sentinel_operator.core.plan import Manifest


@dataclass(frozen=True, slots=True)
class Parsed:
    """The spec if it is valid, and otherwise a message that names every field at fault."""

    spec: SentryModelSpec | None
    problem: str = ""


def parse(raw: Manifest) -> Parsed:
    """Reads the spec of a raw object; never raises for what a user may have written."""
    spec, errors = read(raw)
    return Parsed(None, Verdict(errors=errors).message) if errors else Parsed(spec)
