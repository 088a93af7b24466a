"""What a rule says of a change, and by what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a bound is kept, and what it was judged by."""

    violated: bool
    message: str
    found: Mapping[str, object] = field(default_factory=dict)

    @property
    def inputs(self) -> dict[str, str]:
        """Gives what it was judged by as people read it: written only when somebody is told."""
        return _written(self.found)


def holds(message: str, **inputs: object) -> Finding:
    """Says that the bound is kept."""
    return Finding(False, message, inputs)


def violated(message: str, **inputs: object) -> Finding:
    """Says that it is not."""
    return Finding(True, message, inputs)


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
