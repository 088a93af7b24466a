"""How long the loops of the bridge wait: between failures ever longer, up to a cap, and never in step."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from sentinel_operator.engine.backoff import Backoff


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Times in seconds."""

    first_pause: float = 1.0
    longest_pause: float = 60.0
    settled: float = 10.0
    """A stream that has lived for so long was no failure."""
    clock: Callable[[], float] = time.monotonic

    def backoff(self, rng: random.Random) -> Backoff:
        """Gives a backoff of its own to a loop."""
        return Backoff(rng, base=self.first_pause, cap=self.longest_pause)
