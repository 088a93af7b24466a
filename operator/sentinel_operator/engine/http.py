"""Liveness, readiness and metrics over plain HTTP. Metrics name no objects and need no protection but the network's."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import web

Checks = Mapping[str, Callable[[], bool]]

_TEXT = "text/plain; version=0.0.4"


def application(*, alive: Checks, ready: Checks, metrics: Callable[[], bytes]) -> web.Application:
    """Serves /healthz, /readyz and /metrics; a probe answers 503 and names the checks that fail."""

    async def healthz(_: web.Request) -> web.Response:
        return _answer(alive)

    async def readyz(_: web.Request) -> web.Response:
        return _answer(ready)

    async def render(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": _TEXT})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", render)])
    return app


def _answer(checks: Checks) -> web.Response:
    results = {name: check() for name, check in checks.items()}
    lines = [f"{'ok' if passed else 'failed'} {name}" for name, passed in results.items()]
    return web.Response(text="\n".join(lines) + "\n", status=200 if all(results.values()) else 503)


class HttpServer:
    """Serves an application on one address until closed."""

    def __init__(self, app: web.Application, *, host: str, port: int) -> None:
        self._runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=1.0)
        self._host, self._port = host, port

    async def start(self) -> int:
        """Listens, and tells the port (asked for with 0)."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        port: int = self._runner.addresses[0][1]
        return port

    async def close(self) -> None:
        """Stops listening."""
        await self._runner.cleanup()
