"""Each server with the same model, on a loopback port of its own, one worker."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from benchmarks.model_server.environments import environment
from demo.models.cache import Built

PEERS_CODE = Path(__file__).parent / "peers"
OURS = "sentinel"
PEERS = {
    "mlserver": "mlserver==1.7.1",
    "kserve": "kserve==0.21.0",
    "litserve": "litserve==0.2.19",
    "bentoml": "bentoml==1.4.39",
}
READY_SECONDS = 120.0
GRACE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Command:
    """How a server is started."""

    arguments: list[str]
    env: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers."""

    name: str
    url: str
    pid: int
    start_seconds: float

    @property
    def resident_mib(self) -> float:
        """Gives the memory of the server and its children."""
        return sum(_resident(pid) for pid in _family(self.pid))


def command(name: str, built: Built, port: int, scratch: Path) -> Command:
    """Gives how to start a server; peers are installed the first time."""
    model = str(built.artifact / "model.onnx")
    if name == OURS:
        return Command(_ours(built, port, scratch))
    binaries = environment(PEERS[name], f"onnxruntime=={version('onnxruntime')}")
    env = {"MODEL": model, "PORT": str(port), "PYTHONPATH": str(PEERS_CODE)}
    match name:
        case "mlserver":
            settings = {"host": "127.0.0.1", "http_port": port, "grpc_port": free_port(), "metrics_port": free_port()}
            # Inference in the server's own process: faster here than one worker process beside it.
            (scratch / "settings.json").write_text(json.dumps({**settings, "parallel_workers": 0, "debug": False}))
            described = {"name": "model", "implementation": "mlserver_peer.OnnxModel"}
            (scratch / "model-settings.json").write_text(json.dumps(described))
            return Command([str(binaries / "mlserver"), "start", str(scratch)], env)
        case "bentoml":
            bento = [
                str(binaries / "bentoml"),
                "serve",
                "bentoml_peer:Onnx",
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
            ]
            quiet = {"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(scratch)}
            return Command(bento, {**env, **quiet}, folder=PEERS_CODE)
        case _:
            return Command([str(binaries / "python"), str(PEERS_CODE / f"{name}_peer.py")], env)


@contextmanager
def running(name: str, built: Built, body: str, scratch: Path) -> Iterator[Running]:
    """Starts a server, waits until it answers the body, and ends it with all its children."""
    port = free_port()
    scratch.mkdir(parents=True)
    how = command(name, built, port, scratch)
    began = time.perf_counter()
    with (scratch / "log").open("wb") as log:
        process = subprocess.Popen(
            how.arguments,
            env={**os.environ, **how.env},
            cwd=how.folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}/v2/models/model/infer"
        _until_answered(url, body, process, scratch / "log")
        yield Running(name, url, process.pid, time.perf_counter() - began)
    finally:
        _end(process)


def free_port() -> int:
    """Gives a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _ours(built: Built, port: int, scratch: Path) -> list[str]:
    config = {
        "name": "model",
        "namespace": "benchmark",
        "revision": "r1",
        "modelDir": str(scratch / "artifact"),
        "task": built.facts.task,
        "features": [{"name": name} for name in built.facts.features],
        "labels": built.facts.labels,
    }
    (scratch / "artifact").symlink_to(built.artifact)
    (scratch / "verified.json").write_text('{"digest": "sha256:benchmark"}')
    (scratch / "serving.json").write_text(json.dumps(config))
    ports = ["--http-port", str(port), "--grpc-port", "0", "--metrics-port", "0"]
    module = [sys.executable, "-m", "sentinel_workloads.model_server"]
    return [*module, "--config", str(scratch / "serving.json"), "--host", "127.0.0.1", *ports]


def _until_answered(url: str, body: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    last: OSError | None = None
    request = urllib.request.Request(url, body.encode(), {"content-type": "application/json"})
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                outputs = json.load(answer)["outputs"]
                assert {output["name"] for output in outputs} == {"label", "probabilities"}
                return
        except OSError as error:
            last = error
            time.sleep(0.05)
    raise RuntimeError(f"{process.args} never answered ({last}): {log.read_text(errors='replace')[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the session that was started for the server: some leave their workers behind."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in _family(int(child)))]


def _resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
