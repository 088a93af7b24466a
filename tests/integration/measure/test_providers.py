"""Providers that work, and providers that are down, slow or talk nonsense: the second never count against anybody."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
from typing import Any

import pytest
from aiohttp import web

from sentinel_operator.engine.measure.fetch import is_public_or_cluster
from tests.integration.measure.scene import Handler, bench, one, serving


def answering(body: Any, *, status: int = 200, **headers: str) -> Handler:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=raw, status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return handler


def page(address: str, path: str = "$.value", **more: Any) -> dict[str, Any]:
    return {"name": "page", "web": {"url": f"{address}/score", "jsonPath": path, **more}, "max": 1.0}


def query(address: str, **more: Any) -> dict[str, Any]:
    return {"name": "query", "prometheus": {"address": address, "query": "up", **more}, "max": 1.0}


def vector(*values: str) -> dict[str, Any]:
    result = [{"metric": {"pod": str(index)}, "value": [1.7e9, value]} for index, value in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


# ---------------------------------------------------------------------------------------------- web


@pytest.mark.parametrize(
    ("body", "path", "value"),
    [
        ({"value": 0.25}, "$.value", 0.25),
        ({"ok": True}, "$.ok", 1.0),
        (3, "$", 3.0),
        ({"runs": [{"n": "a", "v": 1}, {"n": "b", "v": 2}]}, "$.runs[?@.n == 'b'].v", 2.0),
    ],
)
async def test_a_page(body, path, value):
    async with serving(answering(body)) as address:
        found = await one(page(address, path))
    assert (found.value, found.error) == (value, "")


@pytest.mark.parametrize(
    ("handler", "path", "cause"),
    [
        (answering({"value": "0.5"}), "$.value", "finds text, which is no number"),
        (answering({"value": None}), "$.value", "no number"),
        (answering(b'{"value": NaN}'), "$.value", "is no JSON"),
        (answering(b"<html>"), "$.value", "is no JSON"),
        (answering({}), "$.value", "finds nothing"),
        (answering({"a": [1, 2]}), "$.a[*]", "more than one"),
        (answering({"value": 1}, status=500), "$.value", "answered 500"),
        (answering(b"", status=302, Location="http://169.254.169.254/"), "$.value", "redirects are not followed"),
        (answering(b"x" * 10_000_000), "$.value", "above 65536"),
        (answering(gzip.compress(b"1"), Content_Encoding="gzip"), "$", "compression"),
        (answering(b'{"value": ' + b"[" * 60_000), "$.value", "is no JSON"),
    ],
    ids=[
        "text", "null", "NaN", "HTML", "nothing there", "two values", "a fault of its own", "a redirect",
        "ten megabytes", "compressed", "nested without end",
    ],
)  # fmt: skip
async def test_a_page_that_says_nothing_is_an_error_with_the_cause(handler, path, cause):
    async with serving(handler) as address:
        found = await one(page(address, path))
    assert cause in found.error
    assert found.value is None


async def test_what_a_page_says_is_not_told_to_everyone_who_may_read_a_status():
    for body in (b"top secret", b'{"value": "top secret"}'):
        async with serving(answering(body)) as address:
            found = await one(page(address))
        assert found.error
        assert "secret" not in found.error


async def test_a_page_without_end_is_cut_off():
    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b" " * 65536)

    async with serving(endless) as address:
        assert "more than 65536 bytes" in (await one(page(address))).error


async def test_a_page_that_never_comes_is_given_up():
    async def asleep(_: web.Request) -> web.Response:
        await asyncio.sleep(3600)
        raise AssertionError

    async with serving(asleep) as address:
        found = await one(page(address, timeout="1s"))
    assert found.error == "no answer within 1 s"


async def test_a_page_that_trickles_is_given_up_all_the_same():
    async def trickle(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b" ")
            await asyncio.sleep(0.05)

    async with serving(trickle) as address:
        assert (await one(page(address, timeout="1s"))).error == "no answer within 1 s"


async def test_nobody_there():
    async with serving(answering(1)) as address:
        pass
    assert "no connection" in (await one(page(address))).error


async def test_a_name_that_does_not_exist():
    assert "no connection" in (await one(page("http://nobody.invalid"))).error


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
)
async def test_the_operators_own_node_is_not_asked(host):
    found = await one(page(f"http://{host}:1"), allowed=is_public_or_cluster)
    assert "the operator does not ask" in found.error


async def test_headers_and_secrets_reach_the_page_and_the_revisions_its_url():
    seen: dict[str, Any] = {}

    async def handler(request: web.Request) -> web.Response:
        seen.update(request.headers, path=request.path_qs)
        return web.json_response(1)

    async def read(namespace: str, ref: Any, *, host: str) -> str:
        assert address.endswith(host)
        return f"{namespace}/{ref.name}/{ref.key}\n"

    headers = [{"name": "X-Team", "value": "a"}, {"name": "X-Key", "secretRef": {"name": "s", "key": "k"}}]
    async with serving(handler) as address:
        metric = page(address, "$", headers=headers)
        metric["web"]["url"] = f"{address}/{{{{namespace}}}}/{{{{name}}}}?new={{{{canary}}}}&old={{{{stable}}}}"
        assert (await one(metric, read_secret=read)).value == 1.0
    assert (seen["X-Team"], seen["X-Key"]) == ("a", "team/s/k")
    assert seen["path"] == "/team/demo?new=aaaa1111&old=bbbb2222"


async def test_a_secret_that_may_not_be_read_is_an_error():
    async with serving(answering(1)) as address:
        found = await one(page(address, "$", headers=[{"name": "X", "secretRef": {"name": "s", "key": "k"}}]))
    assert found.error == "web.headers[0].secretRef: the operator may not read Secret team/s"


# ---------------------------------------------------------------------------------------------- Prometheus


async def test_a_query_and_its_baseline():
    async def handler(request: web.Request) -> web.Response:
        assert request.path == "/prom/api/v1/query"
        return web.json_response(vector({"new aaaa1111": "0.5", "old bbbb2222": "0.25"}[request.query["query"]]))

    async with serving(handler) as address:
        found = await one(query(f"{address}/prom/", query="new {{canary}}", baselineQuery="old {{stable}}"))
    assert (found.value, found.baseline) == (0.5, 0.25)


async def test_no_data_is_told_as_such():
    async with serving(answering(vector())) as address:
        found = await one(query(address))
    assert found.error == ""
    assert math.isnan(found.value)


@pytest.mark.parametrize(
    ("handler", "cause"),
    [
        (answering(vector("1", "2")), "gives 2 series"),
        (answering(vector("many")), "a text that is no number"),
        (answering({"status": "success", "data": {"resultType": "matrix", "result": []}}), "gives a matrix"),
        (
            answering({"status": "error", "errorType": "bad_data", "error": "parse error"}, status=400),
            "bad_data: parse",
        ),
        (answering({"status": "error", "errorType": "timeout", "error": "expired"}, status=503), "timeout: expired"),
        (answering({"status": "success", "data": {"resultType": "vector", "result": [1]}}), "no pair"),
        (answering({"status": "success", "data": None}), "exactly one number"),
        (answering([]), "no status"),
        (answering(b"404 page not found", status=404), "answered 404"),
        (answering(b"<html>", status=200), "it is no JSON"),
        (answering(b"x" * 10_000_000), "above 1048576"),
    ],
)
async def test_what_is_no_number_is_an_error_with_the_cause(handler, cause):
    async with serving(handler) as address:
        found = await one(query(address))
    assert cause in found.error
    assert found.value is None


@pytest.mark.parametrize(("scheme", "sent"), [("Bearer", "Bearer tok en"), ("Basic", "Basic dG9rIGVu")])
async def test_authorization(scheme, sent):
    async def handler(request: web.Request) -> web.Response:
        return web.json_response(vector("1" if request.headers.get("Authorization") == sent else "0"))

    async def read(*_: Any, **__: Any) -> str:
        return "tok en"

    async with serving(handler) as address:
        given = {"scheme": scheme, "secretRef": {"name": "s", "key": "k"}}
        assert (await one(query(address, authorization=given), read_secret=read)).value == 1.0


# ---------------------------------------------------------------------------------------------- the measurer


async def test_what_is_under_way_is_not_asked_again_and_what_is_there_is_not_either():
    asked, go_on = 0, asyncio.Event()

    async def handler(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        await go_on.wait()
        return web.json_response(1)

    async with serving(handler) as address, bench(page(address, "$")) as on:
        for _ in range(5):
            assert on.measurer.want(on.subject, on.tasks())
            await asyncio.sleep(0)
        go_on.set()
        await on.measured()
        assert on.measurer.want(on.subject, on.tasks())
        await asyncio.sleep(0.05)
        assert asked == 1
        assert [each.uid for each in on.news] == ["u1"]


async def test_an_object_that_is_gone_is_forgotten_with_what_is_under_way():
    async def asleep(_: web.Request) -> web.Response:
        await asyncio.sleep(3600)
        raise AssertionError

    async with serving(asleep) as address, bench(page(address)) as on:
        assert on.measurer.want(on.subject, on.tasks())
        await asyncio.sleep(0.05)
        on.measurer.forget("u1")
        await asyncio.sleep(0.05)
        assert on.measurer.measured("u1", on.subject.canary) == {}
        assert on.news == []


async def test_too_much_at_once_is_put_off():
    async def asleep(_: web.Request) -> web.Response:
        await asyncio.sleep(3600)
        raise AssertionError

    async with serving(asleep) as address, bench(*({**page(address), "name": f"m{n}"} for n in range(16))) as on:
        accepted = 0
        for index in range(100):
            subject = type(on.subject)(uid=str(index), namespace="t", name="d", canary="a", stable="b")
            accepted += on.measurer.want(subject, on.tasks())
        assert accepted == 32


async def test_an_error_of_ours_is_told_and_not_thrown():
    async def read(*_: Any, **__: Any) -> str:
        raise ZeroDivisionError

    async with serving(answering(1)) as address:
        found = await one(
            page(address, "$", headers=[{"name": "X", "secretRef": {"name": "s", "key": "k"}}]), read_secret=read
        )
    assert found.error == "internal error: ZeroDivisionError"
