"""A server that follows instructions, with the volume that its sidecar would make."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.model_server.servers import free_port
from demo.models.cache import Built

READY_SECONDS = 60.0
LOOK_SECONDS = 0.05


class Pod:
    """Revisions by name, the instruction, and the server's ports."""

    def __init__(self, folder: Path, built: dict[str, Built]) -> None:
        self._folder = folder
        self._serial = 0
        self._revisions = {name: _lay_out(folder, name, each) for name, each in built.items()}
        self.port, self.metrics_port = free_port(), free_port()
        first = next(iter(self._revisions.values()))
        (folder / "serving.json").write_text(json.dumps({**first, "revision": "process"}))

    @property
    def url(self) -> str:
        """Where inference requests go."""
        return f"http://127.0.0.1:{self.port}/v2/models/model/infer"

    def instruct(self, active: str, *named: str, **more: Any) -> None:
        """Names revisions, as the sidecar does: by rename."""
        self._serial += 1
        revisions = [
            {"serving": self._revisions[name], "state": "Verified"} for name in dict.fromkeys((active, *named))
        ]
        part = self._folder / "active.json.part"
        part.write_text(json.dumps({"serial": self._serial, "active": active, "revisions": revisions, **more}))
        part.rename(self._folder / "active.json")

    def until(self, series: str, what: str) -> None:
        """Waits until the metrics hold a series that the pattern matches."""
        deadline = time.monotonic() + READY_SECONDS
        while not re.search(series, self.metrics(), re.MULTILINE):
            if time.monotonic() > deadline:
                raise RuntimeError(f"never {what}: {(self._folder / 'log').read_text()[-2000:]}")
            time.sleep(LOOK_SECONDS)

    @contextmanager
    def saying(self, line: str) -> Iterator[None]:
        """Waits, after what is done inside, until the log says the line once more: a look at the metrics would hold up
        requests by itself."""
        before = self._said(line)
        yield
        deadline = time.monotonic() + READY_SECONDS
        while self._said(line) == before:
            if time.monotonic() > deadline:
                raise RuntimeError(f"never {line}: {(self._folder / 'log').read_text()[-2000:]}")
            time.sleep(LOOK_SECONDS)

    def _said(self, line: str) -> int:
        return (self._folder / "log").read_text().count(f'"msg":"{line}"')

    def metrics(self) -> str:
        """Gives the exposition; empty while nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    def total(self, name: str) -> float:
        """Sums a metric over its series."""
        found = re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", self.metrics(), re.MULTILINE)
        return sum(float(value) for value in found)

    @contextmanager
    def served(self) -> Iterator[None]:
        """Runs the server until it is ready."""
        command = [
            sys.executable,
            "-m",
            "sentinel_workloads.model_server",
            "--follow",
            str(self._folder / "active.json"),
        ]
        command += ["--config", str(self._folder / "serving.json"), "--host", "127.0.0.1", "--grpc-port", "0"]
        command += ["--http-port", str(self.port), "--metrics-port", str(self.metrics_port)]
        with (self._folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stderr=log)
        try:
            self.until(r"^sentinel_model_server_ready\{.*\} 1\.0", "ready")
            yield
        finally:
            process.terminate()
            process.wait(60)


def _lay_out(folder: Path, name: str, built: Built) -> dict[str, Any]:
    home = folder / "revisions" / name
    home.mkdir(parents=True)
    (home / "artifact").symlink_to(built.artifact)
    (home / "verified.json").write_text(json.dumps({"digest": f"sha256:{name}"}))
    return {
        "name": "model",
        "namespace": "benchmark",
        "revision": name,
        "version": name,
        "modelDir": str(home / "artifact"),
        "task": built.facts.task,
        "features": [{"name": feature} for feature in built.facts.features],
        "labels": list(built.facts.labels),
        "limits": {"drainSeconds": 0},
    }
