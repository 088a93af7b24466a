"""/v1/predict and /v2 over plain HTTP: labels, policies, and errors that name the field."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from tests.integration.model_server.process import ModelServer, serving, tabular
from tests.unit.model_server import graphs

POLICIES = {"Gaming": {"dscp": "EF", "tcClass": "1:10"}, "default": {"dscp": "BE"}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    """Three features, three labels; the largest feature wins."""
    config = tabular(
        "size age speed",
        "Gaming Browsing Video",
        labelPolicies=POLICIES,
        threshold=0.9,
        limits={"maxBatchRows": 8, "maxRequestBytes": 5000},
        warmup=[{"features": {"size": 1, "age": 2, "speed": 3}}],
    )
    with serving(tmp_path_factory.mktemp("tabular"), graphs.linear_classifier(3, 3), config) as running:
        yield running


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    """Good or bad, by logits."""
    config = {"task": "TextClassification", "labels": ["Good", "Bad"], "maxTokens": 6, "threshold": 0.9}
    folder = tmp_path_factory.mktemp("text")
    with serving(folder, graphs.text_classifier(6), config, tokenizer=graphs.tokenizer()) as running:
        yield running


def features(size: float = 0, age: float = 0, speed: float = 0) -> dict[str, float]:
    return {"size": size, "age": age, "speed": speed}


def test_one_instance(server: ModelServer):
    status, answer, headers = server.ask("/v1/predict", {"features": features(size=9)}, X_Request_ID="mine-1")
    assert status == 200
    assert answer["label"] == "Gaming"
    assert answer["score"] == pytest.approx(0.99975, abs=1e-5)
    assert answer["uncertain"] is False
    assert answer["policy"] == POLICIES["Gaming"]
    assert answer["model"] == {"name": "demo", "version": "1.0.0", "revision": "abcd1234", "digest": "sha256:feed"}
    assert answer["requestId"] == headers["x-request-id"] == "mine-1"
    assert "probabilities" not in answer


def test_an_uncertain_instance_with_the_default_policy(server: ModelServer):
    _, answer, _ = server.ask("/v1/predict", {"features": features(age=1), "probabilities": True})
    assert (answer["label"], answer["uncertain"], answer["policy"]) == ("Browsing", True, {"dscp": "BE"})
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert max(answer["probabilities"], key=answer["probabilities"].get) == "Browsing"


def test_several_instances(server: ModelServer):
    instances = [features(size=9), features(age=9), features(speed=9)]
    _, answer, _ = server.ask("/v1/predict", {"instances": instances})
    assert [row["label"] for row in answer["predictions"]] == ["Gaming", "Browsing", "Video"]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"{", 400, None),
        (b'{"features": {"size": NaN, "age": 0, "speed": 0}}', 400, None),
        (b"[1]", 400, None),
        ({"features": {"size": 1, "age": 2}}, 400, "features.speed"),
        ({"features": {**features(), "sped": 2}}, 400, "features.sped"),
        ({"features": {**features(), "age": "2"}}, 400, "features.age"),
        ({"instances": [features(), {**features(), "age": None}]}, 400, "instances[1].age"),
        ({"instances": [features()] * 9}, 400, "instances"),
        ({"features": features(), "probabilites": True}, 400, "probabilites"),
        ({"text": "hello"}, 400, "text"),
        ({"instances": [features()] * 900}, 413, None),
    ],
    ids=[
        "cut JSON", "NaN", "a list", "missing", "unknown", "text", "null", "many", "a misspelled flag", "another task",
        "too large",
    ],
)  # fmt: skip
def test_what_is_wrong_names_its_field(server: ModelServer, body: Any, status: int, field: str | None):
    got, answer, _ = server.ask("/v1/predict", body)
    assert got == status
    assert answer["error"]
    assert answer.get("field") == field


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/health/live", 200),
        ("GET", "/v2/health/ready", 200),
        ("HEAD", "/v2/health/ready", 200),
        ("GET", "/v2/models/demo/ready", 200),
        ("GET", "/v2/models/demo/versions/1.0.0/ready", 200),
        ("GET", "/v2/models/demo/versions/2/ready", 404),
        ("GET", "/v2/models/other", 404),
        ("GET", "/v2", 200),
        ("GET", "/v2/", 200),
        ("GET", "/", 404),
        ("GET", "/metrics", 404),
        ("DELETE", "/v2/health/live", 405),
        ("GET", "/v1/predict", 405),
        ("PUT", "/v2/models/demo/infer", 405),
    ],
)
def test_paths(server: ModelServer, method: str, path: str, status: int):
    got, _, headers = server.ask(path, method=method)
    assert got == status
    assert ("allow" in headers) is (status == 405)


def test_a_body_that_unpacks_to_too_much_is_refused(server: ModelServer):
    import gzip

    bomb = gzip.compress(b" " * 3_000_000)
    assert len(bomb) < 5000
    assert server.ask("/v1/predict", bomb, Content_Encoding="gzip")[0] == 413
    assert server.ask("/v1/predict", b"no gzip", Content_Encoding="gzip")[0] == 400
    assert server.ask("/v1/predict", gzip.compress(b"{}")[:-4], Content_Encoding="gzip")[0] == 400
    assert server.ask("/v1/predict", b"{}", Content_Encoding="br")[0] == 415


def test_concurrent_requests_each_get_their_own_answer(server: ModelServer):
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(600, 3)).round(3)

    def ask(row: np.ndarray) -> tuple[float, float]:
        tensor = {"name": "x", "datatype": "FP32", "shape": [1, 3], "data": row.tolist()}
        _, answer, _ = server.ask("/v2/models/demo/infer", {"inputs": [tensor]})
        _, named, _ = server.ask("/v1/predict", {"features": features(*row.tolist())})
        return max(answer["outputs"][0]["data"]), named["score"]

    powers = np.exp(rows)
    wanted = (powers / powers.sum(axis=1, keepdims=True)).max(axis=1)
    before = server.metrics()
    with ThreadPoolExecutor(24) as pool:
        got = list(pool.map(ask, rows))
    assert [value for value, _ in got] == pytest.approx(wanted, abs=1e-5)
    assert [value for _, value in got] == pytest.approx(wanted, abs=1e-5)
    after = server.metrics()
    counted = {name: after[f"sentinel_model_server_{name}"] - before[f"sentinel_model_server_{name}"] for name in (
        "requests_total", "predictions_total", "batch_size_sum", "batch_size_count", "score_count",
    )}  # fmt: skip
    assert counted["requests_total"] == counted["predictions_total"] == counted["batch_size_sum"] == 1200
    assert counted["score_count"] == 1200
    assert counted["batch_size_count"] <= 1200


def test_texts(texts: ModelServer):
    _, answer, _ = texts.ask("/v1/predict", {"text": "good good"})
    assert (answer["label"], answer["uncertain"]) == ("Good", False)
    assert "truncated" not in answer
    _, answer, _ = texts.ask("/v1/predict", {"texts": ["bad", "so " * 7 + "bad", "good bad"]})
    rows = answer["predictions"]
    assert [row["label"] for row in rows[::2]] == ["Bad", "Good"]
    assert rows[1]["truncated"] is True
    assert rows[2]["score"] == pytest.approx(0.5)
    assert rows[2]["uncertain"] is True


def test_texts_of_many_lengths_at_once(texts: ModelServer):
    bodies = [{"text": " ".join(["good", "bad"][number % 2] for _ in range(number % 5 + 1))} for number in range(200)]
    bodies += [{"text": "good " * 3000}] * 5
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda body: texts.ask("/v1/predict", body)[1], bodies))
    assert [answer["label"] for answer in answers] == [["Good", "Bad"][number % 2] for number in range(200)] + [
        "Good"
    ] * 5
    assert all(answer["score"] == pytest.approx(0.982, abs=1e-3) for answer in answers)
    assert all(answer["truncated"] for answer in answers[200:])


def test_a_text_model_takes_tokens_over_the_open_protocol(texts: ModelServer):
    inputs = [
        {"name": "input_ids", "datatype": "INT64", "shape": [1, 2], "data": [[3, 0]]},
        {"name": "attention_mask", "datatype": "INT64", "shape": [1, 2], "data": [1, 0]},
    ]
    _, answer, _ = texts.ask("/v2/models/demo/infer", {"inputs": inputs})
    assert answer["outputs"][0]["data"] == [0, 4]
    status, answer, _ = texts.ask("/v2/models/demo/infer", {"inputs": [{**inputs[0], "data": [99, 0]}, inputs[1]]})
    assert status == 400
    assert "does not take this input" in answer["error"]


def test_one_bad_request_fails_alone_in_a_batch(texts: ModelServer):
    def ask(token: int) -> int:
        inputs = [
            {"name": name, "datatype": "INT64", "shape": [1, 1], "data": [value]}
            for name, value in (("input_ids", token), ("attention_mask", 1))
        ]
        return texts.ask("/v2/models/demo/infer", {"inputs": inputs})[0]

    tokens = [99 if number % 7 == 0 else 2 for number in range(300)]
    with ThreadPoolExecutor(24) as pool:
        statuses = list(pool.map(ask, tokens))
    assert statuses == [400 if token == 99 else 200 for token in tokens]


def test_embeddings(tmp_path):
    model = graphs.text_classifier(6, labels=3)
    with serving(tmp_path, model, {"task": "Embedding", "maxTokens": 6}, tokenizer=graphs.tokenizer()) as server:
        _, answer, _ = server.ask("/v1/predict", {"text": "good so"})
        assert answer["embedding"] == [2, 0, 0]
        _, answer, _ = server.ask("/v1/predict", {"texts": ["bad", "so so so"]})
        assert [row["embedding"] for row in answer["predictions"]] == [[0, 4, 0], [0, 0, 0]]


def test_a_generic_model_with_named_inputs(tmp_path):
    model = graphs.identity({"a": TensorProto.FLOAT, "b": TensorProto.STRING}, [None, 1])
    config = {"task": "Generic", "features": [{"name": "a"}, {"name": "b", "dtype": "string"}]}
    with serving(tmp_path, model, config) as server:
        _, answer, _ = server.ask("/v1/predict", {"features": {"a": 1.5, "b": "é"}})
        assert answer["outputs"] == {"a_out": [1.5], "b_out": ["é"]}


def test_a_generic_model_without_features_points_to_the_open_protocol(tmp_path):
    with serving(tmp_path, graphs.identity({"a": TensorProto.FLOAT}), {"task": "Generic"}) as server:
        status, answer, _ = server.ask("/v1/predict", {"features": {"a": 1}})
        assert status == 404
        assert "/v2/models/demo/infer" in answer["error"]
