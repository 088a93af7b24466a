"""LitServe's server for the benchmark's model. MODEL is the ONNX file, PORT where to listen."""

from __future__ import annotations

import os

import litserve
import numpy as np
import onnxruntime

PATH = "/v2/models/model/infer"
DATATYPES = {"i": "INT64", "f": "FP32", "O": "BYTES"}


class OnnxApi(litserve.LitAPI):
    """Reads and writes the Open Inference Protocol's JSON."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(os.environ["MODEL"], options)
        self._outputs = [output.name for output in self._session.get_outputs()]

    def decode_request(self, request: dict) -> dict:
        tensor = request["inputs"][0]
        return {tensor["name"]: np.array(tensor["data"], np.float32).reshape(tensor["shape"])}

    def predict(self, feeds: dict) -> list:
        return self._session.run(self._outputs, feeds)

    def encode_response(self, arrays: list) -> dict:
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


if __name__ == "__main__":
    server = litserve.LitServer(OnnxApi(api_path=PATH), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )
