"""One request: sent while its sender leads and its time is not over, and not later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sentinel_operator.engine.errors import NotLeader, TooLate
from sentinel_operator.engine.metrics import Metrics
from sentinel_operator.engine.transport import Limits, Request, Transport


class Answer:
    status, headers = 200, dict[str, str]()

    async def read(self) -> bytes:
        return b"{}"


class Session:
    """Answers once it may, and takes down what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, float]] = []
        self.began, self.may_answer = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def request(self, method: str, url: str, *, timeout: Any, **_: Any) -> AsyncIterator[Answer]:
        self.sent.append((url, timeout.total))
        self.began.set()
        await self.may_answer.wait()
        yield Answer()


class Reach:
    """As an `Access`."""

    host, proxy, server_hostname = "", None, None

    def __init__(self) -> None:
        self.session = Session()

    async def authorization(self) -> dict[str, str]:
        return {}


class Fence:
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def remaining(self) -> float:
        return self.seconds


def a_request(path: str = "/two", **more: Any) -> Request:
    return Request(method="PATCH", path=path, verb="patch", kind="Deployment", **more)


@pytest.mark.parametrize(("fence", "term", "wanted"), [(9.0, 5.0, 5.0), (3.0, 5.0, 3.0), (90.0, 80.0, 30.0)])
async def test_a_request_is_given_up_at_its_time_and_when_the_lease_ends(fence: float, term: float, wanted: float):
    reach = Reach()
    reach.session.may_answer.set()
    transport = Transport(reach, metrics=Metrics(), limits=Limits(timeout=30.0))  # type: ignore[arg-type]
    await transport.send(a_request(fence=Fence(fence), term=lambda: term))
    assert reach.session.sent == [("/two", wanted)]


@pytest.mark.parametrize(("fence", "term", "error"), [(0.0, 5.0, NotLeader), (5.0, 0.0, TooLate)])
async def test_what_had_to_wait_for_its_turn_until_its_time_was_over_is_not_sent(
    fence: float, term: float, error: type[Exception]
):
    reach = Reach()
    transport = Transport(reach, metrics=Metrics(), limits=Limits(concurrency=1))  # type: ignore[arg-type]
    first = asyncio.create_task(transport.send(a_request("/one")))
    held, left = Fence(5.0), [5.0]
    second = asyncio.create_task(transport.send(a_request(fence=held, term=lambda: left[0])))
    await reach.session.began.wait()
    held.seconds, left[0] = fence, term
    reach.session.may_answer.set()
    await first
    with pytest.raises(error):
        await second
    assert [url for url, _ in reach.session.sent] == ["/one"]
