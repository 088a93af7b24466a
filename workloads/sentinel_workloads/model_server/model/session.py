"""The ONNX model in memory; runs on whole batches, from any thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from sentinel_operator.api.serving import ExitCode
from sentinel_workloads.model_server.model.graph import Declared, Dim, Graph, TensorSpec
from sentinel_workloads.model_server.model.inspect import Inspection, inspect
from sentinel_workloads.model_server.oip.datatypes import BY_ONNX, Array
from sentinel_workloads.model_server.refusal import Cause, Refusal
from sentinel_workloads.model_server.unservable import Unservable

ACCELERATORS = ("CUDAExecutionProvider",)
CPU = "CPUExecutionProvider"
Inspecting = Callable[[Path], Inspection]
FATAL_ONLY = 4
"""onnxruntime's log level: its errors reach us as exceptions, and it would log what was in a request."""


class Session:
    """A loaded model. `graph` is what it takes and gives; `run` may be called from several threads at once."""

    def __init__(self, session: onnxruntime.InferenceSession, declared: Declared) -> None:
        self._session = session
        self.graph = Graph(
            inputs=tuple(_spec(value) for value in session.get_inputs()),
            outputs=tuple(_spec(value) for value in session.get_outputs()),
            declared=declared,
        )
        self._names = [spec.name for spec in self.graph.outputs]

    def close(self) -> None:
        """Frees the model's memory, once no run is under way."""
        del self._session

    def run(self, feeds: dict[str, Array]) -> list[Array]:
        """Gives the outputs in the graph's order; a failure is the request's where the runtime blames its input."""
        try:
            outputs: list[Array] = self._session.run(self._names, feeds)
        except ort_errors.InvalidArgument as error:
            raise Refusal(Cause.INVALID, f"the model does not take this input: {_reason(error)}") from error
        except Exception as error:  # the runtime's errors share no base class
            raise Refusal(Cause.FAILED, f"the model failed: {_reason(error)}") from error
        return outputs


def load(path: Path, *, threads: int, inspecting: Inspecting = inspect) -> Session:
    """Loads the model on an accelerator where there is one, else on the CPU with this many threads."""
    inspection = inspecting(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = FATAL_ONLY
    # Spinning threads burn a container's CPU quota and get it throttled.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    available = onnxruntime.get_available_providers()
    providers = [name for name in ACCELERATORS if name in available] + [CPU]
    try:
        session = onnxruntime.InferenceSession(inspection.rewritten or str(path), options, providers=providers)
    except Exception as error:  # the runtime's errors share no base class
        raise Unservable(
            ExitCode.ModelUnreadable, f"{path.name} cannot be loaded: {_reason(error)}", field="spec.model.source"
        ) from error
    return Session(session, inspection.declared)


def blank(spec: TensorSpec, *, rows: int) -> Array:
    """Makes an input of zeros (or empty strings) with this many rows, 1 wherever else any size will do."""
    shape = tuple(
        rows if position == 0 and dim is None else 1 if dim is None else dim for position, dim in enumerate(spec.shape)
    )
    return np.full(shape, "", np.object_) if spec.datatype.name == "BYTES" else np.zeros(shape, spec.datatype.numpy)


def _spec(value: onnxruntime.NodeArg) -> TensorSpec:
    datatype = BY_ONNX.get(value.type)
    if datatype is None:
        raise Unservable(
            ExitCode.ModelUnreadable,
            f"{value.name!r} of the model is a {value.type}, which cannot be served",
            field="spec.model.source",
        )
    return TensorSpec(value.name, datatype, tuple(_dim(dim) for dim in value.shape))


def _dim(dim: object) -> Dim:
    return dim if isinstance(dim, int) and dim >= 0 else None


def _reason(error: Exception) -> str:
    """Cuts onnxruntime's preamble (`[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : …`) and what no user can use."""
    return str(error).strip().rsplit(" : ", 1)[-1][:500]
