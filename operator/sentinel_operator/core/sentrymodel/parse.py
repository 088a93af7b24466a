"""A raw spec as a typed value, or what is wrong with it: the third gate, in the words of the first two."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from sentinel_operator.api.kinds import SENTRY_MODEL
from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.core.admission.errors import broken_rules, explain
from sentinel_operator.core.admission.verdict import FieldError, Verdict
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.sentrymodel.checks import problems


@dataclass(frozen=True, slots=True)
class Parsed:
    """The spec if it is valid, and otherwise a message that names every field at fault."""

    spec: SentryModelSpec | None
    problem: str = ""


def parse(raw: Manifest) -> Parsed:
    """Reads the spec of a raw object; never raises for what a user may have written."""
    errors = broken_rules(SENTRY_MODEL, raw)
    if errors:
        return _refused(errors)
    try:
        spec = SentryModelSpec.model_validate(raw.get("spec") or {})
    except ValidationError as error:
        return _refused(explain(error))
    errors = problems(spec)
    return _refused(errors) if errors else Parsed(spec)


def _refused(errors: tuple[FieldError, ...]) -> Parsed:
    return Parsed(None, Verdict(errors=errors).message)
