"""A reverse proxy in front of the real API server that fails as told: late, throttled, broken, cut off, or for good.

It serves plain HTTP on loopback and authenticates upstream as the kubeconfig says, so that the operator under test
needs no credentials. It keeps a record of what passed. Where it is told of a label, whoever is behind it sees no other
objects of the kinds that are watched cluster-wide: so several operators can share one API server.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import orjson
from aiohttp import ClientError, ClientTimeout, web
from yarl import URL

from sentinel_operator.engine.access import Access, Source

_PASSED_ON = ("Content-Type", "Accept")
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_OWN = "/apis/sentinel.dev/v1alpha1/"
_NARROWED = {f"{_OWN}{each}" for each in ("actionplans", "actionpolicies", "sentrymodels", "scanjobs")} | {
    "/api/v1/nodes"
}


@dataclass(slots=True)
class Seen:
    """One request, as it came in; `status` is 0 until the API server has answered it."""

    method: str
    path: str
    watch: bool
    status: int = 0
    at: float = 0.0
    """When it came, in seconds since 1970."""
    dry: bool = False
    version: int = 0
    """The resourceVersion that a write has left behind, where its answer tells."""

    @property
    def write(self) -> bool:
        """Tells whether it changes the cluster; reviews of access do not."""
        return self.method in _WRITES and "accessreview" not in self.path

    @property
    def lease(self) -> bool:
        """Tells whether it is about leader election."""
        return "/leases" in self.path


Match = Callable[[Seen], bool]


def writes(seen: Seen) -> bool:
    """Matches what reconciling writes: neither lease nor event."""
    return seen.write and not seen.lease and "/events" not in seen.path


def watches(seen: Seen) -> bool:
    """Matches watches."""
    return seen.watch


def everything(_: Seen) -> bool:
    """Matches all requests."""
    return True


@dataclass(slots=True)
class Fault:
    """What to do to the requests that match, `times` of them after the first `skip`. `after_forwarding` loses the
    answer instead."""

    match: Match
    times: int = 1
    skip: int = 0
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False
    after_forwarding: bool = False
    hit: int = 0

    @property
    def spent(self) -> bool:
        """Tells whether it has happened as often as it was to."""
        return self.hit >= self.times

    def meets(self, seen: Seen) -> bool:
        """Tells whether it happens to a request; those that it lets pass first are counted."""
        if self.spent or not self.match(seen):
            return False
        self.skip -= 1
        return self.skip < 0


Moment = Literal["before", "taken"]
Witness = Callable[[Seen, Moment], None]
"""Is told of every write that is neither lease nor event: before it is passed on, and once the API server has taken it
and nobody knows of it yet."""


class FaultProxy:
    """One proxy; give each replica its own to tell their requests apart."""

    def __init__(self, access: Access, *, label: str = "", witness: Witness | None = None) -> None:
        self._access, self._label, self._witness = access, label, witness
        self._flows = asyncio.Event()
        self._flows.set()
        self._faults: list[Fault] = []
        self._watches: dict[asyncio.Task[Any], Seen] = {}
        self._blocked: Match | None = None
        self._runner: web.AppRunner | None = None
        self._last_write: Match | None = None
        self._last_answered = False
        self.log: list[Seen] = []
        self.url = ""
        self.dead = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(cls, kubeconfig: Path, *, label: str = "", witness: Witness | None = None) -> AsyncIterator[Self]:
        """Serves until left."""
        access = await Access.open(Source(kubeconfig))
        proxy = cls(access, label=label, witness=witness)
        try:
            await proxy._start()
            yield proxy
        finally:
            await proxy._close()
            await access.close()

    def kubeconfig(self, directory: Path | None = None) -> Path:
        """Writes a kubeconfig that leads here."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "proxy",
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "nobody"}}],
            "clusters": [{"name": "proxy", "cluster": {"server": self.url}}],
            "users": [{"name": "nobody", "user": {}}],
        }
        with tempfile.NamedTemporaryFile("w", dir=directory, suffix=".json", delete=False) as file:
            json.dump(config, file)
        return Path(file.name)

    def inject(self, *faults: Fault) -> None:
        """Adds faults; the first that matches and is not spent happens."""
        self._faults.extend(faults)

    def heal(self) -> None:
        """Takes all faults back."""
        self._faults.clear()
        self._last_write = None
        self.dead.clear()

    def drop_watches(self) -> None:
        """Cuts every watch under way in the middle of its stream."""
        for task in tuple(self._watches):
            task.cancel()

    def hold(self) -> None:
        """Lets nothing through, in either direction, and closes nothing: as a network does that has lost its way."""
        self._flows.clear()

    def let_go(self) -> None:
        """Lets everything through again; what nobody waits for any more has not arrived."""
        self._flows.set()

    def block(self, match: Match) -> None:
        """Refuses what matches with 503 from now on, and cuts the watches that match."""
        self._blocked = match
        for task, seen in tuple(self._watches.items()):
            if match(seen):
                task.cancel()

    def unblock(self) -> None:
        """Lets everything through again."""
        self._blocked = None

    def die_at_write(self, number: int, *, answered: bool = False) -> None:
        """Answers nothing at all from the k-th write on. That write itself happens; its answer, only if `answered`."""
        countdown = number

        def last(seen: Seen) -> bool:
            nonlocal countdown
            if writes(seen):
                countdown -= 1
                return countdown == 0
            return False

        self._last_write, self._last_answered = last, answered

    async def _start(self) -> None:
        app = web.Application(client_max_size=16 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _close(self) -> None:
        self.drop_watches()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        seen = Seen(request.method, request.path, request.query.get("watch") == "true", at=time.time())
        seen.dry = "dryRun" in request.query
        if self.dead.is_set():
            return _cut(request)
        self.log.append(seen)
        if self._blocked is not None and self._blocked(seen):
            return _status(Fault(everything, status=503), seen)
        body = await request.read()
        if not await self._passes(request):
            return _cut(request)
        fault = next((each for each in self._faults if each.meets(seen)), None)
        last = self._last_write is not None and self._last_write(seen)
        if fault is not None:
            fault.hit += 1
            await asyncio.sleep(fault.delay)
            if not fault.after_forwarding and (fault.cut or fault.status):
                seen.status = fault.status
                return _cut(request) if fault.cut else _status(fault, seen)
        self._tell(seen, "before")
        if not await self._passes(request):
            return _cut(request)
        if last:
            self.dead.set()
        response = await self._forward(request, seen, body)
        self._tell(seen, "taken")
        if (last and not self._last_answered) or (fault is not None and fault.after_forwarding):
            return _cut(request)
        if self.dead.is_set() and not last:
            return _cut(request)
        await self._flows.wait()
        return response

    async def _passes(self, request: web.Request) -> bool:
        """Waits while all is held up; False for what has been given up meanwhile, or when this is the end of it all."""
        if not self._flows.is_set():
            await self._flows.wait()
            if request.transport is None or request.transport.is_closing():
                return False
        return not self.dead.is_set()

    def _tell(self, seen: Seen, moment: Moment) -> None:
        if self._witness is not None and writes(seen) and not seen.dry:
            self._witness(seen, moment)

    def _url(self, request: web.Request) -> URL:
        url = URL(self._access.host + request.raw_path, encoded=True)
        if not self._label or request.method != "GET" or request.path not in _NARROWED:
            return url
        selectors = [self._label, *request.query.getall("labelSelector", ())]
        return url.update_query(labelSelector=",".join(selectors))

    async def _forward(self, request: web.Request, seen: Seen, body: bytes) -> web.StreamResponse:
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        try:
            async with self._access.session.request(
                request.method,
                self._url(request),
                data=body or None,
                headers={**headers, **await self._access.authorization()},
                timeout=ClientTimeout(total=None, sock_read=400),
            ) as upstream:
                seen.status = upstream.status
                passed = {"Content-Type": upstream.headers.get("Content-Type", "application/json")}
                if not seen.watch:
                    answer = await upstream.read()
                    seen.version = _version(answer) if seen.write and upstream.status < 300 else 0
                    return web.Response(status=upstream.status, body=answer, headers=passed)
                return await self._stream(request, seen, upstream, passed)
        except ClientError:
            return _cut(request)

    async def _stream(
        self, request: web.Request, seen: Seen, upstream: Any, headers: dict[str, str]
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=upstream.status, headers=headers)
        await response.prepare(request)
        copying = asyncio.create_task(_copy(upstream, response, self._flows))
        self._watches[copying] = seen
        try:
            await asyncio.wait([copying])
            if copying.cancelled():
                _cut(request)
        finally:
            del self._watches[copying]
            copying.cancel()
        return response


async def _copy(upstream: Any, response: web.StreamResponse, flows: asyncio.Event) -> None:
    async for chunk in upstream.content.iter_any():
        await flows.wait()
        try:
            await response.write(chunk)
        except ConnectionError:
            return


def _version(answer: bytes) -> int:
    metadata = orjson.loads(answer).get("metadata") or {}
    return int(metadata.get("resourceVersion") or 0)


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=502)


def _status(fault: Fault, seen: Seen) -> web.Response:
    body = {
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "code": fault.status,
        "reason": {409: "Conflict", 410: "Expired", 429: "TooManyRequests", 500: "InternalError"}.get(fault.status, ""),
        "message": f"injected {fault.status}",
    }
    if seen.watch and fault.status == 410:  # the watch cache says so in the stream
        return web.json_response({"type": "ERROR", "object": body})
    return web.json_response(body, status=fault.status, headers=fault.headers)
