"""How long one attempt waits, given how long all of them may."""

from __future__ import annotations

from dataclasses import dataclass

from sentinel_operator.api.serving import Retry


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds that one attempt waits for the other side, such that a silent one leaves time for two more attempts."""

    connect: float
    answer: float
    read: float

    @classmethod
    def within(cls, retry: Retry) -> Waits:
        """Waits that fit into the deadline, but never so short that a slow answer is taken for none."""
        third = max(1.0, retry.deadline_seconds / 3)
        return cls(connect=min(5.0, third), answer=min(30.0, third), read=min(20.0, third))
