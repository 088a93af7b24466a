"""The webhook's server: real TLS, renewed in place, closed to what it does not know."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sentinel_operator.engine.pki import Pair, new_authority, new_leaf
from sentinel_operator.hooks.server import AdmissionServer

LONG_AGO = datetime.now(UTC) - timedelta(days=9)


def load(context: ssl.SSLContext, pair: Pair, directory: Path) -> None:
    (directory / "crt").write_bytes(pair.certificate)
    (directory / "key").write_bytes(pair.key)
    context.load_cert_chain(directory / "crt", directory / "key")


async def _told(request: dict[str, Any]) -> dict[str, Any]:
    return {"uid": request["uid"], "length": len(request["object"])}


class Scene:
    """A server that answers with what it was asked."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = new_authority(LONG_AGO)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.loaded = asyncio.Event()
        self.server = AdmissionServer(
            host="127.0.0.1", port=0, answers={"/validate-toys": _told}, context=self.context, loaded=self.loaded
        )
        self.renew(days=1)

    def renew(self, *, days: int) -> None:
        load(self.context, new_leaf(self.authority, ("127.0.0.1",), LONG_AGO + timedelta(days=days)), self.directory)
        self.loaded.set()

    async def post(self, path: str, body: bytes) -> tuple[int, Any, str]:
        trust = ssl.create_default_context(cadata=self.authority.certificate.decode())
        url = f"https://127.0.0.1:{self.server.port}{path}"
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust, force_close=True)) as session,
            session.post(url, data=body) as response,
        ):
            connection = response.connection
            transport = connection.transport if connection else None
            certificate = transport.get_extra_info("peercert") if transport else {}
            answer = await response.json() if response.status == 200 else None
            return response.status, answer, certificate.get("notAfter", "")


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(tmp_path)
    serving = asyncio.create_task(made.server.run())
    async with asyncio.timeout(5):
        await made.server.serving.wait()
    yield made
    serving.cancel()
    await asyncio.wait([serving])


async def test_a_large_review_is_answered(scene: Scene) -> None:
    body = b'{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "a", "object": "%s"}}'
    status, answer, _ = await scene.post("/validate-toys", body % (b"x" * 3_000_000))
    assert status == 200
    response = {"uid": "a", "length": 3_000_000}
    assert answer == {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}


async def test_one_that_is_too_large_is_refused(scene: Scene) -> None:
    assert (await scene.post("/validate-toys", b" " * 9 * 2**20))[0] == 413


async def test_an_unknown_path_is_not_let_through(scene: Scene) -> None:
    assert (await scene.post("/validate-others", b"{}"))[0] == 404


async def test_what_is_no_review_is_refused(scene: Scene) -> None:
    assert (await scene.post("/validate-toys", b"not json"))[0] == 400
    assert (await scene.post("/validate-toys", b"{}"))[0] == 400
    assert (await scene.post("/validate-toys", b"[]"))[0] == 400


async def test_a_renewed_certificate_is_served_without_a_restart(scene: Scene) -> None:
    body = b'{"request": {"uid": "a", "object": ""}}'
    before = await scene.post("/validate-toys", body)
    port = scene.server.port
    scene.renew(days=2)
    after = await scene.post("/validate-toys", body)
    assert before[0] == after[0] == 200
    assert scene.server.port == port
    assert scene.server.serving.is_set()
