"""Takes plans in, as they are streamed or by asking again and again, and comes back whenever the brain goes away."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sentinel_operator.bridge.brain import Brain, Unreachable, Unstreamed
from sentinel_operator.bridge.metrics import Way
from sentinel_operator.bridge.pace import Pace

logger = logging.getLogger(__name__)


class ReceivingMetrics(Protocol):
    """Where the connection is told of."""

    def connected(self, is_so: bool, /) -> None:
        """Sets whether plans can come in."""

    def succeeded(self, way: Way, /) -> None:
        """Notes the time of an exchange that succeeded."""

    def failed(self, way: Way, /) -> None:
        """Counts an exchange that did not."""


class Receiver:
    """Hands whatever the brain says to `take`, which decides what to make of it."""

    def __init__(
        self,
        take: Callable[[object], None],
        *,
        context: Callable[[], Mapping[str, Any]],
        metrics: ReceivingMetrics,
        rng: random.Random,
        pace: Pace,
    ) -> None:
        self._take, self._context, self._metrics, self._rng, self._pace = take, context, metrics, rng, pace
        self._backoff = pace.backoff(rng)

    async def run(self, brain: Brain, *, poll_interval: float) -> None:
        """Takes plans in until cancelled."""
        while True:
            began = self._pace.clock()
            after: float | None = None
            try:
                await self._stream(brain)
                logger.info("the brain has ended the stream of plans")
            except Unstreamed as error:
                logger.info("plans are asked for every %g s: %s", poll_interval, error)
                after = await self._poll(brain, poll_interval)
            except Unreachable as error:
                after = error.after
                self._metrics.failed("plans")
                logger.warning("no plans come in: %s", error)
            except Exception:  # of a brain's making or ours: neither may end the process
                self._metrics.failed("plans")
                logger.exception("taking plans in")
            finally:
                self._metrics.connected(False)
            if self._pace.clock() - began >= self._pace.settled:
                self._backoff.reset()
            await asyncio.sleep(self._backoff.next(at_least=after))

    async def _stream(self, brain: Brain) -> None:
        async for said in brain.plans(self._opened):
            self._backoff.reset()
            self._metrics.succeeded("plans")
            self._take(said)

    async def _poll(self, brain: Brain, interval: float) -> float | None:
        """Asks until that fails; gives for how long the brain wants to be left alone."""
        while True:
            try:
                plans = await brain.ask(self._context())
            except Unreachable as error:
                self._metrics.failed("plans")
                logger.warning("no plans come in: %s", error)
                return error.after
            self._backoff.reset()
            self._opened()
            for said in plans:
                self._take(said)
            await asyncio.sleep(interval * self._rng.uniform(0.9, 1.1))

    def _opened(self) -> None:
        self._metrics.connected(True)
        self._metrics.succeeded("plans")
