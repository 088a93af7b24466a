"""KServe's server for the benchmark's model. MODEL is the ONNX file, PORT where to listen."""

from __future__ import annotations

import logging
import os

import onnxruntime
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer

DATATYPES = {"i": "INT64", "f": "FP32", "O": "BYTES"}


class OnnxModel(Model):
    """Runs the model in the server's process."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(os.environ["MODEL"], options)
        self._outputs = self._session.get_outputs()
        self.ready = True

    def predict(self, payload: InferRequest, headers=None, response_headers=None) -> InferResponse:  # noqa: ARG002
        tensor = payload.inputs[0]
        arrays = self._session.run(None, {tensor.name: tensor.as_numpy()})
        outputs = []
        for spec, array in zip(self._outputs, arrays, strict=True):
            output = InferOutput(spec.name, list(array.shape), DATATYPES[array.dtype.kind])
            output.set_data_from_numpy(array, binary_data=False)
            outputs.append(output)
        return InferResponse(response_id=payload.id or "", model_name=self.name, infer_outputs=outputs)


if __name__ == "__main__":
    logging.disable(logging.INFO)  # Two lines for each request otherwise.
    port = int(os.environ["PORT"])
    server = ModelServer(http_port=port, enable_grpc=False, workers=1, access_log_format=None, enable_docs_url=False)
    server.start([OnnxModel("model")])
