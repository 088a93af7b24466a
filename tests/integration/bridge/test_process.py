"""The process as it is started in its pod: ready without a brain, and gone when it is told to go."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys

import aiohttp
import pytest

from sentinel_operator.bridge.rights import NAME
from sentinel_operator.engine.resources import LEASES
from tests.support.bridgeworld import Bridges
from tests.support.eventually import eventually

pytestmark = pytest.mark.integration


async def test_the_process_is_ready_leads_and_stops_when_asked(bridges: Bridges) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    flags = {
        "namespace": bridges.namespace,
        "kubeconfig": bridges.kubeconfig,
        "http-host": "127.0.0.1",
        "http-port": port,
    }
    arguments = [text for name, value in flags.items() for text in (f"--{name}", str(value))]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sentinel_operator.bridge", *arguments, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:

            async def leads() -> bool:
                try:
                    async with session.get("/readyz") as ready, session.get("/metrics") as metrics:
                        return ready.status == 200 and "sentinel_bridge_leader 1.0" in await metrics.text()
                except aiohttp.ClientError as error:
                    raise AssertionError(str(error)) from error

            await eventually(leads)
            async with session.get("/healthz") as health:
                assert health.status == 200
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            _, log = await process.communicate()
        assert process.returncode == 0, log.decode()
    finally:
        if process.returncode is None:
            process.kill()
    lease = await bridges.api.get(LEASES, bridges.namespace, NAME)
    assert lease["spec"]["holderIdentity"] == ""
