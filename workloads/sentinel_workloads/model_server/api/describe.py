"""What the server and its model say of themselves, in the words of the Open Inference Protocol."""

from __future__ import annotations

from typing import Any

from sentinel_operator.api.serving import ServingConfig
from sentinel_workloads.model_server.api.service import Service
from sentinel_workloads.model_server.model.graph import Graph, TensorSpec

SERVER = "sentinel-model-server"
PLATFORM = "onnxruntime_onnx"
EXTENSIONS = ("binary_tensor_data", "model_repository", "model_configuration")


def server_metadata(version: str) -> dict[str, Any]:
    """Gives name, version and extensions."""
    return {"name": SERVER, "version": version, "extensions": list(EXTENSIONS)}


def model_metadata(config: ServingConfig, graph: Graph) -> dict[str, Any]:
    """Gives the model's inputs and outputs; -1 is any size."""
    return {
        "name": config.name,
        "versions": [config.version] if config.version else [],
        "platform": PLATFORM,
        "inputs": [_tensor(spec) for spec in graph.inputs],
        "outputs": [_tensor(spec) for spec in graph.outputs],
        "parameters": {"labels": list(config.labels), "revision": config.revision},
    }


def model_config(config: ServingConfig, graph: Graph, *, batches: bool) -> dict[str, Any]:
    """Gives the part of Triton's configuration that clients shape requests by; dims leave out the batch."""
    skip = 1 if batches else 0

    def described(spec: TensorSpec) -> dict[str, Any]:
        return {"name": spec.name, "data_type": spec.datatype.triton, "dims": spec.wire_shape[skip:]}

    return {
        "name": config.name,
        "platform": PLATFORM,
        "backend": "onnxruntime",
        "max_batch_size": config.limits.max_batch_rows if batches else 0,
        "input": [described(spec) for spec in graph.inputs],
        "output": [described(spec) for spec in graph.outputs],
    }


def repository_index(service: Service) -> list[dict[str, str]]:
    """Gives every revision of the model that is here or on its way, as a version, with its state; the active first."""
    config = service.config if service.active is None else service.active.config
    active = {
        "name": config.name,
        "version": config.version,
        "state": "READY" if service.ready else "UNAVAILABLE",
        "reason": "" if service.ready else "loading, or draining",
    }
    return [active, *(service.others() if service.others is not None else ())]


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "datatype": spec.datatype.name, "shape": spec.wire_shape}
