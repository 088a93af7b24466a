"""What was measured: the one shape in which numbers, counts and the lack of either reach a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sentinel_operator.core.analysis.contrast import Contrast


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One look at one metric. Exactly one of value, contrast, error and opened says something."""

    at: datetime
    value: float | None = None
    baseline: float | None = None
    contrast: Contrast | None = None
    """Counts of a built-in since the measurement before."""
    error: str = ""
    """Why it could not be measured. Never a reason against the revision."""
    opened: bool = False
    """Nothing was counted yet: a time to count in begins at `at`."""
    note: str = ""
    """What the number alone does not say."""


def stamp(moment: datetime) -> str:
    """Writes a moment so that reading it gives the same moment; looks may follow each other within a second."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime | None:
    """Reads a moment; None where there is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
