"""Answers GET /progress and /metrics while a pod runs."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from sentinel_operator.api.scanning import Progress

log = logging.getLogger(__name__)
PORT = 9090


@asynccontextmanager
async def listening(
    port: int,
    *,
    progress: Callable[[], Progress],
    metrics: Callable[[], bytes],
    host: str = "0.0.0.0",  # noqa: S104 - the pod's address
) -> AsyncIterator[int]:
    """Listens until left; gives the port. A negative port listens nowhere."""
    if port < 0:
        yield port
        return
    app = web.Application()

    async def say_progress(_: web.Request) -> web.Response:
        return web.Response(text=progress().model_dump_json(by_alias=True), content_type="application/json")

    async def say_metrics(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    app.router.add_get("/progress", say_progress)
    app.router.add_get("/metrics", say_metrics)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        address = runner.addresses[0]
        log.info("listening", extra={"port": address[1]})
        yield int(address[1])
    finally:
        await runner.cleanup()
