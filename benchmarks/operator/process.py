"""The operator as a process beside the API server, as its pod would run it."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

_START, _STOP = 60.0, 30.0


@asynccontextmanager
async def operator(kubeconfig: Path, *flags: str) -> AsyncIterator[int]:
    """Starts an operator, waits until it is ready, gives its process id, and stops it with the block."""
    port = _free_port()
    log = tempfile.NamedTemporaryFile("w+", suffix=".log", prefix="operator-", delete=False)  # noqa: SIM115
    command = [sys.executable, "-m", "sentinel_operator", f"--kubeconfig={kubeconfig}", "--http-host=127.0.0.1"]
    command += [f"--http-port={port}", "--webhook=false", "--namespace=default", *flags]
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)  # noqa: ASYNC220 - measured from outside
    try:
        await _ready(process, port, Path(log.name))
        yield process.pid
    finally:
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, _STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


async def _ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    async with asyncio.timeout(_START), aiohttp.ClientSession() as http:
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"the operator ended with {process.returncode}; see {log}")
            try:
                async with http.get(f"http://127.0.0.1:{port}/readyz") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
