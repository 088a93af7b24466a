"""The demo's client: an unmodified tritonclient over HTTP and gRPC, and plain HTTP for named features and texts."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http

TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One row of what came back."""

    given: str
    expected: str
    label: str
    score: float
    uncertain: bool
    policy: dict[str, str]


def predict(url: str, body: dict[str, object]) -> dict[str, object]:
    """Posts to /v1/predict and gives the answer; raises RuntimeError with the server's words when it refuses."""
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/predict", json.dumps(body).encode(), headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:  # noqa: S310
            answer: dict[str, object] = json.load(response)
            return answer
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{error.code}: {error.read().decode()[:500]}") from error


def answer_of(result: dict[str, object], *, given: str, expected: str) -> Answer:
    """Reads one prediction of /v1/predict."""
    policy = result.get("policy") or {}
    return Answer(
        given=given,
        expected=expected,
        label=str(result["label"]),
        score=float(str(result["score"])),
        uncertain=bool(result["uncertain"]),
        policy={str(key): str(value) for key, value in policy.items()} if isinstance(policy, dict) else {},
    )


def infer_http(address: str, model: str, rows: Sequence[Sequence[float]]) -> np.ndarray:
    """Sends rows [N, F] as float32 by tritonclient's HTTP client (binary tensors); gives probabilities [N, L]."""
    client = triton_http.InferenceServerClient(address, network_timeout=TIMEOUT, connection_timeout=TIMEOUT)
    try:
        name = client.get_model_metadata(model)["inputs"][0]["name"]
        data = np.asarray(rows, np.float32)
        tensor = triton_http.InferInput(name, list(data.shape), "FP32")
        tensor.set_data_from_numpy(data)
        return np.asarray(client.infer(model, [tensor]).as_numpy("probabilities"))
    finally:
        client.close()


def infer_grpc(address: str, model: str, rows: Sequence[Sequence[float]]) -> np.ndarray:
    """Sends rows [N, F] as float32 by tritonclient's gRPC client; gives probabilities [N, L]."""
    client = triton_grpc.InferenceServerClient(address)
    try:
        name = client.get_model_metadata(model, client_timeout=TIMEOUT).inputs[0].name
        data = np.asarray(rows, np.float32)
        tensor = triton_grpc.InferInput(name, list(data.shape), "FP32")
        tensor.set_data_from_numpy(data)
        return np.asarray(client.infer(model, [tensor], client_timeout=TIMEOUT).as_numpy("probabilities"))
    finally:
        client.close()
