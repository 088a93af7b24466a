"""ONNX graphs as bytes that depend on their content alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
from numpy.typing import NDArray

IR_VERSION = 8


def canonical(model: onnx.ModelProto, *, name: str, properties: dict[str, list[str]]) -> onnx.ModelProto:
    """Gives the model without what its maker left in it (tool, version, comments, random names), under this name.

    The properties (features, labels) go into the model's metadata as JSON, so that the file describes itself.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for field in ("producer_name", "producer_version", "domain", "model_version", "doc_string", "metadata_props"):
        result.ClearField(field)
    result.ir_version = IR_VERSION
    result.graph.name = name
    for field in ("doc_string", "value_info", "metadata_props"):
        result.graph.ClearField(field)
    for node in result.graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    opsets = sorted(model.opset_import, key=lambda opset: opset.domain)  # converters list them from a set
    del result.opset_import[:]
    result.opset_import.extend(opsets)
    onnx.helper.set_model_props(result, {key: json.dumps(value) for key, value in sorted(properties.items())})
    onnx.checker.check_model(result)
    return result


def save(model: onnx.ModelProto, path: Path) -> None:
    """Writes the model in the deterministic form of its serialization."""
    path.write_bytes(model.SerializeToString(deterministic=True))


class Session:
    """A model in ONNX Runtime that runs on this many threads."""

    __slots__ = ("_session",)

    def __init__(self, model: bytes | Path, *, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        source = str(model) if isinstance(model, Path) else model
        self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])

    def run(self, output: str, **inputs: NDArray[Any]) -> NDArray[Any]:
        """Gives the one output named."""
        result: NDArray[Any] = self._session.run([output], inputs)[0]
        return result
