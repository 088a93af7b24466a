"""One HTTP request and the one answer it gets."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

JSON = b"application/json"
BINARY = b"application/octet-stream"
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_HEADS: dict[tuple[int, bytes], bytes] = {}


class Line(Protocol):
    """The connection an exchange came by."""

    def send(self, exchange: Exchange, head: bytes, body: bytes) -> None:
        """Writes the answer and goes on to the next request of the connection."""

    def go_on(self) -> None:
        """Tells a client that asked first that its body is welcome."""


class Exchange:
    """A complete request. Header names are lower case. `abandoned` is called if the client goes away first."""

    __slots__ = (
        "_line",
        "abandoned",
        "answered",
        "body",
        "headers",
        "keep_alive",
        "method",
        "path",
        "peer",
        "received",
    )

    def __init__(self, line: Line, *, method: bytes, path: bytes, headers: dict[bytes, bytes], peer: str) -> None:
        self._line = line
        self.method = method
        self.path = path
        self.headers = headers
        self.peer = peer
        self.body = b""
        self.keep_alive = True
        self.received = 0.0
        """When its last byte came, by time.perf_counter()."""
        self.answered = False
        self.abandoned: Callable[[], None] | None = None

    def reply(self, status: int, body: bytes, *, content_type: bytes = JSON, headers: bytes = b"") -> None:
        """Answers, once; `headers` are whole lines, each with its CRLF."""
        if self.answered:
            return
        self.answered = True
        self.abandoned = None
        head = _HEADS.get((status, content_type))
        if head is None:
            head = _STATUS_LINES[status] + b"Content-Type: " + content_type + b"\r\nContent-Length: "
            _HEADS[status, content_type] = head
        self._line.send(self, b"%b%d\r\n%b" % (head, len(body), headers), body if self.method != b"HEAD" else b"")

    def abandon(self) -> None:
        """Says that nobody waits for the answer any more."""
        self.answered = True
        if self.abandoned is not None:
            self.abandoned()
            self.abandoned = None
