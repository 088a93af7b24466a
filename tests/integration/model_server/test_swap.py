"""Revisions swapped under load in the real process: nobody notices, and what is wrong never gets to answer."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import tritonclient.grpc as triton_grpc
from onnx import TensorProto, helper

from demo.models import qos
from demo.models.cache import Built, cache_root, obtain
from tests.integration.model_server.pod import SCHEMA, Pod, answers, index, standing
from tests.integration.model_server.process import ModelServer
from tests.unit.model_server import graphs

GOOD = graphs.linear_classifier(3, 2)
ROW = {"features": {"a": 5, "b": 0, "c": 0}}


def opposite() -> onnx.ModelProto:
    """The classifier that always says the other label."""
    weights = np.array([[0, 1], [1, 0], [0, 0]], np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["l"]), helper.make_node("Softmax", ["l"], ["scores"], axis=-1)]
    shape = [("x", TensorProto.FLOAT, [None, 3])], [("scores", TensorProto.FLOAT, [None, 2])]
    return graphs.model(nodes, *shape, {"w": weights})


class Askers:
    """Clients that never stop; each answer's revision is kept, in order of its client."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.seen: list[list[str]] = []
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, ask: Callable[[], str]) -> None:
        mine: list[str] = []
        self.seen.append(mine)

        def loop() -> None:
            while not self._stop.is_set():
                try:
                    mine.append(ask())
                except Exception as error:  # noqa: BLE001 - each is a request that was lost
                    self.failures.append(f"{type(error).__name__}: {error}")

        self._threads.append(threading.Thread(target=loop, daemon=True))
        self._threads[-1].start()

    @property
    def total(self) -> int:
        return sum(len(mine) for mine in self.seen)

    def more(self, server: ModelServer, count: int = 100) -> None:
        before = self.total
        server.until(lambda: self.total > before + count, "answered")

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)


