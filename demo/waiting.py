"""Waiting for a state by looking at it, less often the longer it lasts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T | None], *, within: float, otherwise: Callable[[], str] = str) -> T:
    """Gives the first true outcome of looking; TimeoutError with what `otherwise` says when the time is over."""
    deadline, pause = time.monotonic() + within, 0.1
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within:.0f} s:\n{otherwise()}")
        time.sleep(pause)
        pause = min(1.0, 1.5 * pause)
