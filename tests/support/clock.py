"""Time that moves only when told."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any


class Handle:
    """A call that is due at some time."""

    def __init__(self, when: float, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self._when, self._callback, self._args, self._cancelled = when, callback, args, False

    def cancel(self) -> None:
        self._cancelled = True

    def when(self) -> float:
        return self._when

    def run(self) -> None:
        if not self._cancelled:
            self._callback(*self._args)


class FakeTimers:
    """A clock that calls back while it is being advanced."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._due: list[tuple[float, int, Handle]] = []
        self._order = itertools.count()

    def time(self) -> float:
        return self._now

    def call_at(self, when: float, callback: Callable[..., object], *args: Any) -> Handle:
        handle = Handle(when, callback, args)
        heapq.heappush(self._due, (when, next(self._order), handle))
        return handle

    def advance(self, seconds: float) -> None:
        until = self._now + seconds
        while self._due and self._due[0][0] <= until:
            self._now, _, handle = heapq.heappop(self._due)
            handle.run()
        self._now = until
