"""What a brain says, field by field: a value, nothing, or a refusal that names the field.

A brain's JSON and the JSON of a protobuf message are read alike: numbers may be strings, and what protobuf has no word
for (an empty string, a zero where zero means nothing) is nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import override

Json = Mapping[str, Any]
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?[0-9]{1,18}([.][0-9]{1,18})?([eE][-+]?[0-9]{1,3})?")
_SHOWN = 80


class Untranslatable(ValueError):  # noqa: N818 - as it stands in `except` clauses
    """What the brain says is no plan; `field` is what it has to change."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field, self.message = field, message

    @override
    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


def shown(value: object) -> str:
    """Quotes what was said, bounded."""
    text = str(value)
    return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…")


def text(said: Json, name: str, *, path: str = "", most: int = 1024) -> str:
    """Gives a text; empty where nothing is said."""
    value, field = said.get(name), _field(path, name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Untranslatable(field, "must be a text")
    if len(str(value)) > most:
        raise Untranslatable(field, f"must have at most {most} characters")
    return str(value).strip()


def integer(said: Json, name: str, *, path: str = "") -> int | None:
    """Gives a whole number, or the one that a text holds; None where nothing is said."""
    value, field = said.get(name), _field(path, name)
    if value is None or value == "":
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | str) or not _INTEGER.fullmatch(str(value)):
        raise Untranslatable(field, f"must be a whole number, not {shown(value)}")
    return int(value)


def number(said: Json, name: str, *, path: str = "") -> float | None:
    """Gives a number, or the one that a text holds; None where nothing is said."""
    value, field = said.get(name), _field(path, name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str) or not _NUMBER.fullmatch(str(value)):
        raise Untranslatable(field, f"must be a number, not {shown(value)}")
    if not math.isfinite(float(value)):
        raise Untranslatable(field, f"is too large: {shown(value)}")
    return float(value)


def mapping(said: Json, name: str, *, path: str = "", most: int = 64) -> Json:
    """Gives an object; an empty one where nothing is said."""
    value, field = said.get(name), _field(path, name)
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise Untranslatable(field, "must be an object")
    if len(value) > most:
        raise Untranslatable(field, f"must have at most {most} members")
    return value


def items(said: Json, name: str, *, path: str = "", most: int) -> Sequence[Any]:
    """Gives a list; an empty one where nothing is said."""
    value, field = said.get(name), _field(path, name)
    if value is None:
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise Untranslatable(field, "must be a list")
    if len(value) > most:
        raise Untranslatable(field, f"must have at most {most} items")
    return value


def choice(said: Json, name: str, choices: Sequence[str], *, path: str = "") -> str:
    """Gives the choice that is meant, however its letters are cased; empty where nothing is said."""
    value = text(said, name, path=path, most=64)
    if not value:
        return ""
    plain = value.replace("_", "").replace("-", "").lower()
    found = [each for each in choices if each.lower() == plain]
    if not found:
        raise Untranslatable(_field(path, name), f"must be one of {', '.join(choices)}, not {shown(value)}")
    return found[0]


def _field(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
