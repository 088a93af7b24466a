"""While the sink does not answer nobody asks it; then a few do, after longer and longer times."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from sentinel_operator.engine.backoff import Backoff


class Pause:
    """Is shared by all who ask. It lasts `base` seconds, doubled each time up to `cap`, or as long as the sink wants to
    be left alone."""

    def __init__(self, rng: random.Random, *, clock: Callable[[], float], base: float, cap: float) -> None:
        self._clock, self._backoff = clock, Backoff(rng, base=base, cap=cap)
        self._until = self._since = float("-inf")

    async def over(self) -> float:
        """Waits for its end, and gives when that was."""
        while (left := self._until - self._clock()) > 0:  # noqa: ASYNC110 - its end is a time, and may be put off
            await asyncio.sleep(left)
        return self._clock()

    def begin(self, asked: float, *, at_least: float = 0.0) -> None:
        """Begins one, unless another has begun since this was asked: those who asked at once failed at once."""
        if asked >= self._since:
            self._since = self._clock()
            self._until = self._since + self._backoff.next(at_least=at_least)

    def end(self) -> None:
        """Ends it: the sink answers."""
        self._backoff.reset()
        self._until = float("-inf")
