"""BentoML's service for the benchmark's model. MODEL is the ONNX file."""

from __future__ import annotations

import os
from typing import Any

import bentoml
import numpy as np
import onnxruntime

DATATYPES = {"i": "INT64", "f": "FP32", "O": "BYTES"}


@bentoml.service(workers=1, traffic={"concurrency": 64}, logging={"access": {"enabled": False}})
class Onnx:
    """Reads and writes the Open Inference Protocol's JSON."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(os.environ["MODEL"], options)
        self._outputs = [output.name for output in self._session.get_outputs()]

    @bentoml.api(route="/v2/models/model/infer")
    async def infer(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        tensor = inputs[0]
        data = np.array(tensor["data"], np.float32).reshape(tensor["shape"])
        arrays = self._session.run(self._outputs, {tensor["name"]: data})
        outputs = [
            {
                "name": name,
                "shape": list(array.shape),
                "datatype": DATATYPES[array.dtype.kind],
                "data": array.ravel().tolist(),
            }
            for name, array in zip(self._outputs, arrays, strict=True)
        ]
        return {"model_name": "model", "outputs": outputs}
