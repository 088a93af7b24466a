"""The HTTP endpoints: /metrics, /healthz (and /health, /livez), /readyz (and /ready); few at once, none for long."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from typing_extensions import override

from sentinel_agent.expose.text import CONTENT_TYPE

logger = logging.getLogger(__name__)

_SECONDS = 10.0
_TEXT = "text/plain; charset=utf-8"
_AT_ONCE = 8

Route = Callable[[], tuple[int, str, bytes]]
Check = Callable[[], str]
"""Gives what is wrong; empty where nothing is."""


class Server:
    """Serves from threads of its own. Each endpoint is asked anew at each request."""

    def __init__(self, *, host: str, port: int, metrics: Callable[[], bytes], alive: Check, ready: Check) -> None:
        routes: Mapping[str, Route] = {
            "/metrics": lambda: (200, CONTENT_TYPE, metrics()),
            **dict.fromkeys(("/healthz", "/health", "/livez"), lambda: _verdict(alive)),
            **dict.fromkeys(("/readyz", "/ready"), lambda: _verdict(ready)),
        }
        self._server = _Limited((host, port), _handler(routes))
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.2], name="http", daemon=True)

    @property
    def port(self) -> int:
        """Gives the port that it listens on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def close(self) -> None:
        """Takes no further requests, and ends."""
        self._server.shutdown()
        self._server.server_close()


class _Limited(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 32

    def __init__(self, *arguments: Any) -> None:
        self._slots = threading.Semaphore(_AT_ONCE)
        super().__init__(*arguments)

    @override
    def process_request(self, request: Any, client_address: Any) -> None:
        if self._slots.acquire(timeout=_SECONDS):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    @override
    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no event."""


def _verdict(check: Check) -> tuple[int, str, bytes]:
    wrong = check()
    return (503 if wrong else 200), _TEXT, f"{wrong or 'ok'}\n".encode()


def _answer(route: Route | None) -> tuple[int, str, bytes]:
    if route is None:
        return 404, _TEXT, b"not found\n"
    try:
        return route()
    except Exception:
        logger.exception("an endpoint failed")
        return 500, _TEXT, b"failed; the log says why\n"


def _handler(routes: Mapping[str, Route]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "sentinel-agent"
        sys_version = ""
        timeout = _SECONDS

        @override
        def setup(self) -> None:
            super().setup()
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def do_GET(self) -> None:
            code, kind, body = _answer(routes.get(self.path.partition("?")[0]))
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")  # a connection that is kept would keep a thread
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

        @override
        def log_message(self, *_: Any) -> None:
            """Scrapes are not worth a line each."""

    return Handler
