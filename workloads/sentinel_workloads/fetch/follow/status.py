"""Health and metrics of the sidecar, for the kubelet and the scraper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aiohttp import web

from sentinel_workloads.fetch.follow.follower import Follower

TEXT = "text/plain"
VERSION = "0.0.4"


class Status:
    """What is told on the port; `connected` and `invalid` are set by whoever talks to the API server."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self.connected = False
        self.invalid = False

    async def serve(self, host: str, port: int) -> tuple[web.AppRunner, int]:
        """Listens; gives what to clean up, and the port."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthy)
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/metrics", self._metrics)
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await runner.setup()
        site = web.TCPSite(runner, host or None, port)
        await site.start()
        return runner, int(runner.addresses[0][1])

    async def _healthy(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _ready(self, _request: web.Request) -> web.Response:
        """Ready once the server has something to serve."""
        told = self._follower.told is not None
        return web.Response(status=200 if told else 503, text="ok" if told else "nothing is handed over yet")

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(text="".join(f"{line}\n" for line in self.lines()), content_type=TEXT)

    def lines(self) -> Iterator[str]:
        """Gives the exposition."""
        follower = self._follower
        wanted, told = follower.wanted, follower.told
        yield from _gauge("connected", "1 while the ConfigMap is watched.", [("", self.connected)])
        yield from _gauge("invalid", "1 while the ConfigMap cannot be followed.", [("", self.invalid)])
        yield from _gauge("serial", "Of the instruction that is followed.", [("", wanted.serial if wanted else 0)])
        yield from _gauge(
            "active", "What the server was told.", [(_labels(revision=told.active), 1)] if told is not None else []
        )
        states = [
            (_labels(revision=n, state=h.state, reason=h.failure.code.name if h.failure else ""), 1)
            for n, h in follower.held.items()
        ]
        yield from _gauge("revision_state", "How far each revision's copy is.", states)


def _gauge(name: str, text: str, samples: Sequence[tuple[str, float]]) -> Iterator[str]:
    full = f"sentinel_follow_{name}"
    yield f"# HELP {full} {text}"
    yield f"# TYPE {full} gauge"
    for labels, value in samples:
        yield f"{full}{labels} {float(value)}"


def _labels(**values: str) -> str:
    """Names of revisions and reasons hold nothing that would have to be escaped."""
    return "{" + ",".join(f'{name}="{value}"' for name, value in values.items()) + "}"
