"""How far a scan is, how fast it goes, and when it will be done: arithmetic over what the pods tell. Pure.

Counts never go back: a pod that was killed repeats what its last batch had, and one that does not answer is no news.
The rates are smoothed over about a minute; while nothing is scanned, suspended for example, they are unknown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sentinel_operator.api.scanning import Counts
from sentinel_operator.api.scanstatus import ScanProgress
from sentinel_operator.core.conditions import parse_time, rfc3339

WRITE_EVERY = 5.0
"""Seconds between two writes of a status in which nothing but the progress is news."""
_SMOOTHED_OVER = 60.0
_LEAST_SECONDS = 1.0
"""Times are kept in whole seconds: over less than one, a rate says nothing."""
_LONGEST_ETA = 365 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What a look at the whole needs beside the counts."""

    total_bytes: int
    pods: int
    """That work at this moment."""
    pod_price: float = 0.0
    """Of one of them for an hour; 0: not known."""
    currency: str = ""
    now: datetime


def summed(counts: Iterable[Counts]) -> Counts:
    """Adds the counts of all shards."""
    total = dict.fromkeys(Counts.model_fields, 0)
    for each in counts:
        for name in total:
            total[name] += max(0, getattr(each, name))
    return Counts(**total)


def advanced(before: ScanProgress | None, counts: Counts, pace: Pace) -> ScanProgress:
    """Gives the progress by a new look."""
    was = before or ScanProgress()
    grown = _grown(was, counts)
    since = parse_time(was.observed_at) if was.observed_at else None
    elapsed = (pace.now - since).total_seconds() if since is not None else 0.0
    documents, data = grown["scanned"] - was.scanned, grown["bytes"] - was.bytes
    running = pace.pods > 0
    per_minute = _smoothed(was.documents_per_minute, documents * 60, elapsed) if running else None
    per_second = _smoothed(was.bytes_per_second, data, elapsed) if running else None
    return ScanProgress(
        **grown,
        percent=_percent(grown["bytes"], pace.total_bytes),
        total_bytes=pace.total_bytes,
        documents_per_minute=per_minute,
        bytes_per_second=per_second,
        eta_seconds=_eta(pace.total_bytes - grown["bytes"], per_second),
        cost_per_thousand=_cost(per_minute, pace) or was.cost_per_thousand,
        observed_at=rfc3339(pace.now),
    )


def concluded(before: ScanProgress | None, counts: Counts, *, total_bytes: int, now: datetime) -> ScanProgress:
    """Gives the progress at the end, by the counts of the report: those are what stands in it."""
    was = before or ScanProgress()
    return ScanProgress(
        percent="100%",
        documents=counts.documents,
        scanned=counts.documents,
        cached=counts.cached,
        quarantined=counts.quarantined,
        elevated=counts.elevated,
        failed=counts.failed,
        bytes=counts.bytes,
        total_bytes=max(total_bytes, counts.bytes),
        cost_per_thousand=was.cost_per_thousand,
        observed_at=rfc3339(now),
    )


def same_but_for_time(one: ScanProgress | None, other: ScanProgress | None) -> bool:
    """Tells whether nothing was scanned in between."""
    return (one or ScanProgress()).model_copy(update={"observed_at": ""}) == (other or ScanProgress()).model_copy(
        update={"observed_at": ""}
    )


def stopped(before: ScanProgress | None) -> ScanProgress | None:
    """Gives the progress while nothing runs: what was done stays, and nobody knows when there will be more."""
    rates = {"documents_per_minute": None, "bytes_per_second": None, "eta_seconds": None}
    return before.model_copy(update=rates) if before is not None else None


def _grown(was: ScanProgress, counts: Counts) -> dict[str, int]:
    told = {
        "scanned": counts.documents,
        "cached": counts.cached,
        "quarantined": counts.quarantined,
        "elevated": counts.elevated,
        "failed": counts.failed,
        "bytes": counts.bytes,
    }
    return {name: max(value, getattr(was, name)) for name, value in told.items()}


def _percent(done: int, total: int) -> str:
    """Gives 99% until the end is known: all bytes may be read before every document is judged."""
    return f"{min(99, 100 * done // total)}%" if total > 0 else "0%"


def _smoothed(before: int | None, amount: float, elapsed: float) -> int | None:
    """Gives an exponential average: `amount` came in `elapsed` seconds."""
    if elapsed < _LEAST_SECONDS:
        return before
    rate = amount / elapsed
    if not before:  # pods take their time to begin: that says nothing of their pace
        return round(rate)
    weight = 1 - math.exp(-elapsed / _SMOOTHED_OVER)
    return round(before + weight * (rate - before))


def _eta(left: int, per_second: int | None) -> int | None:
    if not per_second:
        return None
    return min(_LONGEST_ETA, math.ceil(max(0, left) / per_second))


def _cost(per_minute: int | None, pace: Pace) -> str:
    """Gives what 1,000 documents cost at this rate, with the currency."""
    if not per_minute or pace.pod_price <= 0:
        return ""
    return f"{pace.pods * pace.pod_price / (per_minute * 60) * 1000:.4g} {pace.currency}".strip()
