"""From start to end: what stops a start is told, and what is under way at the end is answered."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc

from sentinel_operator.api.serving import ExitCode
from tests.integration.model_server.process import ModelServer, lay_out, serving, tabular
from tests.integration.model_server.vip import Vip
from tests.unit.model_server import graphs

CONFIG = tabular("a b c", "x y")
LAG_SECONDS = 0.5
"""How much later than the pod its clients learn that it ends."""


class Clients:
    """Clients that never stop asking, each over a connection that it keeps as long as it may."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.answers = 0
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, ask: Callable[[], None]) -> None:
        """Asks again and again."""

        def loop() -> None:
            while not self._stop.is_set():
                try:
                    ask()
                    self.answers += 1
                except Exception as error:  # noqa: BLE001 - each is a request that was dropped
                    self.failures.append(f"{type(error).__name__}: {error}")

        self._threads.append(threading.Thread(target=loop, daemon=True))
        self._threads[-1].start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)


def http_client(port: int) -> Callable[[], None]:
    """Asks over a kept connection; opens another when the server says that it closes this one."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    body = json.dumps({"features": {"a": 5, "b": 0, "c": 0}})

    def ask() -> None:
        connection.request("POST", "/v1/predict", body)
        answer = connection.getresponse()
        content = json.loads(answer.read())
        assert (answer.status, content["label"]) == (200, "x")

    return ask


def grpc_client(address: str) -> Callable[[], None]:
    """Asks over one channel."""
    client = triton_grpc.InferenceServerClient(address)
    tensor = triton_grpc.InferInput("x", [1, 3], "FP32")
    tensor.set_data_from_numpy(np.array([[0, 5, 0]], np.float32))

    def ask() -> None:
        assert client.infer("demo", [tensor], client_timeout=60).as_numpy("scores").argmax() == 1

    return ask


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def test_a_rolling_update_drops_no_request(tmp_path: Path, stack: ExitStack):
    config = {**CONFIG, "limits": {"drainSeconds": 3}}
    model = graphs.linear_classifier(3, 2)
    old = stack.enter_context(serving(tmp_path / "old", model, config))
    new = stack.enter_context(serving(tmp_path / "new", model, {**config, "revision": "new"}))
    over_http, over_grpc = Vip(old.ports["http"]), Vip(old.ports["grpc"])
    stack.callback(over_http.close)
    stack.callback(over_grpc.close)
    clients = Clients()
    for _ in range(4):
        clients.start(http_client(over_http.port))
        clients.start(grpc_client(over_grpc.address))
    old.until(lambda: clients.answers > 200, "answered")
    over_http.endpoints.append(new.ports["http"])
    over_grpc.endpoints.append(new.ports["grpc"])
    old.terminate()
    old.says("draining")
    time.sleep(LAG_SECONDS)
    over_http.endpoints.remove(old.ports["http"])
    over_grpc.endpoints.remove(old.ports["grpc"])
    assert old.wait() == 0
    old.says("drained")
    before = clients.answers
    new.until(lambda: clients.answers > before + 200, "answered by the new")
    clients.stop()
    assert clients.failures == []
    assert new.metrics()["sentinel_model_server_requests_total"] > 200


def test_a_server_that_ends_is_not_ready_at_once_and_still_serves(tmp_path: Path):
    config = {**CONFIG, "limits": {"drainSeconds": 60}}
    with serving(tmp_path, graphs.linear_classifier(3, 2), config) as server:
        server.terminate()
        server.says("draining")
        assert server.ask("/v2/health/ready")[0] == 503
        assert server.ask("/v2/models/demo/ready")[0] == 503
        assert server.ask("/v2/health/live")[0] == 200
        status, _, headers = server.ask("/v1/predict", {"features": {"a": 1, "b": 2, "c": 3}})
        assert (status, headers["connection"]) == (200, "close")
        client = triton_grpc.InferenceServerClient(server.grpc)
        assert not client.is_server_ready()
        client.close()
        assert server.wait() == 0
        assert server.says("drained")["seconds"] < 30


def test_a_request_under_way_is_answered_before_the_end(tmp_path: Path):
    config = {"task": "Generic", "limits": {"drainSeconds": 0}}
    with serving(tmp_path, graphs.slow(64), config) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.ports["http"], timeout=60)
        tensor = {"name": "x", "datatype": "INT64", "shape": [1, 1], "data": [10_000]}
        connection.request("POST", "/v2/models/demo/infer", json.dumps({"inputs": [tensor]}))
        server.until(lambda: server.metrics()["sentinel_model_server_in_flight"] == 1, "running")
        server.terminate()
        answer = connection.getresponse()
        assert json.loads(answer.read())["outputs"][0]["data"] == [10_000]
        assert server.wait() == 0


def test_a_server_that_is_told_to_end_while_it_loads_ends_at_once(tmp_path: Path):
    """A warm-up that never ends stands for a model that takes long to load."""
    features = [{"name": "x", "dtype": "int64"}]
    config = {"task": "Generic", "features": features, "warmup": [{"features": {"x": 2**40}}]}
    server = ModelServer(lay_out(tmp_path, graphs.slow(64), config))
    try:
        server.says("listening")
        assert server.ask("/v2/health/live")[0] == 200
        assert server.ask("/v2/health/ready")[0] == 503
        assert server.ask("/v1/predict", {"features": {"x": 1}})[0] == 503
        server.terminate()
        assert server.wait() == 0
        assert not any(entry["msg"] == "ready" for entry in server.log)
    finally:
        server.kill()


def test_a_run_that_hangs_does_not_hold_up_the_end(tmp_path: Path):
    config = {"task": "Generic", "limits": {"drainSeconds": 0, "requestTimeoutSeconds": 0.1}}
    with serving(tmp_path, graphs.slow(64), config) as server:
        tensor = {"name": "x", "datatype": "INT64", "shape": [1, 1], "data": [2**40]}
        assert server.ask("/v2/models/demo/infer", {"inputs": [tensor]})[0] == 504
        server.until(lambda: server.ask("/v2/health/live")[0] == 503, "known to hang")
        server.terminate()
        assert server.wait() == 0


def ended(folder: Path) -> tuple[int, dict[str, object]]:
    """Runs a server that cannot serve; gives its exit code and termination message."""
    server = ModelServer(folder)
    try:
        code = server.wait()
        return code, server.told()
    finally:
        server.kill()


def test_a_mismatch_ends_with_its_code_and_names_the_field(tmp_path: Path):
    folder = lay_out(tmp_path, graphs.linear_classifier(3, 2), tabular("a b", "x y"))
    code, told = ended(folder)
    assert code == ExitCode.SchemaMismatch
    assert (told["reason"], told["field"]) == ("SchemaMismatch", "spec.schema.features")
    assert told["message"] == "the model takes 3 features, the schema names 2"


def test_a_file_that_is_no_model_ends_with_its_code(tmp_path: Path):
    folder = lay_out(tmp_path, graphs.linear_classifier(3, 2), CONFIG)
    (folder / "artifact" / "model.onnx").write_bytes(b"PK\x03\x04 this is a zip")
    code, told = ended(folder)
    assert (code, told["reason"]) == (ExitCode.ModelUnreadable, "ModelUnreadable")


def test_an_artifact_that_was_not_verified_ends_with_its_code(tmp_path: Path):
    folder = lay_out(tmp_path, graphs.linear_classifier(3, 2), CONFIG)
    (folder / "verified.json").unlink()
    code, told = ended(folder)
    assert (code, told["field"]) == (ExitCode.InvalidConfig, "spec.model.verify")


@pytest.mark.parametrize("content", ["", "{}", '{"name": 3}'])
def test_a_broken_configuration_ends_with_its_code(tmp_path: Path, content: str):
    (tmp_path / "serving.json").write_text(content)
    code, told = ended(tmp_path)
    assert (code, told["reason"]) == (ExitCode.InvalidConfig, "InvalidConfig")


def test_a_port_that_is_taken_is_not_taken_in_silence(tmp_path: Path):
    folder = lay_out(tmp_path, graphs.linear_classifier(3, 2), CONFIG)
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        serving(tmp_path / "x", graphs.linear_classifier(3, 2), CONFIG),
    ):
        server = ModelServer(folder, http_port=taken.getsockname()[1])
        assert server.wait() != 0
        server.kill()
