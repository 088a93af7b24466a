"""One HTTP exchange with the API server: bounded in time and number, counted, and its failure mapped."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
import orjson

from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.access import Access
from sentinel_operator.engine.errors import NotLeader, Retry, TooLate, api_error

JSON = "application/json"
_LARGEST_EVENT = 16 * 2**20
_LONGEST_ERROR_TEXT = 512

Query = tuple[tuple[str, str], ...]
Term = Callable[[], float]
"""Gives for how many seconds a request makes sense; zero or less: it is not sent any more."""


class Fence(Protocol):
    """Decides, right before a write is sent, whether it still may be."""

    def remaining(self) -> float:
        """Gives for how many seconds writing is allowed; zero or less forbids it."""


class RequestMetrics(Protocol):
    """Where requests are counted."""

    def requested(self, verb: str, kind: str, code: int) -> None:
        """Counts one answer; code 0 is no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a request may take, how many run at once, and how many items a page of a list has."""

    timeout: float = 30.0
    concurrency: int = 32
    page: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; `verb` and `kind` are for the metrics."""

    method: str
    path: str
    verb: str
    kind: str
    query: Query = ()
    body: Manifest | None = None
    content_type: str = JSON
    accept: str = JSON
    fence: Fence | None = None
    term: Term | None = None


class Transport:
    """Sends requests. Raises `ApiError` or `NotLeader`, and nothing else of the outside's faults."""

    def __init__(self, access: Access, *, metrics: RequestMetrics, limits: Limits) -> None:
        self._access, self._metrics = access, metrics
        self.limits = limits
        self._slots = asyncio.Semaphore(limits.concurrency)

    async def send(self, request: Request) -> Manifest:
        """Gives the decoded answer. After a 401 the credentials are loaded anew and it is tried once more."""
        data = None if request.body is None else orjson.dumps(request.body)
        async with self._slots:
            try:
                code, answer, retry_after = await self._exchange(request, data)
                if code == 401:
                    await self._access.refresh()
                    code, answer, retry_after = await self._exchange(request, data)
                decoded: Manifest = orjson.loads(answer) if 200 <= code < 300 else _status_of(answer)
            except (aiohttp.ClientError, OSError, orjson.JSONDecodeError) as error:  # TimeoutError is an OSError
                self._metrics.requested(request.verb, request.kind, 0)
                raise Retry(f"{request.method} {request.path}: {type(error).__name__}: {error}") from error
        self._metrics.requested(request.verb, request.kind, code)
        if not 200 <= code < 300:
            raise api_error(code, decoded, retry_after)
        return decoded

    async def stream(self, request: Request, *, idle: float) -> AsyncIterator[bytes]:
        """Yields the lines of an answer until the server ends it; one silent for `idle` seconds is given up (Retry)."""
        try:
            async with self._access.session.get(
                self._access.host + request.path,
                params=request.query,
                headers=await self._headers(request.accept),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=idle),
                **self._route(),
            ) as response:
                self._metrics.requested(request.verb, request.kind, response.status)
                if response.status == 401:
                    await self._access.refresh()
                if response.status != 200:
                    status = _status_of(await response.content.read(_LARGEST_EVENT))
                    raise api_error(response.status, status, response.headers.get("Retry-After"))
                async for line in _lines(response.content):
                    yield line
        except (aiohttp.ClientError, OSError) as error:
            raise Retry(f"{request.verb} {request.path}: {type(error).__name__}: {error}") from error

    async def _exchange(self, request: Request, data: bytes | None) -> tuple[int, bytes, str | None]:
        headers = await self._headers(request.accept)
        if data is not None:
            headers["Content-Type"] = request.content_type
        async with self._access.session.request(
            request.method,
            self._access.host + request.path,
            params=request.query,
            data=data,
            headers=headers,
            # The library would round what is longer up to whole seconds.
            timeout=aiohttp.ClientTimeout(total=self._time_for(request), ceil_threshold=math.inf),
            **self._route(),
        ) as response:
            return response.status, await response.read(), response.headers.get("Retry-After")

    def _time_for(self, request: Request) -> float:
        """Is asked last, when nothing has to be waited for any more."""
        held = request.fence.remaining() if request.fence is not None else math.inf
        if held <= 0:
            raise NotLeader(f"{request.method} {request.path} was not sent: the lease is not held any more")
        left = request.term() if request.term is not None else math.inf
        if left <= 0:
            raise TooLate(f"{request.method} {request.path} was not sent: its time is over")
        return min(self.limits.timeout, held, left)

    async def _headers(self, accept: str) -> dict[str, str]:
        return {"Accept": accept, **await self._access.authorization()}

    def _route(self) -> dict[str, Any]:
        chosen = {"proxy": self._access.proxy, "server_hostname": self._access.server_hostname}
        return {key: value for key, value in chosen.items() if value}


def _status_of(answer: bytes) -> Manifest:
    """Reads a v1.Status; a proxy's page becomes one."""
    try:
        decoded = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return {"message": answer[:_LONGEST_ERROR_TEXT].decode(errors="replace").strip()}
    return decoded if isinstance(decoded, dict) else {}


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Splits by newlines whatever arrives at once: in a burst of events a fraction of the cost of `readline`."""
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line:
                yield line
        if len(rest) > _LARGEST_EVENT:
            raise Retry(f"a watch event is longer than {_LARGEST_EVENT} bytes")
