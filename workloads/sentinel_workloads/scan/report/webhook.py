"""Tells a webhook how a scan ended. Whether it listens changes nothing of the scan."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import aiohttp

from sentinel_operator.api.base import Model

log = logging.getLogger(__name__)
ATTEMPTS, TIMEOUT_SECONDS = 5, 10.0
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 10.0
_RANDOM = random.SystemRandom()
_TOO_MANY, _SERVER_FAULT = 429, 500


async def told(url: str, outcome: Model, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> str:
    """Empty once the webhook took the outcome; else why it did not, after a few attempts."""
    try:
        scheme = urlsplit(url).scheme
    except ValueError as error:
        return f"the webhook's address cannot be read: {error}"
    if scheme not in {"http", "https"}:
        return f"a webhook's address begins with http:// or https://, not with {scheme or 'nothing'}"
    why = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            await sleep(_RANDOM.uniform(0, min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt)))
        why, again = await _attempt(url, outcome.model_dump_json(by_alias=True).encode())
        if not why:
            return ""
        log.warning("the webhook was not told", extra={"fault": why, "attempt": attempt + 1})
        if not again:
            break
    return why


async def _attempt(url: str, body: bytes) -> tuple[str, bool]:
    """Why it failed, and whether another attempt may do better."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    headers = {"Content-Type": "application/json", "User-Agent": "sentinel-scan"}
    try:
        # A redirect would be followed to wherever the answer says, with what only the webhook shall be told.
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            if answer.ok and not 300 <= answer.status < 400:
                return "", False
            return f"answered {answer.status}", answer.status == _TOO_MANY or answer.status >= _SERVER_FAULT
    except TimeoutError:
        return f"no answer within {TIMEOUT_SECONDS:g} s", True
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return " ".join(str(error).split())[:300] or type(error).__name__, True
