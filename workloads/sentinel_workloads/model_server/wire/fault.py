"""What is wrong with bytes that never become a request."""

from __future__ import annotations

from http import HTTPStatus

import orjson


class WireFault:
    """A reason to answer and close; status 0 closes without an answer."""

    __slots__ = ("answer", "status")

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        body = orjson.dumps({"error": message})
        phrase = HTTPStatus(status).phrase if status else ""
        self.answer = (
            f"HTTP/1.1 {status} {phrase}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n"
        ).encode() + body


class Stop(Exception):  # noqa: N818 - control flow through the parser
    """Ends parsing from inside a callback of the parser; the connection knows the fault."""


BAD_REQUEST = WireFault(400, "this is not an HTTP/1.1 request")
UPGRADED = WireFault(0, "")
TIMED_OUT = WireFault(408, "the request did not end in time")
TOO_LARGE = WireFault(413, "the body is larger than the limit of this server")
FIELDS_TOO_LARGE = WireFault(431, "the headers are too large")
