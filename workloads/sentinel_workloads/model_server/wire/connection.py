"""HTTP/1.1 on one connection: answers in order, bounded in size and time, and closed without losing an answer."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, cast

import httptools

from sentinel_workloads.model_server.wire.exchange import Exchange
from sentinel_workloads.model_server.wire.fault import (
    BAD_REQUEST,
    FIELDS_TOO_LARGE,
    TIMED_OUT,
    TOO_LARGE,
    UPGRADED,
    Stop,
    WireFault,
)

if TYPE_CHECKING:
    from sentinel_workloads.model_server.wire.listener import Listener

MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 128
MAX_PIPELINED = 16
RECEIVE_SECONDS = 30.0
"""From a request's first byte to its last; slower clients hold a connection for nothing."""
IDLE_SECONDS = 120.0
"""Longer than proxies keep theirs, so that it is they who close: closing first races with their next request."""
LINGER_SECONDS = 2.0
"""How long what still comes is thrown away before a close; closing at once would reset, and lose the answer."""


class Connection(asyncio.Protocol):
    """Parses requests one after another and hands each to the listener's handler when those before it are answered."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._parser = httptools.HttpRequestParser(self)
        self._peer = ""
        self._waiting: deque[Exchange] = deque()
        self._current: Exchange | None = None
        self._advancing = False
        self._reading = True
        self._writable = True
        self._closing = False
        self._half_closed = False
        self._since = 0.0
        self._fault: WireFault | None = None
        self._reset()

    def _reset(self) -> None:
        """Makes ready for the next request."""
        self._in_message = False
        self._in_head = True
        self._head_bytes = 0
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._exchange: Exchange | None = None

    # -------------------------------------------------------------------------------------- from the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes the connection, if there are not too many."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if peer else ""
        self._since = self._listener.now
        if not self._listener.opened(self):
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Lets go of everything, and of the works of whom nobody waits for."""
        self._closing = True
        self._listener.lost(self)
        self._waiting.clear()
        if self._current is not None:
            self._current.abandon()
            self._current = None
        del self._parser  # It refers back to this object.

    def data_received(self, data: bytes) -> None:
        """Parses what came; what comes after the last request that will be answered is thrown away."""
        if self._closing or self._fault is not None:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fault = UPGRADED  # The request is answered as HTTP/1.1, then the connection closes.
            if self._waiting:
                self._waiting[-1].keep_alive = False
        except httptools.HttpParserError:
            self._fault = self._fault or BAD_REQUEST
        if self._in_message and self._in_head and self._fault is None:
            self._head_bytes += len(data)  # A header that never ends is not told to on_header.
            if self._head_bytes > MAX_HEAD_BYTES:
                self._fault = FIELDS_TOO_LARGE
        self._advance()

    def eof_received(self) -> bool:
        """Keeps the way back open for a client that has said all it wanted and waits."""
        self._half_closed = True
        return self._current is not None or bool(self._waiting)

    def pause_writing(self) -> None:
        """Stops answering a client that does not read."""
        self._writable = False
        self._since = self._listener.now

    def resume_writing(self) -> None:
        """Goes on."""
        self._writable = True
        self._advance()

    # ------------------------------------------------------------------------------------------ from the parser

    def on_message_begin(self) -> None:
        """Starts the clock of a request."""
        self._reset()
        self._in_message = True
        self._since = self._listener.now

    def on_url(self, url: bytes) -> None:
        """Takes the target, which may come in parts."""
        self._target += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes | None) -> None:
        """Takes a header; repeated ones are joined as RFC 9110 says."""
        self._count_head(len(name) + len(value or b""))
        name, value = name.lower(), value or b""
        if name in self._headers:
            if name == b"host":
                raise self._refuse(BAD_REQUEST)
            value = self._headers[name] + b", " + value
        elif len(self._headers) >= MAX_HEADERS:
            raise self._refuse(FIELDS_TOO_LARGE)
        self._headers[name] = value

    def on_headers_complete(self) -> None:
        """Refuses early what would be refused anyway, and lets the client send the rest."""
        self._in_head = False
        headers = self._headers
        version = self._parser.get_http_version()
        if version == "1.1" and b"host" not in headers:
            raise self._refuse(BAD_REQUEST)
        length = headers.get(b"content-length", b"")
        if length and int(length) > self._listener.max_body:
            raise self._refuse(TOO_LARGE)
        self._exchange = exchange = Exchange(
            self,
            method=self._parser.get_method(),
            path=self._target.partition(b"?")[0],
            headers=headers,
            peer=self._peer,
        )
        exchange.keep_alive = self._parser.should_keep_alive()
        if headers.get(b"expect", b"").lower() == b"100-continue" and not (self._waiting or self._current):
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Gathers the body up to the limit."""
        self._body_bytes += len(body)
        if self._body_bytes > self._listener.max_body:
            raise self._refuse(TOO_LARGE)
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Lines the request up."""
        exchange = self._exchange
        if exchange is None:
            raise self._refuse(BAD_REQUEST)
        exchange.body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        exchange.received = time.perf_counter()
        self._waiting.append(exchange)
        self._reset()
        if len(self._waiting) > MAX_PIPELINED and self._reading:
            self._reading = False
            self._transport.pause_reading()

    # ------------------------------------------------------------------------------------------------- answering

    def send(self, exchange: Exchange, head: bytes, body: bytes) -> None:
        """Writes an answer. The last one before a close says so."""
        if self._closing or exchange is not self._current:
            return
        self._current = None
        last = not exchange.keep_alive or (self._listener.draining and not self._waiting)
        tail = b"Connection: close\r\n\r\n" if last else b"\r\n"
        self._transport.write(b"".join((head, self._listener.date, tail, body)))
        self._since = self._listener.now
        if last:
            self._finish()
        elif not self._advancing:
            self._advance()

    def _advance(self) -> None:
        """Hands over requests, one at a time; a loop, since answers may come at once and a client may pipeline."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._current is None and self._waiting and self._writable and not self._closing:
                self._current = self._waiting.popleft()
                self._listener.handle(self._current)
        finally:
            self._advancing = False
        if self._current is None and not self._waiting and not self._closing:
            self._settle()
        elif not self._reading and len(self._waiting) < MAX_PIPELINED and not self._closing:
            self._reading = True
            self._transport.resume_reading()

    def _settle(self) -> None:
        """All is answered: says what was wrong with the last, or waits for more."""
        if self._fault is not None:
            if self._fault.status:
                self._transport.write(self._fault.answer)
            self._finish()
        elif self._half_closed:
            self._transport.close()

    def _finish(self) -> None:
        """Closes after the client has had time to read: it may still be sending."""
        self._closing = True
        self._waiting.clear()
        self._since = self._listener.now
        if self._transport.can_write_eof() and not self._half_closed:
            self._transport.write_eof()
            if not self._reading:
                self._transport.resume_reading()
        else:
            self._transport.close()

    def _refuse(self, fault: WireFault) -> Stop:
        self._fault = fault
        return Stop()

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            raise self._refuse(FIELDS_TOO_LARGE)

    # ----------------------------------------------------------------------------------------- from the listener

    @property
    def is_busy(self) -> bool:
        """Tells whether a request is being received or answered."""
        return self._current is not None or bool(self._waiting) or self._in_message

    def check_time(self, now: float) -> None:
        """Ends what takes too long. Waiting for the model has its own deadline."""
        waited = now - self._since
        if self._closing:
            if waited > LINGER_SECONDS:
                self._transport.abort()
        elif not self._writable:
            if waited > RECEIVE_SECONDS:
                self._transport.abort()
        elif self._current is not None or self._waiting:
            return
        elif self._in_message:
            if waited > RECEIVE_SECONDS:
                self._fault = TIMED_OUT
                self._settle()
        elif waited > IDLE_SECONDS:
            self._transport.close()

    def close(self) -> None:
        """Closes an idle connection."""
        if not self._closing:
            self._transport.close()
