"""Events as a story: newest last, repetitions folded as the API server has folded them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from sentinel_operator.cli.ages import age
from sentinel_operator.cli.grid import Cell, grid, short, styled
from sentinel_operator.core.conditions import parse_time
from sentinel_operator.core.plan import Manifest

MOST_SHOWN = 20


def event_lines(events: Sequence[Manifest], *, now: datetime) -> list[Text]:
    """Gives a row an event; of many, the newest."""
    told = sorted(events, key=lambda event: (_moment(event), event["metadata"].get("name", "")))[-MOST_SHOWN:]
    return grid([_row(event, now) for event in told], indent=2)


def last_seen(event: Manifest) -> str:
    """Gives when it happened last; the API has had four fields for that."""
    series: dict[str, Any] = event.get("series") or {}
    moments = (series.get("lastObservedTime"), event.get("deprecatedLastTimestamp"), event.get("eventTime"))
    return next((moment for moment in moments if moment), event["metadata"].get("creationTimestamp") or "")


def _moment(event: Manifest) -> datetime:
    return parse_time(last_seen(event)) or datetime.min.replace(tzinfo=UTC)


def _row(event: Manifest, now: datetime) -> Sequence[Cell]:
    count = (event.get("series") or {}).get("count") or event.get("deprecatedCount") or 1
    first = event.get("deprecatedFirstTimestamp") or event.get("eventTime")
    often = f" (x{count} over {age(first, now)})" if int(count) > 1 else ""
    regarding = event.get("regarding") or {}
    warning = event.get("type") == "Warning"
    return (
        f"{age(last_seen(event), now)} ago{often}",
        styled(event.get("type", ""), "yellow" if warning else ""),
        event.get("reason", ""),
        f"{str(regarding.get('kind', '')).lower()}/{regarding.get('name', '')}",
        short(event.get("note", "")),
    )
