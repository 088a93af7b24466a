"""One kept HTTP/1.1 connection to another model server, one request at a time.

By httptools, which the server parses its own requests with: 30 µs of the loop's time for a request, where a client
library takes several hundred, and all of it would be added to the requests that wait meanwhile.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import httptools
from typing_extensions import override

MAX_ANSWER = 1 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """Where to connect to."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    name: str = ""
    """Which the certificate must bear."""

    @classmethod
    def of(cls, url: str, *, tls: ssl.SSLContext | None, name: str = "") -> Place:
        """Reads `http://host:port`."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        return cls(parts.hostname or "", parts.port or (443 if secure else 80), tls if secure else None, name)


class LineError(Exception):
    """No answer came by this connection."""


class Line(asyncio.Protocol):
    """A connection. After an error or `close` it is of no use any more."""

    def __init__(self, place: Place) -> None:
        self._host = f"{place.host}:{place.port}".encode()
        self._transport = cast("asyncio.Transport", None)
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._size = 0
        self.usable = False

    @classmethod
    async def open(cls, place: Place) -> Line:
        """Connects."""
        loop = asyncio.get_running_loop()
        name = (place.name or place.host) if place.tls is not None else None
        try:
            _, line = await loop.create_connection(
                lambda: cls(place), place.host, place.port, ssl=place.tls, server_hostname=name
            )
        except (OSError, ssl.SSLError) as error:
            raise LineError(f"{place.host}:{place.port}: {error}") from error
        return line

    async def ask(self, path: bytes, headers: bytes, body: bytes) -> tuple[int, bytes]:
        """Gives status and body of the answer; `headers` are whole lines, each with its CRLF."""
        self._answer = asyncio.get_running_loop().create_future()
        head = b"POST %b HTTP/1.1\r\nHost: %b\r\nContent-Length: %d\r\n%b\r\n" % (path, self._host, len(body), headers)
        self._transport.write(head + body)
        try:
            return await self._answer
        finally:
            if not self._answer.done() or self._answer.cancelled():
                self.close()  # What comes later would be taken for the next answer.
            self._answer = None

    def close(self) -> None:
        """Closes the connection."""
        self.usable = False
        self._transport.close()

    # -------------------------------------------------------------------------------------- from the transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.usable = True

    @override
    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(f"what came is no answer: {error}")

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the connection was lost: {exc}" if exc else "the connection was closed")

    def _fail(self, why: str) -> None:
        self.usable = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(LineError(why))
        self._transport.close()

    # The parser of httptools calls these.

    def on_message_begin(self) -> None:
        """Starts an answer."""
        self._body, self._size = [], 0

    def on_body(self, body: bytes) -> None:
        """Gathers the body, up to what a reading can be."""
        self._size += len(body)
        if self._size <= MAX_ANSWER:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """Gives the answer to who asked; one that nobody asked for ends the connection."""
        self.usable = self._parser.should_keep_alive()
        if self._size > MAX_ANSWER:
            self._fail(f"the answer is larger than {MAX_ANSWER} bytes")
        elif self._answer is not None and not self._answer.done():
            self._answer.set_result((self._parser.get_status_code(), b"".join(self._body)))
        else:
            self.close()
