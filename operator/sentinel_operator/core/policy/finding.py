"""What a rule says of a change, and by what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a bound is kept. `inputs` are what it was judged by, as people read them."""

    violated: bool
    message: str
    inputs: Mapping[str, str] = field(default_factory=dict)


def holds(message: str, **inputs: object) -> Finding:
    """Says that the bound is kept."""
    return Finding(False, message, _written(inputs))


def violated(message: str, **inputs: object) -> Finding:
    """Says that it is not."""
    return Finding(True, message, _written(inputs))


def number(value: float | Decimal) -> str:
    """Writes a number without what it does not need: 2.50 as 2.5."""
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:g}"


def _written(inputs: Mapping[str, object]) -> dict[str, str]:
    shown: dict[str, str] = {}
    for name, value in inputs.items():
        if value is None:
            shown[name] = "unknown"
        elif isinstance(value, bool):
            shown[name] = str(value).lower()
        elif isinstance(value, int):
            shown[name] = str(value)
        elif isinstance(value, float | Decimal):
            shown[name] = number(value)
        else:
            shown[name] = str(value)[:256]
    return shown
