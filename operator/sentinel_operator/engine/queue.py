"""The work queue: a key is never worked on twice at once, and never forgotten while something has changed.

Semantics of client-go's: adding a queued key does nothing; adding one that is being worked on queues it again once it
is done; of several delayed additions the earliest wins; failures back off exponentially for each key by itself.
On top of that, edits go before resync: a key added urgently overtakes, though one in eight takes is from the slow lane.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable, Hashable
from enum import IntEnum
from typing import Any, Generic, Protocol, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)

_SLOW_LANE_SHARE = 8


class Lane(IntEnum):
    """Which of the keys that are due goes first."""

    EDIT = 0
    RESYNC = 1


class TimerHandle(Protocol):
    """What `Timers.call_at` gives back."""

    def cancel(self) -> None:
        """Makes sure that the callback never runs."""

    def when(self) -> float:
        """Says when it is due."""


class Timers(Protocol):
    """A clock that calls back; every asyncio event loop is one."""

    def time(self) -> float:
        """Gives monotonic seconds."""

    def call_at(self, when: float, callback: Callable[..., object], *args: Any) -> TimerHandle:
        """Calls back at that time."""


class QueueMetrics(Protocol):
    """Where the queue reports what happens in it."""

    def depth(self, count: int) -> None:
        """Sets how many keys wait."""

    def added(self) -> None:
        """Counts an addition that made a key wait."""

    def retried(self) -> None:
        """Counts a failure that will be tried again."""

    def waited(self, seconds: float) -> None:
        """Records how long a key waited."""


class WorkQueue(Generic[KeyT]):
    """Hands every changed key to exactly one worker at a time.

    Bounded by the number of distinct keys. All methods but `get` and `drained` return at once; it belongs to one loop.
    """

    def __init__(
        self,
        *,
        timers: Timers,
        metrics: QueueMetrics,
        rng: random.Random,
        base: float = 0.5,
        cap: float = 300.0,
    ) -> None:
        self._timers, self._metrics, self._rng, self._base, self._cap = timers, metrics, rng, base, cap
        self._lanes: tuple[deque[KeyT], deque[KeyT]] = (deque(), deque())
        self._waiting: dict[KeyT, Lane] = {}
        self._since: dict[KeyT, float] = {}
        self._working: set[KeyT] = set()
        self._again: dict[KeyT, Lane] = {}
        self._delayed: dict[KeyT, TimerHandle] = {}
        self._failures: Counter[KeyT] = Counter()
        self._takes = 0
        self._closed = False
        self._ready = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        """Counts the keys that are due and not being worked on."""
        return len(self._waiting)

    def add(self, key: KeyT, lane: Lane = Lane.EDIT) -> None:
        """Makes the key due now; it supersedes a delayed addition."""
        if self._closed:
            return
        self._cancel_timer(key)
        if key in self._working:
            self._again[key] = min(lane, self._again.get(key, lane))
            return
        queued = self._waiting.get(key)
        if queued is None:
            self._since[key] = self._timers.time()
            self._metrics.added()
        if queued is None or lane < queued:
            self._waiting[key] = lane
            self._lanes[lane].append(key)
        self._metrics.depth(len(self._waiting))
        self._ready.set()

    def add_after(self, key: KeyT, delay: float, lane: Lane = Lane.EDIT) -> None:
        """Makes the key due after `delay` seconds, unless it is due earlier anyway."""
        if self._closed:
            return
        if delay <= 0:
            self.add(key, lane)
            return
        if key in self._waiting or key in self._again:
            return
        when = self._timers.time() + delay
        scheduled = self._delayed.get(key)
        if scheduled is not None:
            if scheduled.when() <= when:
                return
            scheduled.cancel()
        self._delayed[key] = self._timers.call_at(when, self.add, key, lane)

    def retry(self, key: KeyT, *, at_least: float = 0.0, base: float | None = None) -> float:
        """Puts a failed key off, longer each time, and tells for how long; `base` is the first delay."""
        exponent = min(self._failures[key], 32)
        self._failures[key] += 1
        self._metrics.retried()
        delay = min(self._cap, (base or self._base) * 2.0**exponent) * self._rng.uniform(0.8, 1.2)
        delay = max(at_least, min(self._cap, delay))
        self.add_after(key, delay)
        return delay

    def failures(self, key: KeyT) -> int:
        """Counts the failures since the last `forget`."""
        return self._failures.get(key, 0)

    def forget(self, key: KeyT) -> None:
        """Starts the backoff of the key anew."""
        self._failures.pop(key, None)

    async def get(self) -> KeyT | None:
        """Waits for a due key and takes it; None once the queue is shut down. Call `done` in the end."""
        while not self._closed:
            key = self._take()
            if key is not None:
                return key
            self._ready.clear()
            await self._ready.wait()
        return None

    def done(self, key: KeyT) -> None:
        """Gives the key back; it is due at once if it was added meanwhile."""
        self._working.discard(key)
        lane = self._again.pop(key, None)
        if lane is not None:
            self.add(key, lane)
        if not self._working:
            self._idle.set()

    def shut_down(self) -> None:
        """Takes no more keys and wakes every waiting worker; keys being worked on are finished by their workers."""
        self._closed = True
        for handle in self._delayed.values():
            handle.cancel()
        self._delayed.clear()
        self._ready.set()

    async def drained(self) -> None:
        """Waits until nothing is being worked on. The caller bounds the time."""
        await self._idle.wait()

    def _take(self) -> KeyT | None:
        self._takes += 1
        order = (Lane.RESYNC, Lane.EDIT) if self._takes % _SLOW_LANE_SHARE == 0 else (Lane.EDIT, Lane.RESYNC)
        for lane in order:
            waiting = self._lanes[lane]
            while waiting:
                key = waiting.popleft()
                if self._waiting.get(key) is lane:  # else it was promoted to the other lane
                    return self._hand_over(key)
        return None

    def _hand_over(self, key: KeyT) -> KeyT:
        del self._waiting[key]
        self._working.add(key)
        self._idle.clear()
        self._metrics.depth(len(self._waiting))
        self._metrics.waited(self._timers.time() - self._since.pop(key))
        return key

    def _cancel_timer(self, key: KeyT) -> None:
        handle = self._delayed.pop(key, None)
        if handle is not None:
            handle.cancel()
