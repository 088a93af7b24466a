"""Gates over real sockets: open, closed, silent, lying; asked one at a time, by the leader alone, while wanted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from sentinel_operator.core.plan import Asking
from sentinel_operator.core.rollout.observed import GateView
from sentinel_operator.engine.gates import Asker
from sentinel_operator.engine.measure.fetch import anywhere, is_public_or_cluster
from tests.integration.measure.scene import serving
from tests.support.eventually import eventually

KEY = "aaaa1111/1/1"


class Gatekeeper:
    """A gate that answers as it is told, and notes what it was asked."""

    def __init__(self, *answers: web.Response | int) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.under_way = self.most_under_way = 0
        self.hold = asyncio.Event()
        self.hold.set()

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append({"method": request.method, "media": request.content_type, "body": await request.json()})
        self.under_way += 1
        self.most_under_way = max(self.under_way, self.most_under_way)
        try:
            await self.hold.wait()
        finally:
            self.under_way -= 1
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=found) if isinstance(found, int) else said(found)


def said(answer: web.Response) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


def words(status: int, text: str, media: str = "text/plain") -> web.Response:
    return web.Response(status=status, text=text, content_type=media)


def asking(url: str, *, uid: str = "u1", key: str = KEY, **body: Any) -> Asking:
    return Asking(uid=uid, namespace="team", name="demo", key=key, url=f"{url}/ask", body={"key": key, **body})


class Scene:
    """An asker with little patience, and what it reported."""

    def __init__(self, *, leads: bool = True, **more: Any) -> None:
        self.news: list[Asking] = []
        self.leads = asyncio.Event()
        if leads:
            self.leads.set()
        self.asker = Asker(
            changed=self.news.append,
            may_ask=self.leads,
            rng=random.Random(0),
            first_pause=0.01,
            longest_pause=0.05,
            **{"allowed": anywhere, **more},
        )

    def view(self, uid: str = "u1", key: str = KEY) -> GateView | None:
        return self.asker.answers(uid).get(key)

    async def answered(self, verdict: str, uid: str = "u1", key: str = KEY) -> GateView:
        async def look() -> GateView | None:
            found = self.view(uid, key)
            return found if found is not None and found.verdict == verdict else None

        found = await eventually(look, within=30.0)
        assert found is not None
        return found


@asynccontextmanager
async def scene(**more: Any) -> AsyncIterator[Scene]:
    made = Scene(**more)
    try:
        yield made
    finally:
        await made.asker.close()


async def times(gate: Gatekeeper, number: int) -> None:
    async def enough() -> bool:
        return len(gate.asked) >= number

    await eventually(enough, within=30.0)


async def test_it_is_told_what_it_is_asked_about_and_opens():
    gate = Gatekeeper(204)
    async with serving(gate.handle) as url, scene() as on:
        on.asker.want(asking(url, step=1))
        assert on.view() is None
        assert (await on.answered("Open")).message == "answered 204 No Content"
        assert gate.asked == [
            {"method": "POST", "media": "application/json", "body": {"key": KEY, "step": 1}},
        ]
        assert len(on.news) == 1
        on.asker.want(asking(url, step=1))
        await asyncio.sleep(0)
        assert on.view() is not None
        assert len(gate.asked) == 1, "a gate that has opened is not asked again"


async def test_closed_says_why_and_then_it_opens():
    gate = Gatekeeper(words(403, "change  freeze\nuntil\x00 Monday"))
    async with serving(gate.handle) as url, scene() as on:
        on.asker.want(asking(url))
        assert (await on.answered("Closed")).message == "answered 403 Forbidden: change freeze until Monday"
        await times(gate, 4)
        assert len(on.news) == 1, "the same answer again is no news"
        gate.answers = [200]
        await on.answered("Open")
        assert len(on.news) == 2


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (words(423, "x" * 5000), f"answered 423 Locked: {'x' * 199}…"),
        (words(409, '{"reason": "busy"}', "application/json"), 'answered 409 Conflict: {"reason": "busy"}'),
        (words(500, "<html>secrets of a page</html>", "text/html"), "answered 500 Internal Server Error"),
        (web.Response(status=503, body=b"\xff\xfe", content_type="image/png"), "answered 503 Service Unavailable"),
        (
            web.Response(status=302, headers={"Location": "http://169.254.169.254/"}),
            "answered 302 Found: redirects are not followed",
        ),
        (599, "answered 599"),
    ],
    ids=["long", "JSON", "a page", "no text", "a redirect", "a status of its own"],
)
async def test_what_a_closed_gate_says_is_told_within_bounds(answer, message):
    async with serving(Gatekeeper(answer).handle) as url, scene() as on:
        on.asker.want(asking(url))
        assert (await on.answered("Closed")).message == message


async def test_a_body_without_end_keeps_nobody():
    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(status=403, headers={"Content-Type": "text/plain"})
        await answer.prepare(request)
        while True:
            await answer.write(b"no " * 10_000)

    async def trickling(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(status=403, headers={"Content-Type": "text/plain"})
        await answer.prepare(request)
        await answer.write(b"no")
        await asyncio.sleep(3600)
        return answer

    async with serving(endless) as url, serving(trickling) as other, scene() as on:
        on.asker.want(asking(url))
        on.asker.want(asking(other, uid="u2"))
        assert (await on.answered("Closed")).message.startswith("answered 403 Forbidden: no no no")
        assert (await on.answered("Closed", uid="u2")).message == "answered 403 Forbidden: no"


async def test_nobody_there_is_no_verdict_and_asked_until_somebody_is():
    async with serving(Gatekeeper(200).handle) as url:
        pass
    async with scene() as on:
        on.asker.want(asking(url))
        assert "no connection" in (await on.answered("Unreachable")).message
        async with serving(Gatekeeper(200).handle, port=int(url.rpartition(":")[2])):
            await on.answered("Open")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]"])
async def test_the_operators_own_node_is_not_asked(host: str):
    async with scene(allowed=is_public_or_cluster) as on:
        on.asker.want(asking(f"http://{host}:1"))
        assert "the operator does not ask" in (await on.answered("Unreachable")).message


async def test_one_question_at_a_time_however_often_passes_want_it():
    gate = Gatekeeper(403)
    gate.hold.clear()
    async with serving(gate.handle) as url, scene() as on:
        for _ in range(50):
            on.asker.want(asking(url))
        await times(gate, 1)
        for _ in range(50):
            on.asker.want(asking(url))
        gate.hold.set()
        await times(gate, 5)
        assert gate.most_under_way == 1


async def test_what_is_forgotten_is_asked_no_more_and_its_answer_is_dropped():
    gate = Gatekeeper(403)
    async with serving(gate.handle) as url, scene() as on:
        on.asker.want(asking(url))
        await on.answered("Closed")
        on.asker.forget("u1")
        assert on.view() is None
        witness = Gatekeeper(403)
        async with serving(witness.handle) as other:
            heard = len(gate.asked)
            on.asker.want(asking(other, uid="u2"))
            await times(witness, 5)
            assert len(gate.asked) <= heard + 1, "no more than what was under way"


async def test_another_gate_takes_the_place_of_the_one_before():
    first, second = Gatekeeper(200), Gatekeeper(403)
    async with serving(first.handle) as url, serving(second.handle) as other, scene() as on:
        on.asker.want(asking(url))
        await on.answered("Open")
        on.asker.want(asking(other))
        assert on.view() is None, "what the other one has said opens nothing here"
        await on.answered("Closed")
        on.asker.want(asking(other, key="aaaa1111/4/1"))
        assert on.view() is None
        await on.answered("Closed", key="aaaa1111/4/1")
        assert second.asked[-1]["body"]["key"] == "aaaa1111/4/1"


async def test_only_the_leader_asks():
    gate, witness = Gatekeeper(200), Gatekeeper(403)
    async with (
        serving(gate.handle) as url,
        serving(witness.handle) as other,
        scene(leads=False) as on,
        scene() as leader,
    ):
        on.asker.want(asking(url))
        leader.asker.want(asking(other))
        await times(witness, 5)
        assert not gate.asked
        on.leads.set()
        await on.answered("Open")


async def test_a_gate_that_asks_for_patience_gets_it():
    patient, hasty = Gatekeeper(web.Response(status=429, headers={"Retry-After": "3600"})), Gatekeeper(429)
    async with serving(patient.handle) as url, serving(hasty.handle) as other, scene() as on:
        on.asker.want(asking(url))
        on.asker.want(asking(other, uid="u2"))
        await on.answered("Closed")
        await times(hasty, 20)
        assert len(patient.asked) == 1
