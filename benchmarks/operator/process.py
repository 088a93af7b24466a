"""The operator as a process beside the API server, as its pod would run it."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

_START, _STOP = 60.0, 30.0
_REQUESTS = re.compile(r"^sentinel_controller_api_requests_total\{(?P<labels>[^}]*)\} (?P<count>\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Running:
    """An operator that runs: its process, where it tells its metrics, and where what it logs is."""

    pid: int
    port: int
    log: Path


@asynccontextmanager
async def operator(kubeconfig: Path, *flags: str) -> AsyncIterator[int]:
    """Starts an operator, waits until it is ready, gives its process id, and stops it with the block."""
    async with running(kubeconfig, *flags) as started:
        yield started.pid


async def requests_of(operator: Running) -> Counter[str]:
    """Gives how many requests it has sent, by verb and kind, but for those about its lease."""
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{operator.port}/metrics") as response:
        text = await response.text()
    total: Counter[str] = Counter()
    for found in _REQUESTS.finditer(text):
        labels = dict(re.findall(r'(\w+)="([^"]*)"', found["labels"]))
        if labels["kind"] != "Lease":
            total[f"{labels['verb']} {labels['kind']}"] += int(float(found["count"]))
    return total


@asynccontextmanager
async def running(kubeconfig: Path, *flags: str) -> AsyncIterator[Running]:
    """Starts an operator, waits until it is ready, and stops it with the block."""
    port = free_port()
    log = tempfile.NamedTemporaryFile("w+", suffix=".log", prefix="operator-", delete=False)  # noqa: SIM115
    command = [sys.executable, "-m", "sentinel_operator", f"--kubeconfig={kubeconfig}", "--http-host=127.0.0.1"]
    command += [f"--http-port={port}", "--webhook=false", "--namespace=default", *flags]
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)  # noqa: ASYNC220 - measured from outside
    try:
        await _ready(process, port, Path(log.name))
        yield Running(process.pid, port, Path(log.name))
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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
