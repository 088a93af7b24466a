"""HTTP/1.1 on real sockets: requests in any pieces, answers in order, and bounds that hold."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentinel_workloads.model_server.wire import connection
from sentinel_workloads.model_server.wire.exchange import Exchange
from sentinel_workloads.model_server.wire.listener import Listener

MAX_BODY = 1000
WAIT = 30.0


def echo(exchange: Exchange) -> None:
    """Answers with what was asked."""
    exchange.reply(200, b"|".join((exchange.method, exchange.path, exchange.body)))


@asynccontextmanager
async def listening(handle=echo) -> AsyncIterator[tuple[Listener, int]]:
    listener = Listener(handle, max_body=MAX_BODY)
    port = await listener.open("127.0.0.1", 0)
    try:
        yield listener, port
    finally:
        await listener.close(seconds=0.0)


async def spoken(port: int, *parts: bytes, end: bool = True) -> bytes:
    """Says the parts, each by itself, and gives all that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        if end:
            writer.write_eof()
        return await asyncio.wait_for(reader.read(), WAIT)
    finally:
        writer.close()


def bodies(answers: bytes) -> list[bytes]:
    """Splits answers by their lengths."""
    found = []
    while answers:
        head, _, rest = answers.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        found.append(rest[:length])
        answers = rest[length:]
    return found


