"""A port that speaks HTTP/1.1: its connections, their clocks, and how it stops."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from email.utils import formatdate

from sentinel_workloads.model_server.wire.connection import Connection
from sentinel_workloads.model_server.wire.exchange import Exchange

TICK_SECONDS = 1.0
BACKLOG = 1024
MAX_CONNECTIONS = 8192

Handler = Callable[[Exchange], None]


class Listener:
    """Accepts connections and hands their requests to `handle`, which must not raise."""

    def __init__(self, handle: Handler, *, max_body: int, tls: ssl.SSLContext | None = None) -> None:
        self.handle = handle
        self.max_body = max_body
        self.draining = False
        """While true, each answer is the last of its connection."""
        self._tls = tls
        self._connections: set[Connection] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._server: asyncio.Server | None = None
        self._ticker: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._tick()

    async def open(self, host: str, port: int) -> int:
        """Listens, and gives the port (of use where 0 was asked for)."""
        self._server = await self._loop.create_server(
            lambda: Connection(self), host or None, port, ssl=self._tls, backlog=BACKLOG
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self, *, seconds: float) -> None:
        """Stops listening, lets the requests under way end, for at most this long, and closes what is left."""
        self.draining = True
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            if not connection.is_busy:
                connection.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), seconds)
        for connection in list(self._connections):
            connection.close()
        if self._ticker is not None:
            self._ticker.cancel()

    def opened(self, connection: Connection) -> bool:
        """Takes note of a connection; false when there are too many."""
        if len(self._connections) >= MAX_CONNECTIONS:
            return False
        self._connections.add(connection)
        self._empty.clear()
        return True

    def lost(self, connection: Connection) -> None:
        """Forgets a connection."""
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()

    def _tick(self) -> None:
        """Looks at every connection's clock; one timer for all."""
        self.now = self._loop.time()
        self.date = f"Date: {formatdate(usegmt=True)}\r\n".encode()
        for connection in list(self._connections):
            connection.check_time(self.now)
        self._ticker = self._loop.call_later(TICK_SECONDS, self._tick)
