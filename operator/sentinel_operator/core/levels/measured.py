"""One figure of how a workload has been doing, with where it is from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from sentinel_operator.core.conditions import rfc3339

Level = Literal["uptimePercent", "p99LatencyMs", "successRatePercent"]
LEVELS: frozenset[Level] = frozenset({"uptimePercent", "p99LatencyMs", "successRatePercent"})
HOW: Mapping[Level, str] = {
    "uptimePercent": "uptimeMeasured",
    "p99LatencyMs": "latencyMeasured",
    "successRatePercent": "successMeasured",
}
"""Under which name it is told how each was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A figure; None where it is not known. `told` says how and over which time it was measured, or why it was not."""

    value: float | None = None
    told: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """How a workload has been doing, as the operator measures it; None where it does not know."""

    uptime_percent: float | None = None
    p99_latency_ms: float | None = None
    success_rate_percent: float | None = None
    told: Mapping[Level, str] = field(default_factory=dict)
    """Of each that was asked for: how and over which time it was measured, or why it is not known."""

    @classmethod
    def of(cls, found: Mapping[Level, Measured]) -> Telemetry:
        """Gathers the figures of one workload."""
        values = {level: each.value for level, each in found.items()}
        return cls(
            uptime_percent=values.get("uptimePercent"),
            p99_latency_ms=values.get("p99LatencyMs"),
            success_rate_percent=values.get("successRatePercent"),
            told={level: each.told for level, each in found.items() if each.told},
        )


def unknown(why: str) -> Measured:
    """Says why a figure is not known."""
    return Measured(told=f"not known: {why}")


def plausible(level: Level, value: float) -> bool:
    """Tells whether a number can be a figure of that kind."""
    return math.isfinite(value) and 0 <= value <= (math.inf if level == "p99LatencyMs" else 100)


def since(moment: datetime, now: datetime) -> str:
    """Writes from when on something was looked at."""
    return f"since {rfc3339(moment)} ({lasted(now - moment)})"


def lasted(time: timedelta) -> str:
    """Writes a length of time as people read it: 3h20m, 4m10s, 12s."""
    total = max(0, round(time.total_seconds()))
    hours, minutes, seconds = total // 3600, total % 3600 // 60, total % 60
    if hours:
        return f"{hours}h{minutes}m"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
