"""What is said over the wire, to brains that agree, refuse, are silent, slow of speech, or talk nonsense."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from aiohttp import web

from demo.brain import Brain
from sentinel_operator.bridge.brain import LARGEST, Refused, Unreachable, Unstreamed
from sentinel_operator.bridge.credentials import Credentials, Unusable
from sentinel_operator.bridge.rest import RestBrain
from sentinel_operator.bridge.rpc import SERVICE, RpcBrain
from sentinel_operator.core.bridge.batches import Batch
from sentinel_operator.core.bridge.event import PlanEvent
from sentinel_operator.core.bridge.outcome import Outcome
from sentinel_operator.core.bridge.points import Point

PLAIN = Credentials(plaintext=True, token="t")
BATCH = Batch("b-1", (Point(name="a", value=1.5, labels={"node": "n"}, ts=1769860800123),))
OUTCOME = Outcome(plan_id="p", success=False, message="Rejected: no", executed_at=7, metrics={"state": "Rejected"})
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def brain() -> AsyncIterator[Brain]:
    async with Brain(token="t") as made:
        yield made


@pytest.fixture(params=["gRPC", "HTTP"])
async def side(request: pytest.FixtureRequest, brain: Brain) -> AsyncIterator[RpcBrain | RestBrain]:
    """The bridge's side of the brain, in each of its protocols."""
    made = rpc(brain.port) if request.param == "gRPC" else RestBrain(rest_url(brain.rest_port), PLAIN, cluster_id="c")
    yield made
    await made.close()


def rpc(port: int, credentials: Credentials = PLAIN) -> RpcBrain:
    return RpcBrain(f"127.0.0.1:{port}", credentials, cluster_id="c", filters=())


def rest_url(port: int) -> str:
    return f"http://127.0.0.1:{port}/"


async def test_a_batch_and_an_outcome_arrive_whole(brain: Brain, side: RpcBrain | RestBrain):
    await side.submit(BATCH)
    await side.acknowledge(OUTCOME)
    (batch,) = brain.memory.batches
    assert (batch["batch_id"], batch["cluster_id"]) == ("b-1", "c")
    (point,) = batch["points"]
    assert (point["name"], point["value"], point["labels"]) == ("a", 1.5, {"node": "n"})
    assert point.get("ts", "1769860800123") == "1769860800123"
    assert point.get("timestamp", "2026-01-31T12:00:00.123+00:00") == "2026-01-31T12:00:00.123+00:00"
    (ack,) = brain.memory.acks
    assert (ack["plan_id"], ack["message"], ack["metrics"]) == ("p", "Rejected: no", {"state": "Rejected"})
    assert not ack.get("success")


async def test_what_a_brain_refuses_is_told_from_what_it_cannot_take_now(brain: Brain, side: RpcBrain | RestBrain):
    for manner in ("Answer", "Invalid"):
        brain.manner.refusing = manner  # type: ignore[assignment]
        with pytest.raises(Refused):
            await side.submit(BATCH)
    brain.manner.deaf = True
    with pytest.raises(Unreachable, match="not now"):
        await side.acknowledge(OUTCOME)
    brain.manner.token = "another"
    with pytest.raises(Unreachable, match="not the token"):
        await side.submit(BATCH)
    await brain.close()
    with pytest.raises(Unreachable):
        await side.acknowledge(OUTCOME)


async def test_all_plans_that_were_not_acknowledged_are_asked_for_once(brain: Brain, side: RpcBrain | RestBrain):
    assert await side.ask({}) == []
    for name in ("a", "b", "c"):
        brain.offer({"plan_id": name, "decisions": [{"verb": "restart", "target": {"name": "x"}}]})
    assert [plan["plan_id"] for plan in await side.ask({})] == ["a", "b", "c"]  # type: ignore[index]
    brain.memory.take_ack({"plan_id": "b"})
    assert {plan["plan_id"] for plan in await side.ask({})} == {"a", "c"}  # type: ignore[index]


async def test_a_brain_that_does_not_stream_says_so(brain: Brain):
    brain.manner.streaming = False
    side = rpc(brain.port)
    with pytest.raises(Unstreamed):
        _ = [plan async for plan in side.plans(lambda: None)]
    await side.close()


