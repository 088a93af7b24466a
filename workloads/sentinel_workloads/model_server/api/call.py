"""One metered HTTP request: counted, logged, and answered once, whatever happens."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

import orjson

from sentinel_workloads.model_server.api.mirrored import HEADER, reading
from sentinel_workloads.model_server.api.sample import Answered, Sample
from sentinel_workloads.model_server.api.service import Service
from sentinel_workloads.model_server.inference.work import Work
from sentinel_workloads.model_server.observe.trace import request_id, trace_of
from sentinel_workloads.model_server.oip.json_codec import HEADER_LENGTH
from sentinel_workloads.model_server.refusal import Cause, Refusal
from sentinel_workloads.model_server.revision import Revision
from sentinel_workloads.model_server.wire.exchange import JSON, Exchange

LOG = logging.getLogger("sentinel_workloads.model_server.requests")
CLIENT_GONE = 499
CREDENTIALS = (b"x-api-key", b"authorization")
FAULT = 500


class Call:
    """Counts a request as in flight until it is answered or its client is gone."""

    __slots__ = ("exchange", "figures", "id", "mirrored", "revision", "service", "withdraw")

    def __init__(self, exchange: Exchange, service: Service) -> None:
        self.exchange = exchange
        self.service = service
        self.revision = service.active
        """What answers it, from here to its end."""
        self.mirrored = HEADER in exchange.headers
        self.figures = service.figures(mirrored=self.mirrored)
        self.id = request_id(exchange.headers.get(b"x-request-id"))
        self.withdraw: Callable[[], object] | None = None
        """Takes back what was begun for a client that is gone."""
        self.figures.in_flight += 1
        exchange.abandoned = self._abandoned

    def answer(self, body: bytes, *, content_type: bytes = JSON, headers: bytes = b"") -> None:
        """Answers 200."""
        self._finish(200, body, content_type=content_type, headers=headers)

    def tell(self, work: Work, revision: Revision) -> None:
        """Tells those who replay or mirror, once the client has its answer."""
        exchange = self.exchange
        if not self.service.taps or self.mirrored:
            return
        headers = exchange.headers
        sample = Sample(exchange.path, exchange.body, headers.get(b"content-encoding"), headers.get(HEADER_LENGTH))
        credentials = tuple((name, headers[name]) for name in CREDENTIALS if name in headers)
        seconds = time.perf_counter() - exchange.received
        self.service.tell(Answered(sample, work, revision, seconds, credentials))

    def reflect(self, work: Work, revision: Revision) -> None:
        """Answers a mirrored request."""
        self.answer(reading(work, revision, seconds=time.perf_counter() - self.exchange.received))

    def refuse(self, refusal: Refusal) -> None:
        """Answers with the reason, and with when to come again."""
        error = {"error": refusal.message, "requestId": self.id}
        if refusal.field:
            error["field"] = refusal.field
        self._finish(
            refusal.cause.status, orjson.dumps(error), headers=refusal_headers(refusal), reason=refusal.message
        )

    def fail(self, error: Exception) -> None:
        """Answers 500 for a defect of this server."""
        LOG.error("a request failed", exc_info=error, extra=self._log_fields(FAULT))
        self.refuse(Refusal(Cause.FAILED, "internal error"))

    def _finish(
        self, status: int, body: bytes, *, content_type: bytes = JSON, headers: bytes = b"", reason: str = ""
    ) -> None:
        if self.exchange.answered:
            return
        line = b"X-Request-ID: %b\r\n%b" % (self.id.encode(), headers)
        self.withdraw = None  # It refers back to this call: what is no cycle needs no collector.
        self.exchange.reply(status, body, content_type=content_type, headers=line)
        self._count(status)
        traceparent = self.exchange.headers.get(b"traceparent")
        if status >= FAULT or (traceparent and trace_of(traceparent)[1]):
            level = logging.WARNING if status >= FAULT else logging.INFO
            LOG.log(level, reason or "answered", extra=self._log_fields(status))

    def _abandoned(self) -> None:
        if self.withdraw is not None:
            self.withdraw()
            self.withdraw = None
        self._count(CLIENT_GONE)

    def _count(self, status: int) -> None:
        figures = self.figures
        figures.in_flight -= 1
        figures.answered("http", str(status), time.perf_counter() - self.exchange.received)

    def _log_fields(self, status: int) -> dict[str, object]:
        return {
            "requestId": self.id,
            "traceId": trace_of(self.exchange.headers.get(b"traceparent"))[0],
            "path": self.exchange.path.decode(errors="replace"),
            "status": status,
            "seconds": round(time.perf_counter() - self.exchange.received, 6),
        }


def refusal_headers(refusal: Refusal) -> bytes:
    """Gives Retry-After in whole seconds, and what to authenticate with."""
    if refusal.cause is Cause.UNAUTHENTICATED:
        return b"WWW-Authenticate: Bearer\r\n"
    return b"Retry-After: %d\r\n" % max(1, math.ceil(refusal.retry_after)) if refusal.retry_after else b""
