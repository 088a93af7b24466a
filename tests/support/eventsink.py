"""A sink of CloudEvents: a real HTTP or HTTPS server that keeps what it took, read by the CloudEvents SDK."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from cloudevents.core.bindings.http import HTTPMessage, from_structured
from cloudevents.core.formats.json import JSONFormat

Event = dict[str, Any]


@dataclass
class EventSink:
    """`answer` gives the status for an event; `open` cleared, nothing is answered until it is set."""

    port: int
    url: str
    answer: Callable[[Event], int] = lambda _: 202
    asked: list[Event] = field(default_factory=list)
    """Every event that came, whatever was answered."""
    taken: list[Event] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def of(self, subject: str) -> list[Event]:
        """Gives what was taken about a plan, each id once, and checks that the same id always was the same event."""
        known: dict[str, Event] = {}
        for each in self.taken:
            if each["subject"] == subject:
                assert known.setdefault(each["id"], each) == each
        return list(known.values())

    def states(self, subject: str) -> list[str]:
        return [each["data"]["state"] for each in self.of(subject)]

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        told = from_structured(HTTPMessage({"content-type": request.headers["Content-Type"]}, body), JSONFormat())
        event = {name: value for name, value in told.get_attributes().items() if value is not None}
        event["data"] = told.get_data()
        self.asked.append(event)
        self.tokens.add(request.headers.get("Authorization", ""))
        await self.open.wait()
        status = self.answer(event)
        if status < 300:
            self.taken.append(event)
        return web.Response(status=status, text="" if status < 300 else f"no {request.headers.get('Authorization')}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@asynccontextmanager
async def event_sink(*, port: int = 0, context: ssl.SSLContext | None = None) -> AsyncIterator[EventSink]:
    """Serves until left."""
    port = port or free_port()
    sink = EventSink(port, f"{'https' if context else 'http'}://127.0.0.1:{port}/events")
    sink.open.set()
    app = web.Application()
    app.router.add_post("/events", sink._handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context, reuse_address=True).start()
    try:
        yield sink
    finally:
        await runner.cleanup()
