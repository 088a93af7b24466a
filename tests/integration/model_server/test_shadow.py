"""Requests mirrored between real servers: compared, counted apart, bounded, and without a trace in the answers."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tritonclient.grpc as triton_grpc

from tests.integration.model_server.pod import SCHEMA, Pod
from tests.integration.model_server.process import ModelServer, lay_out, serving
from tests.integration.model_server.test_access import certificate, mount
from tests.integration.model_server.test_swap import opposite
from tests.unit.model_server import graphs

GOOD = graphs.linear_classifier(3, 2)
INFER = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 3], "data": [0, 5, 0]}]}
PREDICT = {"features": {"a": 5, "b": 0, "c": 0}}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def candidate(stack: ExitStack, folder: Path, model: onnx.ModelProto = GOOD, **config: Any) -> ModelServer:
    """Runs the candidate's pod, which knows nothing of being one."""
    return stack.enter_context(serving(folder / "candidate", model, {**SCHEMA, "revision": "cand", **config}))


def stable(stack: ExitStack, folder: Path, *urls: str, percent: float = 100, **config: Any) -> ModelServer:
    """Runs the pod that answers the clients."""
    pod = Pod(folder / "stable", **config)
    pod.add("main", GOOD, version="1.0.0")
    pod.instruct("main", shadow={"revision": "cand", "percent": percent, "urls": urls, "timeoutSeconds": 1})
    return stack.enter_context(pod.served())


def at(server: ModelServer) -> str:
    return f"http://{server.http}"


def counts(server: ModelServer) -> dict[str, float]:
    found = server.metrics()
    return {name: found.get(f"sentinel_shadow_{name}_total", 0) for name in ("compared", "agreed", "failed", "dropped")}


def test_every_kind_of_request_is_compared_and_counted_apart(stack: ExitStack, tmp_path: Path):
    other = candidate(stack, tmp_path)
    server = stable(stack, tmp_path, at(other))
    for _ in range(5):
        assert server.ask("/v1/predict", PREDICT)[1]["label"] == "x"
        assert server.ask("/v1/predict", {"instances": [PREDICT["features"]] * 3})[0] == 200
        assert server.ask("/v2/models/demo/versions/1.0.0/infer", INFER)[0] == 200
        assert server.ask("/v1/predict", {"features": {}})[0] == 400  # nothing was answered, nothing is compared
    client = triton_grpc.InferenceServerClient(server.grpc)
    tensor = triton_grpc.InferInput("x", [1, 3], "FP32")
    tensor.set_data_from_numpy(np.array([[0, 5, 0]], np.float32))
    for _ in range(5):
        client.infer("demo", [tensor])
    client.close()
    server.until(lambda: counts(server)["compared"] == 20, "compared")
    assert counts(server) == {"compared": 20, "agreed": 20, "failed": 0, "dropped": 0}
    assert server.metrics()["sentinel_shadow_score_difference_count"] == 30
    assert server.metrics()["sentinel_shadow_score_difference_sum"] == 0
    (labels, _), *_ = server.series("sentinel_shadow_compared_total")
    assert (labels["revision"], labels["candidate"]) == ("main", "cand")
    series = other.series("sentinel_model_server_requests_total")
    assert [(labels.get("traffic"), count) for labels, count in series] == [("mirrored", 20)]
    read = other.series("sentinel_model_server_predictions_total")
    assert {labels.get("traffic") for labels, _ in read} == {"mirrored"}
    assert sum(count for _, count in read) == 30


def test_a_candidate_that_disagrees_shows_in_the_figures_and_in_no_answer(stack: ExitStack, tmp_path: Path):
    server = stable(stack, tmp_path, at(candidate(stack, tmp_path, opposite())))
    for _ in range(20):
        assert server.ask("/v1/predict", PREDICT)[1]["label"] == "x"
    server.until(lambda: counts(server)["compared"] == 20, "compared")
    assert counts(server)["agreed"] == 0


def test_about_the_share_that_was_asked_for_is_mirrored(stack: ExitStack, tmp_path: Path):
    """Of 400, a quarter: outside of 60 … 140 once in 200,000 runs."""
    other = candidate(stack, tmp_path)
    server = stable(stack, tmp_path, at(other), percent=25)
    connection_body = {"instances": [PREDICT["features"]]}
    for _ in range(400):
        assert server.ask("/v1/predict", connection_body)[0] == 200
    assert 60 <= sum(counts(server)[name] for name in ("compared", "failed", "dropped")) <= 140


