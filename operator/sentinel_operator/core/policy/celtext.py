"""Pieces of CEL as the API server reads it: texts that cannot break out of their quotes, and the calendar."""

from __future__ import annotations

import json
from collections.abc import Iterable

from sentinel_operator.api.actionrules import DAYS, ChangeFreeze, RecurringFreeze

_MADE = "timestamp(object.metadata.creationTimestamp)"


def words(texts: Iterable[str]) -> str:
    """Writes a list of strings."""
    return "[" + ", ".join(text(each) for each in texts) + "]"


def text(word: str) -> str:
    """Writes a string; JSON's escapes are CEL's."""
    return json.dumps(word, ensure_ascii=False)


def not_frozen(freeze: ChangeFreeze) -> str:
    """Says that an object was not made within a window of the freeze."""
    frozen = [
        f"({_MADE} >= timestamp('{each.start}') && {_MADE} < timestamp('{each.end}'))" for each in freeze.windows or ()
    ]
    frozen += [_recurs(each) for each in freeze.recurring or ()]
    return f"!({' || '.join(frozen)})"


def _recurs(freeze: RecurringFreeze) -> str:
    """CEL's week begins with Sunday, as 0."""
    days = [(DAYS.index(day) + 1) % 7 for day in freeze.days or DAYS]
    zone = text(freeze.timezone)
    clock = f"({_MADE}.getHours({zone}) * 60 + {_MADE}.getMinutes({zone}))"
    today = f"{_MADE}.getDayOfWeek({zone}) in {json.dumps(sorted(days))}"
    after = f"{_MADE}.getDayOfWeek({zone}) in {json.dumps(sorted((day + 1) % 7 for day in days))}"
    start, end = _minutes(freeze.from_), _minutes(freeze.to)
    if start < end:
        return f"({today} && {clock} >= {start} && {clock} < {end})"
    return f"(({today} && {clock} >= {start}) || ({after} && {clock} < {end}))"


def _minutes(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)
