"""What pydantic found, in the words of the API server, at the field that has to be changed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sentinel_operator.api.kinds import Kind
from sentinel_operator.core.admission.verdict import FieldError, member
from sentinel_operator.core.plan import Manifest

_TYPES = {
    "string_type": "string",
    "int_type": "integer",
    "int_parsing": "integer",
    "int_from_float": "integer",
    "float_type": "number",
    "float_parsing": "number",
    "bool_type": "boolean",
    "bool_parsing": "boolean",
    "list_type": "array",
    "dict_type": "object",
    "model_type": "object",
}
_SENTENCES: Mapping[str, Callable[[Mapping[str, Any], Any], str]] = {
    "missing": lambda _, __: "Required value",
    "string_too_long": lambda context, _: f"Too long: may not be more than {context['max_length']} bytes",
    "string_too_short": lambda context, _: f"should be at least {context['min_length']} chars long",
    "too_long": lambda context, value: f"Too many: {len(value)}: must have at most {context['max_length']} items",
    "too_short": lambda context, _: f"should have at least {context['min_length']} items",
    "greater_than": lambda context, _: f"should be greater than {_number(context['gt'])}",
    "greater_than_equal": lambda context, _: f"should be greater than or equal to {_number(context['ge'])}",
    "less_than": lambda context, _: f"should be less than {_number(context['lt'])}",
    "less_than_equal": lambda context, _: f"should be less than or equal to {_number(context['le'])}",
    "literal_error": lambda context, value: (
        f"Unsupported value: {json.dumps(value)}: supported values: "
        + ", ".join(json.dumps(choice) for choice in re.findall(r"'([^']*)'", context["expected"]))
    ),
}


def explain(error: ValidationError, *, root: str = "spec") -> tuple[FieldError, ...]:
    """Gives each thing that is wrong at the path under which the API server would name it."""
    return tuple(
        FieldError(_path(root, details["loc"]), _sentence(details)) for details in error.errors(include_url=False)
    )


def broken_rules(kind: Kind, raw: Manifest) -> tuple[FieldError, ...]:
    """Gives the rules of the whole object (its name, that is) which it breaks."""
    return tuple(FieldError(rule.field, rule.message) for rule in kind.rules if not rule.holds(raw))


def _path(root: str, steps: tuple[int | str, ...]) -> str:
    return root + "".join(f"[{step}]" if isinstance(step, int) else member(step) for step in steps)


def _number(bound: float) -> str:
    return str(int(bound)) if bound == int(bound) else str(bound)


def _sentence(details: ErrorDetails) -> str:
    kind = details["type"]
    if kind in _TYPES:
        return f"must be of type {_TYPES[kind]}"
    if kind in _SENTENCES:
        return _SENTENCES[kind](details.get("ctx", {}), details["input"])
    return details["msg"]
