"""Waiting longer after each failure, by one rule for everything that retries by itself."""

from __future__ import annotations

import random


class Backoff:
    """Gives delays that double from `base` to `cap`, spread by a fifth either way so that replicas fall out of step."""

    def __init__(self, rng: random.Random, *, base: float = 0.5, cap: float = 30.0) -> None:
        self._rng, self._base, self._cap = rng, base, cap
        self._failures = 0

    def next(self, *, at_least: float | None = None) -> float:
        """Gives the next delay, `at_least` what the server asked for."""
        delay = min(self._cap, self._base * 2.0 ** min(self._failures, 32)) * self._rng.uniform(0.8, 1.2)
        self._failures += 1
        return max(delay, at_least or 0.0)

    def reset(self) -> None:
        """Starts anew after a success."""
        self._failures = 0
