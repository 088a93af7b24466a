"""An unmodified tritonclient, in each of its forms, against the server as shipped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.grpc.aio as triton_grpc_aio
import tritonclient.http as triton_http
import tritonclient.http.aio as triton_http_aio
from onnx import TensorProto
from tritonclient.utils import InferenceServerException

from tests.integration.model_server.process import ModelServer, serving
from tests.unit.model_server import graphs

KINDS = {
    "BOOL": (TensorProto.BOOL, np.array([[True, False], [False, True]])),
    "UINT8": (TensorProto.UINT8, np.array([[0, 255], [1, 2]], np.uint8)),
    "INT16": (TensorProto.INT16, np.array([[-300, 255], [1, 2]], np.int16)),
    "INT32": (TensorProto.INT32, np.array([[-(2**31), 255], [1, 2]], np.int32)),
    "INT64": (TensorProto.INT64, np.array([[-(2**63), 255], [1, 2]], np.int64)),
    "UINT64": (TensorProto.UINT64, np.array([[2**64 - 1, 255], [1, 2]], np.uint64)),
    "FP16": (TensorProto.FLOAT16, np.array([[0.5, -2], [1, 2]], np.float16)),
    "FP32": (TensorProto.FLOAT, np.array([[0.1, -2], [1, 2]], np.float32)),
    "FP64": (TensorProto.DOUBLE, np.array([[0.1, -2], [1, 2]], np.float64)),
    "BYTES": (TensorProto.STRING, np.array([["é", ""], ["a b", "x" * 1000]], np.object_)),
}
MODEL = graphs.identity({name.lower(): kind for name, (kind, _) in KINDS.items()})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    """Gives back what it gets, of every datatype."""
    with serving(tmp_path_factory.mktemp("identity"), MODEL, {"limits": {"maxRequestBytes": 100_000}}) as running:
        yield running


def filled(module, *, binary: bool | None = None, only: str = "") -> list:
    tensors = []
    for name, (_, array) in KINDS.items():
        tensor = module.InferInput(name.lower(), [2, 2], name)
        encoded = np.vectorize(str.encode, otypes=[object])(array) if name == "BYTES" else array
        arguments = {} if binary is None or name == "FP16" else {"binary_data": binary}
        tensor.set_data_from_numpy(encoded, **arguments)
        tensors.append(tensor)
    return tensors


def check(result) -> None:
    for name, (_, array) in KINDS.items():
        back = result.as_numpy(f"{name.lower()}_out")
        if name == "BYTES":
            assert [text if isinstance(text, str) else text.decode() for text in back.ravel()] == array.ravel().tolist()
        else:
            assert back.dtype == array.dtype
            assert (back == array).all()


@pytest.mark.parametrize("binary", [True, False], ids=["bytes", "JSON"])
def test_http_infer(server: ModelServer, binary: bool):
    client = triton_http.InferenceServerClient(server.http)
    wanted = [
        triton_http.InferRequestedOutput(f"{name.lower()}_out", binary_data=binary or name == "FP16") for name in KINDS
    ]
    result = client.infer("demo", filled(triton_http, binary=binary), outputs=wanted, request_id="r-7")
    check(result)
    assert result.get_response()["id"] == "r-7"
    check(client.infer("demo", filled(triton_http), model_version="1.0.0"))
    client.close()


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_http_infer_with_compressed_requests(server: ModelServer, algorithm: str):
    client = triton_http.InferenceServerClient(server.http)
    check(client.infer("demo", filled(triton_http), request_compression_algorithm=algorithm))
    client.close()


def test_http_describes_itself(server: ModelServer):
    client = triton_http.InferenceServerClient(server.http)
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("demo")
    assert client.is_model_ready("demo", "1.0.0")
    assert not client.is_model_ready("other")
    assert not client.is_model_ready("demo", "2")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    metadata = client.get_model_metadata("demo")
    assert metadata["versions"] == ["1.0.0"]
    assert {"name": "bytes", "datatype": "BYTES", "shape": [-1, -1]} in metadata["inputs"]
    assert client.get_model_config("demo")["max_batch_size"] > 1
    assert [entry["name"] for entry in client.get_model_repository_index()] == ["demo"]
    with pytest.raises(InferenceServerException, match="model 'other' is not served here, 'demo' is"):
        client.infer("other", filled(triton_http))
    client.close()


def test_grpc_infer(server: ModelServer):
    client = triton_grpc.InferenceServerClient(server.grpc)
    result = client.infer("demo", filled(triton_grpc), request_id="r-8")
    check(result)
    assert result.get_response().id == "r-8"
    only = client.infer("demo", filled(triton_grpc), outputs=[triton_grpc.InferRequestedOutput("fp32_out")])
    assert only.as_numpy("bool_out") is None
    assert only.as_numpy("fp32_out").shape == (2, 2)
    client.close()


def test_grpc_describes_itself(server: ModelServer):
    client = triton_grpc.InferenceServerClient(server.grpc)
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("demo", "1.0.0")
    assert "model_repository" in client.get_server_metadata().extensions
    metadata = client.get_model_metadata("demo")
    assert [tensor.datatype for tensor in metadata.inputs] == list(KINDS)
    config = client.get_model_config("demo").config
    assert config.input[0].name == "bool"
    assert triton_grpc.model_config_pb2.DataType.Name(config.input[9].data_type) == "TYPE_STRING"
    assert client.get_model_repository_index().models[0].state == "READY"
    client.close()


@pytest.mark.parametrize(
    ("model", "version", "code"),
    [("other", "", "NOT_FOUND"), ("demo", "9", "NOT_FOUND"), ("demo", "", "INVALID_ARGUMENT")],
)
def test_grpc_errors_have_their_codes(server: ModelServer, model: str, version: str, code: str):
    client = triton_grpc.InferenceServerClient(server.grpc)
    with pytest.raises(InferenceServerException) as refused:
        client.infer(model, filled(triton_grpc)[:-1], model_version=version)
    assert refused.value.status() == f"StatusCode.{code}"
    client.close()


def test_a_message_too_large_is_refused_by_either_port(server: ModelServer):
    large = np.full((2, 30_000), 1.0)
    http_tensor = triton_http.InferInput("fp64", list(large.shape), "FP64")
    http_tensor.set_data_from_numpy(large)
    http_client = triton_http.InferenceServerClient(server.http)
    with pytest.raises(InferenceServerException) as refused:
        http_client.infer("demo", [http_tensor])
    assert refused.value.status() == "413"
    http_client.close()
    grpc_tensor = triton_grpc.InferInput("fp64", list(large.shape), "FP64")
    grpc_tensor.set_data_from_numpy(large)
    grpc_client = triton_grpc.InferenceServerClient(server.grpc)
    with pytest.raises(InferenceServerException) as refused:
        grpc_client.infer("demo", [grpc_tensor])
    assert refused.value.status() == "StatusCode.RESOURCE_EXHAUSTED"
    grpc_client.close()


async def test_http_aio(server: ModelServer):
    async with triton_http_aio.InferenceServerClient(server.http) as client:
        assert await client.is_model_ready("demo")
        check(await client.infer("demo", filled(triton_http_aio)))


async def test_grpc_aio(server: ModelServer):
    async with triton_grpc_aio.InferenceServerClient(server.grpc) as client:
        assert await client.is_model_ready("demo")
        check(await client.infer("demo", filled(triton_grpc_aio)))


def test_a_model_of_one_fixed_batch(tmp_path: Path):
    fixed = graphs.linear_classifier(3, 2, rows=1)
    schema = {"task": "TabularClassification", "features": [{"name": n} for n in "abc"], "labels": ["x", "y"]}
    with serving(tmp_path, fixed, schema) as running:
        client = triton_http.InferenceServerClient(running.http)
        tensor = triton_http.InferInput("x", [1, 3], "FP32")
        tensor.set_data_from_numpy(np.array([[0, 5, 0]], np.float32))
        assert client.infer("demo", [tensor]).as_numpy("scores")[0].argmax() == 1
        tensor = triton_http.InferInput("x", [2, 3], "FP32")
        tensor.set_data_from_numpy(np.zeros((2, 3), np.float32))
        with pytest.raises(InferenceServerException, match=r"takes shape \[1, 3\], not \[2, 3\]"):
            client.infer("demo", [tensor])
        client.close()
        row = dict.fromkeys("abc", 1.0)
        assert running.ask("/v1/predict", {"features": row})[0] == 200
        status, answer, _ = running.ask("/v1/predict", {"instances": [row, row]})
        assert (status, answer["error"]) == (400, "this model takes one instance at a time")
