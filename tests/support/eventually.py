"""Waiting for a state by looking at it, with a deadline that says what was missing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sentinel_operator.engine.errors import ApiError

T = TypeVar("T")

_PAUSE = 0.05


async def eventually(look: Callable[[], Awaitable[T]], *, within: float = 120.0) -> T:
    """Gives the first outcome that is true; an AssertionError or ApiError raised by `look` means not yet."""
    last: BaseException | None = None
    try:
        async with asyncio.timeout(within):
            while True:
                try:
                    found = await look()
                except (AssertionError, ApiError) as error:
                    last = error
                else:
                    if found:
                        return found
                await asyncio.sleep(_PAUSE)
    except TimeoutError:
        raise AssertionError(f"not within {within:g} s: {last or getattr(look, '__name__', look)}") from last
