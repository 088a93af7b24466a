"""Reads a large ONNX file in a process of its own: parsing holds the interpreter's lock, 1.6 ms for each MB of it, and
requests would wait for as long.

As a module it is that process: the path comes as its argument, the answer goes to its standard output.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sentinel_operator.api.serving import ExitCode
from sentinel_workloads.model_server.model.graph import Declared
from sentinel_workloads.model_server.model.inspect import Inspection, inspect
from sentinel_workloads.model_server.unservable import Unservable

SECONDS = 600.0
SMALL_BYTES = 4 << 20
"""Files up to this size are read here, in some 10 ms: a process of its own takes a second of CPU to start, which costs
the requests more where there are but two."""
MAX_SAID = 500
NICENESS = 10
"""Requests come first where there is one CPU for all."""


def inspect_apart(path: Path) -> Inspection:
    """Gives the same as `inspect`, or raises what it would have raised."""
    if path.is_file() and path.stat().st_size <= SMALL_BYTES:
        return inspect(path)
    command = [sys.executable, "-m", __name__, str(path)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise _unreadable(path, f"it was not read within {SECONDS:g} s") from None
    head, _, rewritten = done.stdout.partition(b"\n")
    if done.returncode or not head:
        raise _unreadable(path, done.stderr.decode(errors="replace").strip()[-MAX_SAID:] or f"exit {done.returncode}")
    said = json.loads(head)
    if "failure" in said:
        raise Unservable(ExitCode(said["code"]), said["failure"], field=said["field"])
    return Inspection(_declared(said["declared"]), rewritten or None)


def _declared(said: dict[str, Any]) -> Declared:
    return Declared(**{**said, "labels": tuple(said["labels"]), "features": tuple(said["features"])})


def _unreadable(path: Path, why: str) -> Unservable:
    message = f"{path.name} is not an ONNX file that can be read: {why}"
    return Unservable(ExitCode.ModelUnreadable, message, field="spec.model.source")


def main(path: Path) -> None:
    """Writes one line of JSON, and behind it the model where it had to be changed."""
    os.nice(NICENESS)
    rewritten: bytes | None = None
    try:
        inspection = inspect(path)
    except Unservable as error:
        said: dict[str, Any] = {"failure": error.message, "code": int(error.code), "field": error.field}
    else:
        said, rewritten = {"declared": asdict(inspection.declared)}, inspection.rewritten
    sys.stdout.buffer.write(json.dumps(said).encode() + b"\n" + (rewritten or b""))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
