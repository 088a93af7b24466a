"""How often one client may call: a token bucket each, for a bounded number of clients."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

MAX_CLIENTS = 10_000


class RateLimit:
    """Admits `rate` requests a second for each client, and bursts of `burst`; the clock gives seconds."""

    def __init__(self, rate: float, burst: int, *, clock: Callable[[], float]) -> None:
        self._rate, self._burst, self._clock = rate, float(max(1, burst)), clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str) -> float:
        """Takes a token and gives 0, or gives the seconds until there is one."""
        now = self._clock()
        tokens, then = self._buckets.pop(client, (self._burst, now))
        tokens = min(self._burst, tokens + (now - then) * self._rate)
        admitted = tokens >= 1.0
        self._buckets[client] = (tokens - 1.0 if admitted else tokens, now)
        if len(self._buckets) > MAX_CLIENTS:
            self._buckets.popitem(last=False)  # Who called least recently: its bucket is the fullest.
        return 0.0 if admitted else (1.0 - tokens) / self._rate