def test_a_candidate_that_is_not_there_costs_the_clients_nothing(stack: ExitStack, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    server = stable(stack, tmp_path, f"http://127.0.0.1:{closed}")
    for _ in range(50):
        assert server.ask("/v1/predict", PREDICT)[0] == 200
    server.until(lambda: counts(server)["failed"] > 0, "given up")
    assert counts(server)["compared"] == 0


def test_a_candidate_that_never_answers_holds_up_a_bounded_number_and_the_rest_is_dropped(
    stack: ExitStack, tmp_path: Path
):
    silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    server = stable(stack, tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}")
    for _ in range(300):
        assert server.ask("/v1/predict", PREDICT)[0] == 200
    server.until(lambda: counts(server)["dropped"] > 0 and counts(server)["failed"] > 0, "bounded")
    assert counts(server)["compared"] == 0


def test_a_candidate_that_comes_back_is_compared_again(stack: ExitStack, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    server = stable(stack, tmp_path, f"http://127.0.0.1:{port}")
    assert server.ask("/v1/predict", PREDICT)[0] == 200
    server.until(lambda: counts(server)["failed"] > 0, "failed")
    other = ModelServer(lay_out(tmp_path / "late", GOOD, {**SCHEMA, "revision": "cand"}), http_port=port)
    stack.callback(other.kill)
    other.says("ready")

    def asked() -> bool:
        assert server.ask("/v1/predict", PREDICT)[0] == 200
        return counts(server)["compared"] > 0

    server.until(asked, "compared")


def test_what_was_mirrored_is_never_mirrored_onward(stack: ExitStack, tmp_path: Path):
    last = candidate(stack, tmp_path)
    pod = Pod(tmp_path / "middle")
    pod.add("cand", GOOD)
    pod.instruct("cand", shadow={"revision": "other", "percent": 100, "urls": [at(last)]})
    middle = stack.enter_context(pod.served())
    server = stable(stack, tmp_path, at(middle))
    for _ in range(10):
        assert server.ask("/v1/predict", PREDICT)[0] == 200
    server.until(lambda: counts(server)["compared"] == 10, "compared")
    assert middle.ask("/v1/predict", PREDICT)[0] == 200
    middle.until(lambda: counts(middle)["failed"] == 1, "its own request goes on")  # "cand" answered, not "other"
    assert sum(count for _, count in last.series("sentinel_model_server_requests_total")) == 1


def test_a_client_is_admitted_by_the_candidate_as_it_was_here(stack: ExitStack, tmp_path: Path):
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "alice").write_text(hashlib.sha256(b"secret").hexdigest())
    access = {"access": {"apiKeysDir": str(keys)}}
    server = stable(stack, tmp_path, at(candidate(stack, tmp_path, **access)), **access)
    assert server.ask("/v1/predict", PREDICT)[0] == 401
    assert server.ask("/v1/predict", PREDICT, x_api_key="secret")[0] == 200
    server.until(lambda: counts(server)["compared"] == 1, "compared")


def test_a_candidate_with_a_certificate_is_asked_only_when_it_is_the_right_one(stack: ExitStack, tmp_path: Path):
    material = certificate("candidate")
    secret = mount(tmp_path / "tls", **material)
    root, other = tmp_path / "root.pem", tmp_path / "other.pem"
    root.write_bytes(material["tls_crt"])
    other.write_bytes(certificate("another")["tls_crt"])
    there = candidate(stack, tmp_path, access={"tlsDir": str(secret)})
    pod = Pod(tmp_path / "stable")
    pod.add("main", GOOD)
    shadow = {"revision": "cand", "percent": 100, "urls": [f"https://{there.http}"], "timeoutSeconds": 5}
    pod.instruct("main", shadow={**shadow, "caFile": str(other)})
    server = stack.enter_context(pod.served())
    assert server.ask("/v1/predict", PREDICT)[0] == 200
    server.until(lambda: counts(server)["failed"] == 1, "refused")
    pod.instruct("main", shadow={**shadow, "caFile": str(root), "serverName": "elsewhere"})
    server.until(lambda: server.metrics()["sentinel_model_server_instruction_serial"] == 2, "read")
    assert server.ask("/v1/predict", PREDICT)[0] == 200
    server.until(lambda: counts(server)["failed"] == 2, "refused by name")
    pod.instruct("main", shadow={**shadow, "caFile": str(root)})
    server.until(lambda: server.metrics()["sentinel_model_server_instruction_serial"] == 3, "read")
    assert server.ask("/v1/predict", PREDICT)[0] == 200
    server.until(lambda: counts(server)["compared"] == 1, "compared")


def test_a_mirror_ends_when_the_instruction_does_and_keeps_its_counts_while_its_share_changes(
    stack: ExitStack, tmp_path: Path
):
    other = candidate(stack, tmp_path)
    pod = Pod(tmp_path / "stable")
    pod.add("main", GOOD)
    shadow = {"revision": "cand", "percent": 100, "urls": [at(other)]}
    pod.instruct("main", shadow=shadow)
    server = stack.enter_context(pod.served())
    assert server.ask("/v1/predict", PREDICT)[0] == 200
    server.until(lambda: counts(server)["compared"] == 1, "compared")
    pod.instruct("main", shadow={**shadow, "percent": 50})
    server.until(lambda: server.metrics()["sentinel_model_server_instruction_serial"] == 2, "read")
    assert counts(server)["compared"] == 1
    pod.instruct("main")
    server.until(lambda: "sentinel_shadow_compared_total" not in server.metrics(), "ended")
    assert json.loads((pod.folder / "active.json").read_text())["serial"] == 3
    assert server.ask("/v1/predict", PREDICT)[0] == 200
