"""Spans of time as kubectl writes them: coarser, the longer they are."""

from __future__ import annotations

from datetime import datetime

from sentinel_operator.core.conditions import parse_time

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 31536000
_STEPS = (
    # until, whole units, what is left over in
    (2 * _MINUTE, (1, "s"), None),
    (10 * _MINUTE, (_MINUTE, "m"), (1, "s")),
    (3 * _HOUR, (_MINUTE, "m"), None),
    (8 * _HOUR, (_HOUR, "h"), (_MINUTE, "m")),
    (2 * _DAY, (_HOUR, "h"), None),
    (8 * _DAY, (_DAY, "d"), (_HOUR, "h")),
    (2 * _YEAR, (_DAY, "d"), None),
    (8 * _YEAR, (_YEAR, "y"), (_DAY, "d")),
)
UNKNOWN = "<unknown>"


def span(seconds: float) -> str:
    """Writes a span; a negative one (clocks differ) is 0s."""
    whole = max(0, int(seconds))
    for until, (unit, letter), rest in _STEPS:
        if whole < until:
            left = whole % unit // rest[0] if rest else 0
            return f"{whole // unit}{letter}" + (f"{left}{rest[1]}" if rest and left else "")
    return f"{whole // _YEAR}y"


def age(text: object, now: datetime) -> str:
    """Writes how long ago a timestamp of Kubernetes was."""
    moment = parse_time(str(text or ""))
    return UNKNOWN if moment is None else span((now - moment).total_seconds())