def statuses(answers: bytes) -> list[int]:
    """Gives the status codes; no body in these tests holds a status line."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]


GET = b"GET /%b HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%b"


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


REQUESTS = st.one_of(
    st.integers(0, 99).map(lambda n: (GET % str(n).encode(), b"GET|/%d|" % n)),
    st.binary(max_size=60).map(lambda body: (POST % (len(body), body), b"POST|/p|" + body)),
    st.tuples(st.binary(min_size=1, max_size=60), st.integers(1, 60)).map(
        lambda drawn: (chunked(*drawn), b"POST|/c|" + drawn[0])
    ),
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(REQUESTS, min_size=1, max_size=25), st.lists(st.integers(0, 2000), max_size=12))
def test_any_requests_in_any_pieces_are_answered_in_order(requests, cuts):
    stream = b"".join(raw for raw, _ in requests)
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    parts = [stream[start:stop] for start, stop in pairwise(places)]

    async def talk() -> bytes:
        async with listening() as (_, port):
            return await spoken(port, *parts)

    assert bodies(uvloop.run(talk())) == [answer for _, answer in requests]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=4))
def test_arbitrary_bytes_are_answered_with_an_error_or_not_at_all(parts):
    async def talk() -> bytes:
        async with listening() as (_, port):
            garbage = await spoken(port, *parts)
            assert bodies(await spoken(port, GET % b"x")) == [b"GET|/x|"]
            return garbage

    assert all(status in (200, 400, 413, 431) for status in statuses(uvloop.run(talk())))


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"NOT HTTP\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -5\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\nA b: c\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n", 413),
        (chunked(b"x" * 1001, 100), 413),
        (b"GET / HTTP/1.1\r\nHost: h\r\nA: " + b"x" * 40_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: h\r\n" + b"".join(b"H%d: x\r\n" % n for n in range(200)) + b"\r\n", 431),
    ],
    ids=[
        "no HTTP", "no host", "two hosts", "length and chunks", "two lengths", "a negative length", "a space in a name",
        "HTTP/2", "a long body", "a long chunked body", "a long header", "a long target", "many headers",
    ],
)  # fmt: skip
async def test_what_is_wrong_is_answered_and_the_connection_closed(sent: bytes, status: int):
    async with listening() as (_, port):
        answer = await spoken(port, GET % b"first" + sent, end=False)
    assert statuses(answer) == [200, status]
    assert b"Connection: close" in answer


async def test_a_header_that_never_ends_is_cut_off():
    async with listening() as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\nA: ")
        answer = asyncio.create_task(reader.read())
        while not answer.done():
            writer.write(b"x" * 4096)
            await asyncio.sleep(0)
        assert statuses(answer.result()) == [431]
        writer.close()


async def test_a_large_body_that_is_refused_early_does_not_lose_the_answer():
    async with listening() as (_, port):
        head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n"
        answer = await spoken(port, head, *[b"x" * 30_000] * 100)
    assert statuses(answer) == [413]


async def test_a_client_that_asks_first_is_told_to_go_on():
    async with listening() as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /e HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT) == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hi")
        writer.write_eof()
        assert bodies(await asyncio.wait_for(reader.read(), WAIT)) == [b"POST|/e|hi"]
        writer.close()


async def test_a_client_that_asks_first_for_too_much_is_refused_before_it_sends():
    async with listening() as (_, port):
        head = b"POST /e HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9999\r\n\r\n"
        assert statuses(await spoken(port, head, end=False)) == [413]


@pytest.mark.parametrize("line", [b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"])
async def test_the_connection_closes_when_the_client_wants_it(line: bytes):
    async with listening() as (_, port):
        answer = await spoken(port, line + GET % b"more", end=False)
    assert statuses(answer) == [200]
    assert b"Connection: close" in answer


async def test_an_upgrade_is_answered_as_plain_http():
    async with listening() as (_, port):
        sent = b"GET /u HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        answer = await spoken(port, sent, end=False)
    assert bodies(answer) == [b"GET|/u|"]


async def test_head_has_the_length_and_no_body():
    async with listening() as (_, port):
        answer = await spoken(port, b"HEAD /h HTTP/1.1\r\nHost: h\r\n\r\n")
    assert b"Content-Length: 8" in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_later_answers_wait_for_earlier_ones_and_the_client_is_held_back():
    held: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()

    def hold(exchange: Exchange) -> None:
        if exchange.path == b"/0":
            held.set_result(exchange)
        else:
            echo(exchange)

    async with listening(hold) as (_, port):
        count = 400
        talking = asyncio.create_task(spoken(port, *[GET % str(number).encode() for number in range(count)]))
        (await asyncio.wait_for(held, WAIT)).reply(200, b"late")
        answers = bodies(await talking)
    assert answers[0] == b"late"
    assert answers[1:] == [b"GET|/%d|" % number for number in range(1, count)]


@pytest.mark.parametrize("reset", [True, False], ids=["by a reset", "by closing"])
async def test_a_client_that_goes_away_abandons_its_request(reset: bool):
    gone = asyncio.Event()

    def wait(exchange: Exchange) -> None:
        exchange.abandoned = gone.set

    async with listening(wait) as (_, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET % b"x")
        await writer.drain()
        if reset:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()
        await asyncio.wait_for(gone.wait(), WAIT)


async def test_a_slow_request_is_ended(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "RECEIVE_SECONDS", 0.0)
    async with listening() as (_, port):
        assert statuses(await spoken(port, b"GET / HTTP/1.1\r\nHos", end=False)) == [408]


async def test_an_idle_connection_is_closed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "IDLE_SECONDS", 0.0)
    async with listening() as (_, port):
        assert statuses(await spoken(port, GET % b"x", end=False)) == [200]


async def test_a_draining_listener_says_so_with_each_last_answer_and_drops_none():
    async with listening() as (listener, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET % b"a")
        first = await asyncio.wait_for(reader.readuntil(b"|/a|"), WAIT)
        assert b"Connection: close" not in first
        listener.draining = True
        writer.write((GET % b"b") + (GET % b"c"))
        rest = await asyncio.wait_for(reader.read(), WAIT)
        assert bodies(rest) == [b"GET|/b|", b"GET|/c|"]
        assert rest.count(b"Connection: close") == 1
        writer.close()


async def test_closing_lets_the_request_under_way_end():
    held: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()
    async with listening(held.set_result) as (listener, port):
        talking = asyncio.create_task(spoken(port, GET % b"x", end=False))
        exchange = await asyncio.wait_for(held, WAIT)
        closing = asyncio.create_task(listener.close(seconds=WAIT))
        await asyncio.sleep(0)
        exchange.reply(200, b"done")
        assert bodies(await talking) == [b"done"]
        await asyncio.wait_for(closing, WAIT)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