def http_asker(port: int, path: str, body: object, read: Callable[[dict], str]) -> Callable[[], str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    raw = json.dumps(body)

    def ask() -> str:
        connection.request("POST", path, raw)
        answer = connection.getresponse()
        content = json.loads(answer.read())
        assert answer.status == 200, content
        return read(content)

    return ask


def grpc_asker(address: str, row: np.ndarray, name: str) -> Callable[[], str]:
    client = triton_grpc.InferenceServerClient(address)
    tensor = triton_grpc.InferInput(name, list(row.shape), "FP32")
    tensor.set_data_from_numpy(row)
    return lambda: str(client.infer("demo", [tensor], client_timeout=60).get_response().model_version)


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    made = Pod(tmp_path / "pod")
    made.add("aaaa", GOOD, version="1.0.0")
    made.add("bbbb", GOOD, version="1.1.0")
    return made


@pytest.fixture
def server(pod: Pod) -> Iterator[ModelServer]:
    pod.instruct("aaaa", replay=50, replayBytes=1_000_000)
    with pod.served() as running:
        yield running


@pytest.fixture(scope="module")
def built() -> tuple[Built, Built]:
    first, second = (obtain(qos.recipe(variant), cache_root()) for variant in qos.GOOD)
    return first, second


def fill(server: ModelServer, count: int = 60) -> None:
    for number in range(count):
        features = {"a": number % 7, "b": number % 5, "c": 0}
        assert server.ask("/v1/predict", {"features": features})[0] == 200


def test_real_models_are_swapped_and_returned_under_load_without_a_request_lost(
    tmp_path: Path, built: tuple[Built, Built]
):
    """A request that is refused, cut or answered by a mixture of two revisions would show in some client."""
    facts = built[0].facts
    schema = {
        "task": facts.task,
        "features": [{"name": name} for name in facts.features],
        "labels": list(facts.labels),
    }
    pod = Pod(tmp_path / "pod", **schema)
    pod.add("aaaa", built[0].artifact, version="1.0.0", **schema)
    pod.add("bbbb", built[1].artifact, version="1.1.0", **schema)
    pod.instruct("aaaa", replay=100, replayBytes=10_000_000)
    samples = [each["features"] for each in json.loads((built[0].samples / "samples.json").read_text())["samples"]]
    name = onnx.load(built[0].artifact / "model.onnx").graph.input[0].name
    row = np.array([[samples[0][feature] for feature in facts.features]], np.float32)
    tensor = {"name": name, "shape": list(row.shape), "datatype": "FP32", "data": row[0].tolist()}
    with pod.served() as server:
        askers = Askers()
        port = server.ports["http"]
        for features in samples[:4]:
            askers.start(http_asker(port, "/v1/predict", {"features": features}, lambda b: b["model"]["version"]))
        askers.start(
            http_asker(port, "/v1/predict", {"instances": samples}, lambda b: b["model"]["version"])
        )  # several rows: their batches go to threads
        askers.start(http_asker(port, "/v2/models/demo/infer", {"inputs": [tensor]}, lambda b: b["model_version"]))
        askers.start(grpc_asker(server.grpc, row, name))
        askers.more(server, 300)
        pod.instruct("aaaa", "bbbb", candidate="bbbb", replay=100, replayBytes=10_000_000)
        server.until(lambda: standing(server, "bbbb") == ("Candidate", "Ready", ""), "loaded beside")
        server.until(lambda: server.metrics()["sentinel_model_server_parity_inputs"] > 0, "compared")
        assert {version for mine in askers.seen for version in mine} == {"1.0.0"}
        for active, version in (("bbbb", "1.1.0"), ("aaaa", "1.0.0"), ("bbbb", "1.1.0")):
            pod.instruct(active, "aaaa", "bbbb", replay=100, replayBytes=10_000_000)
            server.until(lambda wanted=version: all(mine[-1] == wanted for mine in askers.seen), version)
            askers.more(server)
        pod.instruct("bbbb")
        server.says("unloaded")
        askers.more(server)
        askers.stop()
        requests = server.series("sentinel_model_server_requests_total")
        by_revision = {
            name: sum(v for labels, v in requests if labels["revision"] == name) for name in ("aaaa", "bbbb")
        }
    assert askers.failures == []
    for mine in askers.seen:
        changes = [version for before, version in itertools.pairwise(mine) if before != version]
        assert changes == ["1.1.0", "1.0.0", "1.1.0"], "a client saw an older revision after a newer one"
    counted = [sum(mine.count(version) for mine in askers.seen) for version in ("1.0.0", "1.1.0")]
    assert by_revision == {"aaaa": counted[0], "bbbb": counted[1]}, "figures are of the revision that answered"


def test_requests_that_wait_in_a_batch_are_answered_by_the_revision_they_began_on(tmp_path: Path):
    """A slow model holds both threads; what queued up behind runs on it after the flip; new requests do not wait."""
    slow = {"task": "Generic", "features": [], "labels": []}
    pod = Pod(tmp_path / "pod", **slow)
    pod.add("slow", graphs.slow(64), version="1", **slow)
    pod.add("fast", graphs.slow(64), version="2", **slow)
    pod.instruct("slow", "fast")

    def body(loops: int) -> dict:
        return {"inputs": [{"name": "x", "datatype": "INT64", "shape": [1, 1], "data": [loops]}]}

    with pod.served() as server:
        server.until(lambda: standing(server, "fast")[1] == "Ready", "loaded")
        answered: list[str] = []

        def ask(loops: int) -> None:
            answered.append(server.ask("/v2/models/demo/infer", body(loops))[1]["model_version"])

        threads = [threading.Thread(target=ask, args=(20_000,)) for _ in range(12)]
        for thread in threads:
            thread.start()
        server.until(lambda: server.metrics()["sentinel_model_server_in_flight"] == 12, "all waiting")
        pod.instruct("fast")
        server.says("swapped")
        assert server.ask("/v2/models/demo/infer", body(1))[1]["model_version"] == "2"
        assert answered == [] or set(answered) == {"1"}
        for thread in threads:
            thread.join(60)
        assert answered == ["1"] * 12
        server.says("unloaded")


@pytest.mark.parametrize(
    ("model", "config", "reason"),
    [
        pytest.param(b"PK\x03\x04 no model", {}, "ModelUnreadable", id="no ONNX file"),
        pytest.param(GOOD.SerializeToString()[:60], {}, "ModelUnreadable", id="cut short"),
        pytest.param(graphs.linear_classifier(4, 2), {}, "SchemaMismatch", id="one feature more than the schema"),
        pytest.param(graphs.linear_classifier(3, 3), {}, "SchemaMismatch", id="one label more than the schema"),
        pytest.param(GOOD, {"modelDigest": "sha256:other"}, "DigestMismatch", id="not what was verified"),
    ],
)
def test_a_candidate_that_cannot_be_served_leaves_the_active_untouched_and_says_so(
    pod: Pod, server: ModelServer, model: onnx.ModelProto | bytes, config: dict, reason: str
):
    pod.add("cccc", model, version="2.0.0", **config)
    pod.instruct("aaaa", "cccc", candidate="cccc")
    server.until(lambda: standing(server, "cccc") == ("Candidate", "Failed", reason), "told")
    state, why = index(server)["2.0.0"]
    assert state == "UNAVAILABLE"
    assert reason in why
    pod.instruct("cccc", "aaaa")  # also when it is told to serve it
    server.until(lambda: server.metrics()["sentinel_model_server_instruction_serial"] == pod.serial, "read")
    assert answers(server) == "aaaa"
    assert server.ask("/v2/health/ready")[0] == 200
    pod.instruct("bbbb", "aaaa")
    server.until(lambda: answers(server) == "bbbb", "swapped to a good one")


def test_what_the_sidecar_could_not_bring_is_told_in_its_words_and_loaded_once_it_comes(pod: Pod, server: ModelServer):
    pod.lack("cccc", "Fetching")
    pod.instruct("aaaa", "cccc", candidate="cccc")
    server.until(lambda: standing(server, "cccc")[1] == "Fetching", "waiting")
    pod.lack("cccc", "Failed", reason="StorageUnreachable", field="spec.model.source", message="no route")
    pod.instruct("aaaa", "cccc", candidate="cccc")
    server.until(lambda: standing(server, "cccc")[1:] == ("Failed", "StorageUnreachable"), "told")
    pod.add("cccc", GOOD, version="2.0.0")
    pod.instruct("aaaa", "cccc", candidate="cccc")
    server.until(lambda: standing(server, "cccc")[1] == "Ready", "loaded")


def test_a_candidate_that_disagrees_is_not_swapped_to_unless_parity_is_dropped(pod: Pod, server: ModelServer):
    limits = {"minInputs": 20, "minLabelAgreement": 0.9}
    replay = {"replay": 50, "replayBytes": 1_000_000}
    pod.add("cccc", opposite(), version="2.0.0")
    fill(server)
    pod.instruct("aaaa", "cccc", candidate="cccc", parity=limits, **replay)
    server.until(lambda: server.metrics().get("sentinel_model_server_parity_inputs") == 50, "compared")
    (labels, _), *_ = server.series("sentinel_model_server_parity_verdict")
    assert (labels["revision"], labels["against"], labels["verdict"]) == ("cccc", "aaaa", "Fail")
    assert server.metrics()["sentinel_model_server_parity_label_agreement"] < 0.5
    pod.instruct("cccc", "aaaa", candidate="cccc", parity=limits, **replay)
    server.until(lambda: standing(server, "cccc")[1:] == ("Refused", "ParityFailed"), "refused")
    assert answers(server) == "aaaa"
    assert index(server)["2.0.0"][0] == "UNAVAILABLE"
    pod.instruct("cccc", "aaaa", **replay)
    server.until(lambda: answers(server) == "cccc", "swapped without limits")
    pod.instruct("aaaa", "cccc", parity=limits, **replay)
    server.until(lambda: answers(server) == "aaaa", "returned, which no limit stops")


def test_a_candidate_that_agrees_passes_and_with_too_few_inputs_nothing_is_said(pod: Pod, server: ModelServer):
    limits = {"minInputs": 20}
    pod.instruct("aaaa", "bbbb", candidate="bbbb", parity=limits, replay=50, replayBytes=1_000_000)
    server.until(lambda: standing(server, "bbbb")[1] == "Ready", "loaded")

    def verdict() -> str:
        return server.series("sentinel_model_server_parity_verdict")[0][0]["verdict"]

    assert verdict() == "Inconclusive"
    fill(server, 60)
    server.until(lambda: verdict() == "Pass", "compared")
    assert server.metrics()["sentinel_model_server_parity_label_agreement"] == 1
    assert server.metrics()["sentinel_model_server_parity_score_difference_max"] == 0
    assert index(server)["1.1.0"][1].startswith("Candidate: Pass")


def test_inputs_are_bounded_in_bytes_and_forgotten_when_they_are_no_longer_wanted(pod: Pod, server: ModelServer):
    pod.instruct("aaaa", replay=1000, replayBytes=6_000)  # ten or so of some 560 bytes each
    server.until(lambda: server.metrics()["sentinel_model_server_instruction_serial"] == pod.serial, "read")
    fill(server)
    pod.instruct("aaaa", "bbbb", candidate="bbbb", replay=1000, replayBytes=6_000)
    server.until(lambda: server.metrics().get("sentinel_model_server_parity_inputs", 0) > 0, "compared")
    assert server.metrics()["sentinel_model_server_parity_inputs"] <= 11


def test_both_protocols_list_every_revision(pod: Pod, server: ModelServer):
    pod.instruct("aaaa", "bbbb", candidate="bbbb")
    server.until(lambda: index(server).get("1.1.0", ("", ""))[0] == "READY", "loaded")
    assert index(server)["1.0.0"] == ("READY", "")
    client = triton_grpc.InferenceServerClient(server.grpc)
    listed = {(each.version, each.state) for each in client.get_model_repository_index().models}
    client.close()
    assert listed == {("1.0.0", "READY"), ("1.1.0", "READY")}
    assert server.ask("/v2/models/demo/versions/1.0.0/infer", b"{}")[0] == 400
    assert server.ask("/v2/models/demo/versions/1.1.0/infer", b"{}")[0] == 404, "a candidate answers nobody"
    pod.instruct("bbbb", "aaaa")
    server.until(lambda: answers(server) == "bbbb", "swapped")
    assert server.ask("/v2/models/demo/versions/1.1.0")[1]["versions"] == ["1.1.0"]
    ready = {labels["revision"]: value for labels, value in server.series("sentinel_model_server_ready")}
    assert ready == {"aaaa": 0, "bbbb": 1}, "nothing is told of the revision that the pod's template names"
    assert {labels["revision"]: v for labels, v in server.series("sentinel_model_server_active")} == {
        "aaaa": 0,
        "bbbb": 1,
    }


def test_a_server_killed_in_the_middle_of_a_swap_comes_back_on_what_is_wanted(pod: Pod, server: ModelServer):
    pod.instruct("bbbb", "aaaa")
    server.process.send_signal(signal.SIGKILL)
    server.wait()
    with pod.served() as again:
        assert answers(again) == "bbbb"
        again.until(lambda: standing(again, "aaaa") == ("Former", "Ready", ""), "kept for a return")


def test_a_candidate_that_kills_the_server_is_tried_twice_and_never_takes_the_active_down_for_good(pod: Pod):
    """A warm-up that never ends stands for a model that takes more memory than there is."""
    warm = {"task": "Generic", "features": [{"name": "x", "dtype": "int64"}], "warmup": [{"features": {"x": 2**40}}]}
    pod.add("cccc", graphs.slow(64), **{**SCHEMA, **warm, "labels": []})
    pod.instruct("aaaa", "cccc", candidate="cccc")
    for _ in range(2):
        with pod.served() as server:
            mark = server.folder / "tmp" / "sentinel-loading-cccc"
            server.until(mark.exists, "loading")
            server.process.send_signal(signal.SIGKILL)
            server.wait()
    with pod.served() as server:
        server.until(lambda: standing(server, "cccc") == ("Candidate", "Failed", "Crashed"), "given up")
        assert answers(server) == "aaaa"


def test_a_server_whose_active_revision_cannot_be_served_at_the_start_ends_as_ever(tmp_path: Path):
    pod = Pod(tmp_path / "pod")
    pod.add("aaaa", b"no model")
    pod.instruct("aaaa")
    server = ModelServer(pod.folder, follow=True)
    try:
        assert server.wait() == 21
        assert server.told()["reason"] == "ModelUnreadable"
    finally:
        server.kill()


def test_an_instruction_that_cannot_be_meant_is_not_followed(pod: Pod, server: ModelServer):
    good = (pod.folder / "active.json").read_text()
    foreign = json.loads(good)
    foreign["revisions"][0]["serving"]["name"] = "another"
    for bad in ("", "{", json.dumps({**json.loads(good), "active": "zzzz"}), json.dumps(foreign)):
        told = len([each for each in server.log if "not followed" in each["msg"]])
        (pod.folder / "part").write_text(bad)
        (pod.folder / "part").rename(pod.folder / "active.json")
        server.until(lambda n=told: len([e for e in server.log if "not followed" in e["msg"]]) > n, "refused")
        assert answers(server) == "aaaa"


def resident(server: ModelServer) -> int:
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def test_the_memory_of_what_is_unloaded_comes_back(tmp_path: Path):
    """A hundred MiB of weights, loaded and unloaded several times: what stays is far less than one of them."""
    size = 5000
    rng = np.random.default_rng(1)
    weights = {"w": rng.random((size, size), np.float32)}
    nodes = [
        helper.make_node("MatMul", ["x", "p"], ["wide"]),
        helper.make_node("MatMul", ["wide", "w"], ["back"]),
        helper.make_node("MatMul", ["back", "q"], ["l"]),
        helper.make_node("Softmax", ["l"], ["scores"], axis=-1),
    ]
    weights |= {"p": rng.random((3, size), np.float32), "q": rng.random((size, 2), np.float32)}
    big = graphs.model(
        nodes, [("x", TensorProto.FLOAT, [None, 3])], [("scores", TensorProto.FLOAT, [None, 2])], weights
    )
    pod = Pod(tmp_path / "pod")
    pod.add("aaaa", GOOD)
    for name in ("bbbb", "cccc", "dddd"):
        pod.add(name, big)
    pod.instruct("aaaa")
    with pod.served() as server:
        alone = resident(server)
        for name in ("bbbb", "cccc", "dddd"):
            pod.instruct("aaaa", name, candidate=name)
            server.until(lambda n=name: standing(server, n)[1] == "Ready", "loaded")
            assert resident(server) > alone + 80
            pod.instruct(name, "aaaa")
            server.until(lambda n=name: answers(server) == n, "swapped")
            pod.instruct("aaaa")
            server.until(lambda: [each for each in server.log if each["msg"] == "unloaded"], "unloaded")
            server.log.clear()
        server.until(lambda: resident(server) < alone + 60, f"small again: {alone} then, {resident(server)} now")
