"""HTTP/1.1 on one connection: answers in order, bounded in time, and closed without losing an answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from typing_extensions import override

from sentinel_workloads.model_server.wire.exchange import Exchange
from sentinel_workloads.model_server.wire.fault import TIMED_OUT
from sentinel_workloads.model_server.wire.parser import RequestParser

if TYPE_CHECKING:
    from sentinel_workloads.model_server.wire.listener import Listener

MAX_PIPELINED = 16
RECEIVE_SECONDS = 30.0
"""From a request's first byte to its last; slower clients hold a connection for nothing."""
IDLE_SECONDS = 120.0
"""Longer than proxies keep theirs, so that it is they who close: closing first races with their next request."""
LINGER_SECONDS = 2.0
"""How long what still comes is thrown away before a close; closing at once would reset, and lose the answer."""

HANG_UP_SECONDS = 1.0
"""How long a client that has closed its side is still believed to wait for an answer."""


class Connection(asyncio.Protocol):
    """Hands each request to the listener's handler when those before it are answered."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._parser: RequestParser = cast("RequestParser", None)
        self._current: Exchange | None = None
        self._advancing = False
        self._reading = True
        self._writable = True
        self._closing = False
        self._half_closed = False
        self._since = 0.0
        """When the present wait began: for a request's end, for the next request, for the client to read."""

    # -------------------------------------------------------------------------------------- from the transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes the connection, if there are not too many."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self._parser = RequestParser(
            self, peer=str(peer[0]) if peer else "", max_body=self._listener.max_body, begun=self._rewind
        )
        self._rewind()
        if not self._listener.opened(self):
            self._transport.abort()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Lets go of everything, and of the work that nobody waits for."""
        self._closing = True
        self._listener.lost(self)
        if self._current is not None:
            self._current.abandon()
            self._current = None
        del self._parser  # It refers back to this object.

    @override
    def data_received(self, data: bytes) -> None:
        """Parses what came; after the last request that will be answered, it is thrown away."""
        if self._closing or self._parser.fault is not None:
            return
        self._parser.feed(data)
        if len(self._parser.requests) > MAX_PIPELINED and self._reading:
            self._reading = False
            self._transport.pause_reading()
        self._advance()

    @override
    def eof_received(self) -> bool:
        """Keeps the way back open for a moment: the client said all it wanted and waits, or it is gone; who knows."""
        self._half_closed = True
        self._rewind()
        return self._current is not None or bool(self._parser.requests)

    @override
    def pause_writing(self) -> None:
        """Stops answering a client that does not read."""
        self._writable = False
        self._rewind()

    @override
    def resume_writing(self) -> None:
        """Goes on."""
        self._writable = True
        self._advance()

    # ------------------------------------------------------------------------------------------------- answering

    def go_on(self) -> None:
        """Tells a client that asked first that its body is welcome; not between two answers."""
        if self._current is None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def send(self, exchange: Exchange, head: bytes, body: bytes) -> None:
        """Writes an answer. The last one before a close says so."""
        if self._closing or exchange is not self._current:
            return
        self._current = None
        last = not exchange.keep_alive or (self._listener.draining and not self._parser.requests)
        tail = b"Connection: close\r\n\r\n" if last else b"\r\n"
        self._transport.write(b"".join((head, self._listener.date, tail, body)))
        self._rewind()
        if last:
            self._finish()
        elif not self._advancing:
            self._advance()

    def _advance(self) -> None:
        """Hands over requests, one at a time; a loop, since answers may come at once and a client may pipeline."""
        if self._advancing or self._closing:
            return
        requests = self._parser.requests
        self._advancing = True
        try:
            while self._current is None and requests and self._writable and not self._closing:
                self._current = requests.popleft()
                self._listener.handle(self._current)
        finally:
            self._advancing = False
        if self._closing:
            return
        if self._current is None and not requests:
            self._settle()
        if not self._reading and len(requests) < MAX_PIPELINED:
            self._reading = True
            self._transport.resume_reading()

    def _settle(self) -> None:
        """All is answered: says what was wrong with the last, or waits for more."""
        fault = self._parser.fault
        if fault is not None:
            if fault.status:
                self._transport.write(fault.answer)
            self._finish()
        elif self._half_closed:
            self._transport.close()

    def _finish(self) -> None:
        """Closes after the client has had time to read: it may still be sending."""
        self._closing = True
        self._parser.requests.clear()
        self._rewind()
        if self._transport.can_write_eof() and not self._half_closed:
            self._transport.write_eof()
            if not self._reading:
                self._transport.resume_reading()
        else:
            self._transport.close()

    # ----------------------------------------------------------------------------------------- from the listener

    @property
    def is_busy(self) -> bool:
        """Tells whether a request is being received or answered."""
        return self._current is not None or bool(self._parser.requests) or self._parser.in_message

    def check_time(self, now: float) -> None:
        """Ends what takes too long. Waiting for the model has its own deadline."""
        waited = now - self._since
        if self._closing:
            if waited > LINGER_SECONDS:
                self._transport.abort()
        elif not self._writable:
            if waited > RECEIVE_SECONDS:
                self._transport.abort()
        elif self._current is not None or self._parser.requests:
            if self._half_closed and waited > HANG_UP_SECONDS:
                self._transport.abort()
        elif self._parser.in_message:
            if waited > RECEIVE_SECONDS:
                self._parser.fault = TIMED_OUT
                self._settle()
        elif waited > IDLE_SECONDS:
            self._transport.close()

    def close(self) -> None:
        """Closes an idle connection."""
        if not self._closing:
            self._transport.close()

    def _rewind(self) -> None:
        self._since = self._listener.now
