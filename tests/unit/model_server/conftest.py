"""Every test here that is asynchronous runs on the loop of the shipped server."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], uvloop.Loop]]:
    """Its transports differ from the standard library's in how they close."""
    return {"uvloop": uvloop.new_event_loop}
