"""A TCP proxy that fails as told: cuts, stalls, refuses, answers errors, for so many connections, then behaves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Self

CHUNK = 64 << 10
HEAD_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one connection."""

    cut_after: int | None = None
    """Bytes of the answer after which the connection is reset."""
    stall_after: int | None = None
    """Bytes of the answer after which nothing more comes; released, the connection is reset."""
    hold_after: int | None = None
    """Bytes of the answer after which the rest waits; released, it comes."""
    answer: bytes = b""
    """Sent instead of asking the server."""
    refuse: bool = False
    """Closed before anything is read."""


def http_answer(status: str, body: bytes = b"") -> bytes:
    """A whole HTTP answer that ends the connection."""
    head = ("HTTP/1.1 " + status, "Content-Type: application/xml", f"Content-Length: {len(body)}", "Connection: close")
    return "\r\n".join((*head, "", "")).encode() + body


def s3_error(status: str, code: str) -> bytes:
    """An error of an S3 store."""
    xml = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>as told</Message></Error>'
    return http_answer(status, xml.encode())


@dataclass(slots=True)
class CuttingProxy:
    """Between a client and 127.0.0.1:upstream. Each fault meets one connection, in order; the rest pass."""

    upstream: int
    faults: list[Fault] = field(default_factory=list)
    connections: int = 0
    passed: int = 0
    """Bytes of answers that went through."""
    requests: list[bytes] = field(default_factory=list)
    """The first bytes of what each connection asked."""
    stalled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while a connection is held."""
    port: int = 0
    _released: asyncio.Event = field(default_factory=asyncio.Event)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @classmethod
    @contextlib.asynccontextmanager
    async def before(cls, upstream: int, *faults: Fault, port: int = 0) -> AsyncIterator[Self]:
        """A proxy that listens on a free port of loopback, or on the port."""
        proxy = cls(upstream, list(faults))
        server = await asyncio.start_server(proxy._serve, "127.0.0.1", port)
        proxy.port = server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            server.close()
            for writer in list(proxy._writers):
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self.faults.pop(0) if self.faults else Fault()
        self.connections += 1
        self._writers.add(writer)
        with contextlib.suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            if fault.answer:
                self.requests.append(await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_SECONDS))
                writer.write(fault.answer)
                await writer.drain()
            elif not fault.refuse:
                await self._pass_on(fault, reader, writer)
        self._writers.discard(writer)
        gently = not fault.refuse and fault.cut_after is None and fault.stall_after is None
        writer.close() if gently else writer.transport.abort()

    async def _pass_on(self, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        self._writers.add(server_writer)
        asking = asyncio.create_task(self._ask(reader, server_writer))
        try:
            await self._answer(fault, server_reader, writer)
        finally:
            asking.cancel()
            self._writers.discard(server_writer)
            server_writer.transport.abort()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = True
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                if first:
                    self.requests.append(data)
                    first = False
                writer.write(data)
                await writer.drain()

    async def _answer(self, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        limits = [limit for limit in (fault.cut_after, fault.stall_after, fault.hold_after) if limit is not None]
        limit = limits[0] if limits else None
        sent = 0
        while data := await reader.read(CHUNK):
            if limit is not None and sent + len(data) >= limit:
                await self._send(writer, data[: limit - sent])
                if fault.cut_after is not None:
                    return
                self.stalled.set()
                await self._released.wait()
                if fault.stall_after is not None:
                    return
                data, limit = data[limit - sent :], None
            await self._send(writer, data)
            sent += len(data)

    async def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        await writer.drain()
        self.passed += len(data)

    def release(self) -> None:
        """Ends every stall."""
        self._released.set()
