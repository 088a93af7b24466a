"""Points on their way to a brain: gathered into batches, kept while it is away, never more than so many."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sentinel_operator.core.bridge.event import PlanEvent
from sentinel_operator.core.bridge.points import Point

Item = Point | PlanEvent
LEAST_LEFT = "OldestDropped"
"""Why a batch was dropped: there were more than are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """`max_age` in seconds; `kept` batches wait at most, the one that is being filled apart."""

    max_points: int = 1000
    max_age: float = 30.0
    kept: int = 60


@dataclass(frozen=True, slots=True)
class Batch:
    """What is sent at once. Sent again, it bears the same id."""

    batch_id: str
    items: tuple[Item, ...]

    @property
    def points(self) -> tuple[Point, ...]:
        """Gives the points alone."""
        return tuple(each for each in self.items if isinstance(each, Point))

    def __len__(self) -> int:
        return len(self.items)


class Batches:
    """A bounded queue of batches. Not safe for threads; times are of any clock that never goes back."""

    def __init__(self, bounds: Bounds, *, new_id: Callable[[], str], dropped: Callable[[str, int], None]) -> None:
        self._bounds, self._new_id, self._dropped = bounds, new_id, dropped
        self._filling: list[Item] = []
        self._since = 0.0
        self._waiting: deque[Batch] = deque()

    def __len__(self) -> int:
        """Gives how many items are kept."""
        return len(self._filling) + sum(len(each) for each in self._waiting)

    def bound(self, bounds: Bounds) -> None:
        """Takes other bounds; what is beyond them goes at once."""
        self._bounds = bounds
        self._shrink()

    def add(self, items: Iterable[Item], now: float) -> None:
        """Takes items in; full batches are closed, and the oldest go where there are too many."""
        for each in items:
            if not self._filling:
                self._since = now
            self._filling.append(each)
            if len(self._filling) >= self._bounds.max_points:
                self._close()

    def due(self, now: float) -> Batch | None:
        """Gives the oldest batch that should be sent now; it stays until `done`."""
        if not self._waiting and self._filling and now - self._since >= self._bounds.max_age:
            self._close()
        return self._waiting[0] if self._waiting else None

    def due_in(self, now: float) -> float | None:
        """Gives after how many seconds there is something to send; None where nothing is there."""
        if self._waiting:
            return 0.0
        return max(0.0, self._since + self._bounds.max_age - now) if self._filling else None

    def flush(self) -> None:
        """Closes what is being filled, however young."""
        if self._filling:
            self._close()

    def done(self, batch: Batch) -> None:
        """Removes a batch that was sent, or that nobody takes; one that was dropped meanwhile is gone already."""
        if self._waiting and self._waiting[0] is batch:
            self._waiting.popleft()

    def clear(self, reason: str) -> None:
        """Drops everything."""
        if len(self):
            self._dropped(reason, len(self))
        self._filling, self._waiting = [], deque()

    def _close(self) -> None:
        self._waiting.append(Batch(self._new_id(), tuple(self._filling)))
        self._filling = []
        self._shrink()

    def _shrink(self) -> None:
        while len(self._waiting) > self._bounds.kept:
            self._dropped(LEAST_LEFT, len(self._waiting.popleft()))
