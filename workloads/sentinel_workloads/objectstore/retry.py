"""Waits between attempts: capped exponential backoff with full jitter, until nothing has come for the deadline."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sentinel_operator.api.serving import ExitCode, Retry
from sentinel_workloads.objectstore.failures import Failure, TransientError

log = logging.getLogger(__name__)
_RANDOM = random.SystemRandom()
T = TypeVar("T")


class Patience:
    """Counts the time since the last progress, so that a long download may survive any number of short faults."""

    def __init__(
        self,
        bounds: Retry,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        draw: Callable[[float, float], float] = _RANDOM.uniform,
    ) -> None:
        self._bounds, self._clock, self._sleep, self._draw = bounds, clock, sleep, draw
        self._since = clock()
        self._attempts = 0

    def progress(self) -> None:
        """Something came: the deadline starts again."""
        self._since = self._clock()
        self._attempts = 0

    async def wait(self, fault: TransientError) -> None:
        """Sleeps before the next attempt, or raises StorageUnreachable when the deadline has passed."""
        left = self._since + self._bounds.deadline_seconds - self._clock()
        if left <= 0:
            message = f"storage unreachable for {self._bounds.deadline_seconds:g} s: {fault}"
            raise Failure(ExitCode.StorageUnreachable, fault.field, message) from fault
        # 2**n overflows a float long after the cap has won.
        ceiling = min(self._bounds.max_seconds, self._bounds.initial_seconds * 2 ** min(self._attempts, 32))
        delay = min(self._draw(0, ceiling), left)
        self._attempts += 1
        log.warning("will try again", extra={"fault": str(fault), "seconds": round(delay, 2)})
        await self._sleep(delay)


async def persistently(attempt: Callable[[], Awaitable[T]], patience: Patience) -> T:
    """The attempt's result, however many transient faults come before it within the deadline."""
    while True:
        try:
            return await attempt()
        except TransientError as fault:
            await patience.wait(fault)
