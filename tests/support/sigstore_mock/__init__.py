"""A sigstore for tests, with real cryptography and its services on loopback: certificates, logs, trust roots."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from demo.npm import installed_modules
from tests.support.mortal import MORTAL

HERE = Path(__file__).parent
START_SECONDS = 30


@dataclass(frozen=True, slots=True)
class SigstoreMock:
    """Running services and the files by which clients know them."""

    address: str
    trust_config: Path
    trusted_root: Path


@contextlib.contextmanager
def running_sigstore(folder: Path) -> Iterator[SigstoreMock]:
    """Starts the services with keys of their own; the trust material lies in the folder and stays valid after them."""
    modules = installed_modules(HERE)
    folder.mkdir(parents=True, exist_ok=True)
    command = [*MORTAL, "node", str(HERE / "server.js"), str(modules), str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield SigstoreMock(_address(process), folder / "trust_config.json", folder / "trusted_root.json")
    finally:
        process.kill()
        process.wait(timeout=10)


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    os.set_blocking(process.stdout.fileno(), False)
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if line := process.stdout.readline():
            return line.strip()
        time.sleep(0.05)
    raise RuntimeError(f"the sigstore of the tests did not start: node exited with {process.poll()}")
