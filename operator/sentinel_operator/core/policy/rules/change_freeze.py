"""ChangeFreeze: when nothing is changed, by moments and by the clocks of a place; exempt is who truly is."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from sentinel_operator.api.actionrules import DAYS, ChangeFreeze, FreezeWindow, RecurringFreeze
from sentinel_operator.core.conditions import parse_time, rfc3339
from sentinel_operator.core.policy.facts import Facts
from sentinel_operator.core.policy.finding import Finding, holds, violated


def judge(bound: ChangeFreeze, facts: Facts) -> Finding:
    """Finds every change violated within a window, but for those of exempt sources."""
    told = {"now": rfc3339(facts.now), "sources": ", ".join(sorted(facts.sources))}
    exempt = facts.sources & set(bound.exempt_sources or ())
    if exempt:
        return holds(f"{', '.join(sorted(exempt))} is exempt", **told)
    for window in bound.windows or ():
        if _within(window, facts.now):
            return violated(f"frozen until {window.end}{_because(window.reason)}", **told)
    for again in bound.recurring or ():
        if recurs(again, facts.now):
            said = f"frozen from {again.from_} to {again.to} ({again.timezone}){_because(again.reason)}"
            return violated(said, **told)
    return holds("no freeze", **told)


def recurs(freeze: RecurringFreeze, now: datetime) -> bool:
    """Tells whether the moment lies in the window of its day, or in what the day before left of its own."""
    local = now.astimezone(zone(freeze.timezone))
    clock, start, end = f"{local:%H:%M}", freeze.from_, freeze.to
    today, yesterday = DAYS[local.weekday()], DAYS[(local.date() - timedelta(days=1)).weekday()]
    if start < end:
        return _on(freeze, today) and start <= clock < end
    return (_on(freeze, today) and clock >= start) or (_on(freeze, yesterday) and clock < end)


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """Gives a time zone; raises ValueError for one that does not exist."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError) as error:  # ZoneInfoNotFoundError is a KeyError; a folder's name gives an OSError
        raise ValueError(f"there is no time zone {name!r}") from error


def _on(freeze: RecurringFreeze, day: str) -> bool:
    return freeze.days is None or day in freeze.days


def _within(window: FreezeWindow, now: datetime) -> bool:
    start, end = parse_time(window.start), parse_time(window.end)
    if start is None or end is None:
        raise ValueError(f"{window.start} to {window.end} is no time")
    return start <= now < end


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""
