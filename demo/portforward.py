"""A Service's port on loopback for as long as a block lasts, by `kubectl port-forward`."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

START_TIMEOUT = 30.0


@contextmanager
def port_forward(kubectl: Sequence[str], *, namespace: str, target: str, ports: Sequence[int]) -> Iterator[list[int]]:
    """Forwards free loopback ports to the target's ports and gives them in the same order.

    Raises RuntimeError with kubectl's words when it does not come up. The process ends with the block.
    """
    command = [*kubectl, "port-forward", f"--namespace={namespace}", "--address=127.0.0.1", target]
    process = subprocess.Popen(
        [*command, *(f":{port}" for port in ports)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
    )
    try:
        yield _await_ports(process, ports)
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def _await_ports(process: subprocess.Popen[bytes], ports: Sequence[int]) -> list[int]:
    said = b""
    deadline = time.monotonic() + START_TIMEOUT
    assert process.stdout is not None  # noqa: S101 - given by PIPE
    # kubectl names the pod's port, which may differ from the Service's: the order of its lines is that of the ports.
    while len(local := re.findall(rb"127\.0\.0\.1:(\d+) -> \d+", said)) < len(ports):
        # Read from the descriptor: a buffered reader may hold a line that select does not know of.
        if not select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise RuntimeError(f"port-forward did not come up in {START_TIMEOUT:.0f} s: {said.decode()}")
        chunk = os.read(process.stdout.fileno(), 4096)
        if not chunk:
            raise RuntimeError(f"port-forward ended: {said.decode()}")
        said += chunk
    return [int(port) for port in local]