async def test_events_go_along_by_rest_alone(brain: Brain):
    event = PlanEvent(type="action_plan.completed", data={"plan_id": "p"}, ts=0)
    side = RestBrain(rest_url(brain.rest_port), PLAIN, cluster_id="c")
    await side.submit(Batch("b", (*BATCH.items, event)))
    await side.close()
    assert [each["event_type"] for each in brain.memory.events] == ["action_plan.completed"]
    other = rpc(brain.port)
    await other.submit(Batch("b", (*BATCH.items, event)))
    await other.close()
    assert [len(each["points"]) for each in brain.memory.batches] == [1, 1]


@asynccontextmanager
async def answering(**methods: Any) -> AsyncIterator[RpcBrain]:
    """Gives the bridge's side of a server of few words."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    side = rpc(port)
    try:
        yield side
    finally:
        await side.close()
        await server.stop(None)


async def test_a_stream_on_which_nothing_is_said_is_open_all_the_same():
    async def silent(_request: bytes, _context: Any) -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    opened = asyncio.Event()
    async with answering(StreamActionPlans=grpc.unary_stream_rpc_method_handler(silent)) as side:

        async def listen() -> None:
            async for _ in side.plans(opened.set):
                pass

        listening = asyncio.create_task(listen())
        async with asyncio.timeout(60):
            await opened.wait()
        listening.cancel()
        await asyncio.wait([listening])


@pytest.mark.parametrize("said", [b"\xff\xff\xff", b"\x0a" + b"\xff\xff\xff\xff\x0f"], ids=["nonsense", "cut"])
async def test_what_is_no_message_is_no_plan_and_no_answer(said: bytes):
    async def babble(_request: bytes, _context: Any) -> AsyncIterator[bytes]:
        yield said

    async def answer(_request: bytes, _context: Any) -> bytes:
        return said

    methods = {
        "StreamActionPlans": grpc.unary_stream_rpc_method_handler(babble),
        "GetActionPlan": grpc.unary_unary_rpc_method_handler(answer),
        "AckPlan": grpc.unary_unary_rpc_method_handler(answer),
    }
    async with answering(**methods) as side:
        assert [plan async for plan in side.plans(lambda: None)] == [None]
        with pytest.raises(Unreachable, match="no message"):
            await side.ask({})
        with pytest.raises(Unreachable, match="no message"):
            await side.acknowledge(OUTCOME)


@asynccontextmanager
async def web_brain(handler: Handler) -> AsyncIterator[RestBrain]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    side = RestBrain(rest_url(runner.addresses[0][1]), PLAIN, cluster_id="c")
    try:
        yield side
    finally:
        await side.close()
        await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "body", "expected", "words"),
    [
        (200, b"<html>", Unreachable, "no JSON"),
        (200, b"[]", Unreachable, "no object"),
        (200, b"x" * (LARGEST + 1), Unreachable, "more than"),
        (302, b"", Unreachable, "302"),
        (401, b"no", Unreachable, "401"),
        (503, b"later", Unreachable, "later"),
        (422, b"batch: too wide", Refused, "batch: too wide"),
        (200, b'{"success": false, "message": "not mine"}', Refused, "not mine"),
    ],
    ids=str,
)
async def test_what_a_web_server_may_answer(status: int, body: bytes, expected: type[Exception], words: str):
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers={"Retry-After": "7", "Location": "http://127.0.0.1:1/"})

    async with web_brain(handler) as side:
        with pytest.raises(expected, match=words) as caught:
            await side.submit(BATCH)
        if status == 503:
            assert isinstance(caught.value, Unreachable)
            assert caught.value.after == 7.0


async def test_an_answer_without_plans_is_a_plan_of_its_own_where_it_has_decisions():
    answers = [b'{"decisions": [], "confidence": 0.7}', b'{"decisions": [{"action": "restart"}]}', b""]

    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=answers.pop(0), content_type="application/json")

    async with web_brain(handler) as side:
        assert await side.ask({}) == []
        assert await side.ask({}) == [{"decisions": [{"action": "restart"}]}]
        assert await side.ask({}) == []


def test_what_is_no_certificate_is_said_by_its_field_and_no_secret_is_shown():
    with pytest.raises(Unusable, match=r"spec\.bridge\.tls"):
        Credentials(authorities=b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----").context()
    with pytest.raises(Unusable, match="clientCertificateSecretRef"):
        Credentials(certificate=b"a", key=b"b").context()
    assert "hidden" not in repr(Credentials(token="hidden", key=b"hidden", certificate=b"hidden"))
