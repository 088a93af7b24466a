"""A webhook is told once it listens; whatever it does, the scan is not the worse for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from sentinel_operator.api.scanning import Counts, ReportOutcome
from sentinel_workloads.scan.report import webhook
from sentinel_workloads.scan.report.webhook import ATTEMPTS, told

OUTCOME = ReportOutcome(
    verdict="Clean",
    counts=Counts(),
    uri="file:///report.json",
    digest="sha256:0",
    dataset_digest="sha256:1",
    merkle_root="sha256:2",
)


@dataclass(slots=True)
class Hook:
    """A server that answers as it is told and remembers what it was told."""

    url: str
    answers: list[int]
    bodies: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def listening(*answers: int) -> AsyncIterator[Hook]:
    hook = Hook("", list(answers))

    async def answer(request: web.Request) -> web.Response:
        hook.bodies.append(await request.read())
        status = hook.answers.pop(0) if len(hook.answers) > 1 else hook.answers[0]
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    app = web.Application()
    app.router.add_post("/hook", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield hook
    finally:
        await runner.cleanup()


async def at_once(_: float) -> None:
    pass


async def test_it_is_told_the_outcome() -> None:
    async with listening(204) as hook:
        assert await told(hook.url, OUTCOME) == ""
    assert ReportOutcome.model_validate_json(hook.bodies[0]) == OUTCOME


async def test_it_may_fail_for_a_while() -> None:
    async with listening(503, 429, 500, 200) as hook:
        assert await told(hook.url, OUTCOME, sleep=at_once) == ""
    assert len(hook.bodies) == 4


@pytest.mark.parametrize(
    ("status", "attempts"), [(500, ATTEMPTS), (429, ATTEMPTS), (400, 1), (404, 1), (302, 1), (307, 1)]
)
async def test_what_it_answers_is_said_when_it_never_listens(status: int, attempts: int) -> None:
    async with listening(status) as hook:
        assert await told(hook.url, OUTCOME, sleep=at_once) == f"answered {status}"
    assert len(hook.bodies) == attempts


async def test_nobody_there_is_said() -> None:
    async with listening(200) as hook:
        pass
    assert "connect" in (await told(hook.url, OUTCOME, sleep=at_once)).lower()


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/", "gopher://x/", "", "http://[::1"])
async def test_only_http_is_spoken(url: str) -> None:
    assert await told(url, OUTCOME, sleep=at_once)


async def test_it_cannot_keep_the_scan(monkeypatch: pytest.MonkeyPatch, slow_server: Callable[[], str]) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 0.05)
    assert "no answer" in await told(slow_server(), OUTCOME, sleep=at_once)


@pytest.fixture
def slow_server() -> object:
    """A server that takes a connection and never answers."""
    import socket

    sock = socket.create_server(("127.0.0.1", 0))
    yield lambda: f"http://127.0.0.1:{sock.getsockname()[1]}/hook"
    sock.close()
