"""How many plans a brain may bring: so many a minute, and as many at once where it was quiet before."""

from __future__ import annotations


class Rate:
    """A bucket of tokens. Not safe for threads; times are of any clock that never goes back."""

    def __init__(self, per_minute: int, now: float) -> None:
        self._per_minute, self._tokens, self._at = per_minute, float(per_minute), now

    def limit(self, per_minute: int) -> None:
        """Takes another limit; what was used of the former counts."""
        self._tokens = max(0.0, self._tokens + per_minute - self._per_minute)
        self._per_minute = per_minute

    def take(self, now: float) -> bool:
        """Takes one token; False where none is left."""
        gained = max(0.0, now - self._at) * self._per_minute / 60.0
        self._tokens, self._at = min(float(self._per_minute), self._tokens + gained), max(self._at, now)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
