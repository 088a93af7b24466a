"""Bytes into requests: whole, in order, and within bounds, or the reason why not."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import httptools

from sentinel_workloads.model_server.wire.exchange import Exchange, Line
from sentinel_workloads.model_server.wire.fault import (
    BAD_REQUEST,
    FIELDS_TOO_LARGE,
    TOO_LARGE,
    UPGRADED,
    Stop,
    WireFault,
)

MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 128


class RequestParser:
    """Fills `requests`; after `fault` is set nothing more is parsed. `begun` is called at a request's first byte."""

    def __init__(self, line: Line, *, peer: str, max_body: int, begun: Callable[[], None]) -> None:
        self.requests: deque[Exchange] = deque()
        self.fault: WireFault | None = None
        self.in_message = False
        self._line, self._peer, self._max_body, self._begun = line, peer, max_body, begun
        self._parser = httptools.HttpRequestParser(self)
        self._exchange: Exchange | None = None
        self._reset()

    def feed(self, data: bytes) -> None:
        """Parses what came. What comes after a request that closes the connection is thrown away."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.fault = UPGRADED  # The request is answered as HTTP/1.1, then the connection closes.
            if self.requests:
                self.requests[-1].keep_alive = False
        except httptools.HttpParserError:
            self._blame(BAD_REQUEST)
        if self.in_message and self._in_head and self.fault is None:
            self._head_bytes += len(data)  # A header that never ends is not told to on_header.
            if self._head_bytes > MAX_HEAD_BYTES:
                self.fault = FIELDS_TOO_LARGE

    # The parser of httptools calls these.

    def on_message_begin(self) -> None:
        """Starts a request."""
        self._reset()
        self.in_message = True
        self._begun()

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
        if b"host" not in headers and self._parser.get_http_version() == "1.1":
            raise self._refuse(BAD_REQUEST)
        length = headers.get(b"content-length", b"")
        if length and int(length) > self._max_body:
            raise self._refuse(TOO_LARGE)
        self._exchange = exchange = Exchange(
            self._line,
            method=self._parser.get_method(),
            path=self._target.partition(b"?")[0],
            headers=headers,
            peer=self._peer,
        )
        exchange.keep_alive = self._parser.should_keep_alive()
        if b"expect" in headers and headers[b"expect"].lower() == b"100-continue" and not self.requests:
            self._line.go_on()

    def on_body(self, body: bytes) -> None:
        """Gathers the body up to the limit."""
        self._body_bytes += len(body)
        if self._body_bytes > self._max_body:
            raise self._refuse(TOO_LARGE)
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Lines the request up."""
        exchange = self._exchange
        if exchange is None:
            raise self._refuse(BAD_REQUEST)
        exchange.body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        exchange.received = time.perf_counter()
        self.requests.append(exchange)
        self._reset()

    def _reset(self) -> None:
        self.in_message = False
        self._in_head = True
        self._head_bytes = 0
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._exchange = None

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            raise self._refuse(FIELDS_TOO_LARGE)

    def _blame(self, fault: WireFault) -> None:
        if self.fault is None:
            self.fault = fault

    def _refuse(self, fault: WireFault) -> Stop:
        self.fault = fault
        return Stop()
