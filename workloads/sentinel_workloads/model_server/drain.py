"""How long a server that was told to end goes on serving: others learn of it later than it does."""

from __future__ import annotations

import asyncio

from sentinel_workloads.model_server.api.service import Service

IDLE_SECONDS = 5.0
"""Without a request for this long, nobody sends here any more."""
LOOK_SECONDS = 0.1


async def until_idle(service: Service, *, at_most: float) -> None:
    """Waits until no prediction was asked for in a while and none is under way, or until the time is over.

    kube-proxy, gateways and open connections go on sending for some seconds after the pod has begun to end.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    deadline = began + at_most
    quiet = min(IDLE_SECONDS, at_most)
    while loop.time() < deadline:
        last = max(began, service.last_request)
        if service.metrics.in_flight == 0 and loop.time() - last >= quiet:
            return
        await asyncio.sleep(LOOK_SECONDS)
