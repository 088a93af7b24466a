"""Fetching from a real HTTPS server under a CA of its own."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sentinel_operator.api.serving import ExitCode, FetchConfig, ObjectStoreAccess
from tests.integration.fetch.harness import HASTY, PATIENT, Fetcher
from tests.integration.fetch.https_server import HttpsServer, https_server
from tests.support.cuttingproxy import CuttingProxy, Fault

pytestmark = pytest.mark.xdist_group("fetch")
URL = "spec.model.source.https.url"
MEGABYTE = 1 << 20


def config_of(server: HttpsServer, path: str, *, port: int = 0, **fields: Any) -> FetchConfig:
    access = ObjectStoreAccess(ca_file=str(server.ca_file))
    uri = f"https://127.0.0.1:{port or server.port}{path}"
    return FetchConfig(**{"uri": uri, "object_store": access, "retry": HASTY, **fields})


async def test_a_file_is_brought_under_its_own_name(fetcher: Fetcher) -> None:
    content = os.urandom(2 * MEGABYTE)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    async with https_server({"/models/my model.onnx": content}) as server:
        outcome = await fetcher.run(config_of(server, "/models/my%20model.onnx?version=3", digest=digest))
    outcome.assert_ok()
    assert outcome.files() == {"my model.onnx": content}


async def test_a_cut_download_goes_on_where_it_was_cut(fetcher: Fetcher, tmp_path: Path) -> None:
    content = os.urandom(6 * MEGABYTE)
    (tmp_path / "model.onnx").write_bytes(content)
    async with (
        https_server({}, folder=tmp_path) as server,
        CuttingProxy.before(server.port, Fault(cut_after=3 * MEGABYTE), Fault(cut_after=2 * MEGABYTE)) as proxy,
    ):
        outcome = await fetcher.run(config_of(server, "/model.onnx", port=proxy.port, retry=PATIENT))
        ranges = [request.headers.get("Range") for request in server.requests]
    outcome.assert_ok()
    assert outcome.files() == {"model.onnx": content}
    assert ranges[0] is None
    assert all(ranges[1:])
    assert proxy.passed < len(content) + MEGABYTE


async def test_a_file_that_changes_in_the_middle_is_never_mixed(fetcher: Fetcher, tmp_path: Path) -> None:
    old, new = b"old" * MEGABYTE, b"new" * MEGABYTE
    (tmp_path / "model.onnx").write_bytes(old)
    async with (
        https_server({}, folder=tmp_path) as server,
        CuttingProxy.before(server.port, Fault(stall_after=MEGABYTE)) as proxy,
        fetcher.started(config_of(server, "/model.onnx", port=proxy.port, retry=PATIENT)) as process,
    ):
        await asyncio.wait_for(proxy.stalled.wait(), 30)
        (tmp_path / "new").write_bytes(new)
        (tmp_path / "new").rename(tmp_path / "model.onnx")
        proxy.release()
        outcome = await fetcher.outcome(process)
    outcome.assert_ok()
    assert outcome.files() == {"model.onnx": new}


async def test_without_etag_and_date_a_cut_download_starts_again(fetcher: Fetcher) -> None:
    content = os.urandom(MEGABYTE)

    async def plain(_: web.Request) -> web.Response:
        return web.Response(body=content)

    async with (
        https_server({"/model.onnx": plain}) as server,
        CuttingProxy.before(server.port, Fault(cut_after=500_000)) as proxy,
    ):
        outcome = await fetcher.run(config_of(server, "/model.onnx", port=proxy.port, retry=PATIENT))
        assert ["Range" in request.headers for request in server.requests] == [False, False]
    outcome.assert_ok()
    assert outcome.files() == {"model.onnx": content}


async def test_an_encoded_body_is_kept_as_it_is(fetcher: Fetcher) -> None:
    packed = gzip.compress(b"content")

    async def encoded(_: web.Request) -> web.Response:
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    async with https_server({"/model.onnx": encoded}) as server:
        outcome = await fetcher.run(config_of(server, "/model.onnx"))
    outcome.assert_ok()
    assert outcome.files() == {"model.onnx": packed}


async def test_a_redirect_to_https_is_followed_and_keeps_the_name(fetcher: Fetcher) -> None:
    async def moved(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/blobs/0123?signature=secret"})

    async with https_server({"/model.onnx": moved, "/blobs/0123": b"content"}) as server:
        outcome = await fetcher.run(config_of(server, "/model.onnx"))
    outcome.assert_ok()
    assert outcome.files() == {"model.onnx": b"content"}


async def test_a_redirect_to_plain_http_is_refused(fetcher: Fetcher) -> None:
    async def downgraded(_: web.Request) -> web.Response:
        return web.Response(status=301, headers={"Location": "http://127.0.0.1:1/model.onnx?signature=secret"})

    async with https_server({"/model.onnx": downgraded}) as server:
        outcome = await fetcher.run(config_of(server, "/model.onnx"))
    outcome.assert_failed(ExitCode.InvalidConfig, field=URL, says="not HTTPS")
    assert "secret" not in outcome.stderr


async def test_a_circle_of_redirects_ends(fetcher: Fetcher) -> None:
    async def around(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/model.onnx"})

    async with https_server({"/model.onnx": around}) as server:
        outcome = await fetcher.run(config_of(server, "/model.onnx"))
        assert len(server.requests) < 10
    outcome.assert_failed(ExitCode.InvalidConfig, field=URL, says="redirects more than")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, ExitCode.AccessDenied),
        (403, ExitCode.AccessDenied),
        (404, ExitCode.NotFound),
        (410, ExitCode.NotFound),
        (400, ExitCode.InvalidConfig),
        (204, ExitCode.InvalidConfig),
    ],
)
async def test_a_final_answer_is_not_asked_for_again(fetcher: Fetcher, status: int, code: ExitCode) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status)

    async with https_server({"/model.onnx": answer}) as server:
        config = config_of(server, "/model.onnx")
        outcome = await fetcher.run(config.model_copy(update={"uri": f"{config.uri}?token=secret"}))
        assert len(server.requests) == 1
    outcome.assert_failed(code, field=URL, says=str(status))
    assert "secret" not in outcome.stderr + outcome.message


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_passing_answer_is_asked_for_again(fetcher: Fetcher, status: int) -> None:
    answers = [web.Response(status=status), web.Response(status=status), web.Response(body=b"content")]

    async def answer(_: web.Request) -> web.Response:
        return answers.pop(0)

    async with https_server({"/model.onnx": answer}) as server:
        outcome = await fetcher.run(config_of(server, "/model.onnx", retry=PATIENT))
    outcome.assert_ok()


async def test_a_server_that_is_down_is_unreachable(fetcher: Fetcher) -> None:
    async with https_server({}) as server:
        config = config_of(server, "/model.onnx")
    outcome = await fetcher.run(config.model_copy(update={"object_store": ObjectStoreAccess()}))
    outcome.assert_failed(ExitCode.StorageUnreachable, field=URL, says="unreachable for 1 s")


async def test_an_untrusted_certificate_is_not_waited_for(fetcher: Fetcher) -> None:
    async with https_server({"/model.onnx": b"content"}) as server:
        config = config_of(server, "/model.onnx", retry=PATIENT)
        outcome = await fetcher.run(config.model_copy(update={"object_store": ObjectStoreAccess()}))
    outcome.assert_failed(ExitCode.StorageUnreachable, field="spec.model.source.https.caBundle", says="not trusted")


async def test_a_body_without_a_size_is_still_bounded(fetcher: Fetcher) -> None:
    async def long(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1000):
            await response.write(bytes(65536))
        return response

    async with https_server({"/model.onnx": long}) as server:
        outcome = await fetcher.run(config_of(server, "/model.onnx", max_bytes=MEGABYTE))
    outcome.assert_failed(ExitCode.ArtifactTooLarge, field="spec.model.maxBytes")


@pytest.mark.parametrize("path", ["", "/", "/models/", "/..", "/%2e%2e", "/models/..%2F", "/a%5Cb", "/a%0Ab", "/a%00b"])
async def test_an_address_without_a_safe_file_name_is_refused(fetcher: Fetcher, path: str) -> None:
    outcome = await fetcher.run({"uri": f"https://127.0.0.1:1{path}", "retry": {"deadlineSeconds": 1}})
    outcome.assert_failed(ExitCode.InvalidConfig, field=URL)


async def test_a_file_name_that_leads_elsewhere_is_cut_to_its_last_part(fetcher: Fetcher) -> None:
    async with https_server({"/models/../../evil": b"content"}) as server:
        outcome = await fetcher.run(config_of(server, "/models/..%2F..%2Fevil"))
    outcome.assert_ok()
    assert outcome.files() == {"evil": b"content"}
