"""What a brain can be asked, whatever it speaks, and the three ways in which it can fail."""

# ruff: noqa: N818 - the names are those of the outcomes, as they stand in `except` clauses
from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol

from sentinel_operator.core.bridge.batches import Batch
from sentinel_operator.core.bridge.outcome import Outcome

LARGEST = 16 << 20
"""Bytes of one plan, or of an answer with many. What is larger breaks the connection."""
MOST_AT_ONCE = 100
"""Plans that one poll takes."""


class BrainError(Exception):
    """It did not work."""


class Unreachable(BrainError):
    """It may work later: no connection, a fault of the brain's, or a token that is not right yet. `after` is what the
    brain asked for, in seconds."""

    def __init__(self, message: str, *, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class Refused(BrainError):
    """The brain does not want it, and will not when it comes again."""


class Unstreamed(BrainError):
    """The brain does not stream plans: it has to be asked."""


class Brain(Protocol):
    """One brain over one connection."""

    @property
    def takes_events(self) -> bool:
        """Tells whether batches may hold events beside points."""

    async def submit(self, batch: Batch) -> None:
        """Hands a batch over; raises Refused or Unreachable."""

    def plans(self, opened: Callable[[], None]) -> AsyncIterator[object]:
        """Yields plans as they come, as JSON; `opened` is called when they can. Raises Unstreamed or Unreachable, or
        ends where the brain ends it."""

    async def ask(self, context: Mapping[str, Any]) -> list[object]:
        """Gives the plans that were not acknowledged, as JSON; raises Unreachable."""

    async def acknowledge(self, outcome: Outcome) -> None:
        """Tells what became of a plan; raises Refused or Unreachable."""

    async def close(self) -> None:
        """Ends the connection."""
