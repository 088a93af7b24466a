"""A model server as it is shipped: its own process, its artifact laid out as fetch leaves it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
from prometheus_client.parser import text_string_to_metric_families

from tests.support.mortal import MORTAL
from tests.unit.model_server import graphs

DEADLINE = 60.0


class ModelServer:
    """One server process on ports of its own."""

    def __init__(self, folder: Path, *, http_port: int = 0, follow: bool = False) -> None:
        self.folder = folder
        self.termination = folder / "termination"
        self.log: list[dict[str, Any]] = []
        self.ports: dict[str, int] = {}
        command = [
            *MORTAL,
            sys.executable,
            "-m",
            "sentinel_workloads.model_server",
            "--config",
            str(folder / "serving.json"),
        ]
        command += ["--host", "127.0.0.1", "--http-port", str(http_port), "--grpc-port", "0", "--metrics-port", "0"]
        command += ["--follow", str(folder / "active.json")] if follow else []
        temporary = folder / "tmp"
        temporary.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TERMINATION_LOG": str(self.termination), "TMPDIR": str(temporary)},
        )
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                entry = json.loads(line)
            except ValueError:
                entry = {"msg": line, "raw": True}
            with self._changed:
                self.log.append(entry)
                self.ports |= {key[:-4]: value for key, value in entry.items() if key.endswith("Port")}
                self._changed.notify_all()

    def says(self, message: str) -> dict[str, Any]:
        """Waits for a line of the log."""
        with self._changed:
            found = self._changed.wait_for(lambda: self._line(message) or self.process.poll() is not None, DEADLINE)
            line = self._line(message)
            assert found, f"the server never said {message!r}: {self.log}"
            assert line, f"the server ended with {self.process.poll()}: {self.log}"
            return line

    def _line(self, message: str) -> dict[str, Any] | None:
        return next((entry for entry in self.log if message in entry["msg"]), None)

    @property
    def http(self) -> str:
        return f"127.0.0.1:{self.ports['http']}"

    @property
    def grpc(self) -> str:
        return f"127.0.0.1:{self.ports['grpc']}"

    def ask(self, path: str, body: Any = None, *, method: str = "", **headers: str) -> tuple[int, Any, dict[str, str]]:
        """Gives status, body (decoded where it is JSON) and headers in lower case."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["http"], timeout=DEADLINE)
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method or ("POST" if raw is not None else "GET"), path, raw, sent)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        found = {name.lower(): value for name, value in answer.getheaders()}
        is_json = content and found.get("content-type") == "application/json"
        return answer.status, json.loads(content) if is_json else content, found

    def metrics(self) -> dict[str, float]:
        """Sums each metric over all its series but buckets."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["metrics"], timeout=DEADLINE)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        sums: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
        return sums

    def series(self, name: str) -> list[tuple[dict[str, str], float]]:
        """Gives the samples of one metric with their labels."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["metrics"], timeout=DEADLINE)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        families = text_string_to_metric_families(text)
        return [(each.labels, each.value) for family in families for each in family.samples if each.name == name]

    def until(self, condition: Any, what: str) -> None:
        """Waits until a condition holds."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, f"never {what}"
            time.sleep(0.02)

    def terminate(self) -> None:
        """Tells it to end, as the kubelet does."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Gives its exit code."""
        code = self.process.wait(DEADLINE)
        self._reader.join(DEADLINE)
        return code

    def told(self) -> dict[str, Any]:
        """Reads its termination message."""
        told: dict[str, Any] = json.loads(self.termination.read_bytes())
        return told

    def kill(self) -> None:
        """Ends it for good."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE)
        if self.process.stderr is not None:
            self._reader.join(DEADLINE)
            self.process.stderr.close()


def lay_out(folder: Path, model: onnx.ModelProto, config: dict[str, Any], *, tokenizer: Any = None) -> Path:
    """Writes artifact, verified.json and serving.json below the folder."""
    artifact = folder / "artifact"
    graphs.save(model, artifact / "model.onnx")
    if tokenizer is not None:
        tokenizer.save(str(artifact / "tokenizer.json"))
    (folder / "verified.json").write_text(json.dumps({"digest": "sha256:feed"}))
    revision = {"name": "demo", "namespace": "team", "revision": "abcd1234", "version": "1.0.0"}
    (folder / "serving.json").write_text(json.dumps({**revision, "modelDir": str(artifact), **config}))
    return folder


@contextmanager
def serving(
    folder: Path, model: onnx.ModelProto, config: dict[str, Any], *, tokenizer: Any = None
) -> Iterator[ModelServer]:
    """Runs a server that is ready."""
    server = ModelServer(lay_out(folder, model, config, tokenizer=tokenizer))
    try:
        server.says("ready")
        yield server
    finally:
        server.kill()


def tabular(names: str, labels: str, **more: Any) -> dict[str, Any]:
    """A schema of float32 features."""
    return {
        "task": "TabularClassification",
        "features": [{"name": name} for name in names.split()],
        "labels": labels.split(),
        **more,
    }
