"""Sends batches, the oldest first, until the brain has them or says that it does not want them."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterable
from typing import Protocol

from sentinel_operator.bridge.brain import Brain, Refused, Unreachable
from sentinel_operator.bridge.metrics import Way
from sentinel_operator.bridge.pace import Pace
from sentinel_operator.core.bridge.batches import Batch, Batches, Item

logger = logging.getLogger(__name__)

REFUSED = "Refused"


class SendingMetrics(Protocol):
    """Where points are counted."""

    def succeeded(self, way: Way, /) -> None:
        """Notes the time of an exchange that succeeded."""

    def failed(self, way: Way, /) -> None:
        """Counts an exchange that did not."""

    def points_sent(self, count: int) -> None:
        """Counts points that were taken."""

    def points_dropped(self, reason: str, count: int) -> None:
        """Counts points that nobody will see."""


class Sender:
    """Hands batches over, one at a time and in order. What waits is bounded by `batches`."""

    def __init__(self, batches: Batches, *, metrics: SendingMetrics, rng: random.Random, pace: Pace) -> None:
        self._batches, self._metrics, self._pace = batches, metrics, pace
        self._backoff = pace.backoff(rng)
        self._more = asyncio.Event()

    def take(self, items: Iterable[Item]) -> None:
        """Takes items in, to be sent when there are enough or they are old enough."""
        self._batches.add(items, self._pace.clock())
        self._more.set()

    async def run(self, brain: Brain) -> None:
        """Sends until cancelled. A batch that was on its way then is sent again, with the same id, by the next run."""
        while True:
            batch = self._batches.due(self._pace.clock())
            if batch is None:
                await self._wait()
            else:
                await self._send(brain, batch)

    async def flush(self, brain: Brain) -> None:
        """Sends what there is, however young, until nothing is left or the brain fails."""
        self._batches.flush()
        while (batch := self._batches.due(self._pace.clock())) is not None:
            if not await self._handed_over(brain, batch):
                return

    async def _send(self, brain: Brain, batch: Batch) -> None:
        if await self._handed_over(brain, batch):
            self._backoff.reset()

    async def _handed_over(self, brain: Brain, batch: Batch) -> bool:
        """Tells whether the batch is done with; where it is not, waits before it says so."""
        try:
            await brain.submit(batch)
        except Refused as error:
            logger.warning("the brain refuses batch %s of %d points: %s", batch.batch_id, len(batch), error)
            self._metrics.failed("telemetry")
            self._metrics.points_dropped(REFUSED, len(batch))
        except Unreachable as error:
            logger.warning("telemetry waits, %d points: %s", len(self._batches), error)
            self._metrics.failed("telemetry")
            await asyncio.sleep(self._backoff.next(at_least=error.after))
            return False
        except Exception:
            logger.exception("sending batch %s", batch.batch_id)
            self._metrics.failed("telemetry")
            await asyncio.sleep(self._backoff.next())
            return False
        else:
            self._metrics.succeeded("telemetry")
            self._metrics.points_sent(len(batch))
        self._batches.done(batch)
        return True

    async def _wait(self) -> None:
        self._more.clear()
        try:
            async with asyncio.timeout(self._batches.due_in(self._pace.clock())):
                await self._more.wait()
        except TimeoutError:
            return
