"""LightGBM to ONNX: input `features` float32 [N, F], outputs `label` string [N] and `probabilities` float32 [N, L]."""

from __future__ import annotations

import lightgbm
import numpy as np
import onnx
from numpy.typing import NDArray
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

from demo.models.graph import Session, canonical

OPSET = 15
"""The newest that the converter knows."""
TOLERANCE = 1e-5
"""Largest difference of a probability that float32 in place of float64 may make."""


class ParityError(Exception):
    """The exported graph does not answer as the model that it was made from."""


def export_classifier(
    classifier: lightgbm.LGBMClassifier, *, name: str, features: tuple[str, ...], labels: tuple[str, ...]
) -> onnx.ModelProto:
    """Gives the classifier as a canonical graph that carries its feature and label names."""
    columns = [("features", FloatTensorType([None, len(features)]))]
    model = convert_lightgbm(classifier, name=name, initial_types=columns, target_opset=OPSET, zipmap=False)
    for value, size in ((model.graph.input[0], len(features)), (model.graph.output[1], len(labels))):
        shape = onnx.helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, ["N", size])
        value.type.CopyFrom(shape)
    return canonical(model, name=name, properties={"features": list(features), "labels": list(labels)})


def check_parity(
    model: onnx.ModelProto, classifier: lightgbm.LGBMClassifier, rows: NDArray[np.float32], labels: tuple[str, ...]
) -> float:
    """Gives the largest difference of a probability; raises ParityError when it is too large or a label differs."""
    session = Session(model.SerializeToString())
    expected = np.asarray(classifier.predict_proba(rows))
    probabilities = session.run("probabilities", features=rows)
    worst = float(np.abs(probabilities - expected).max())
    if worst > TOLERANCE:
        raise ParityError(f"a probability differs by {worst:.2e}, more than {TOLERANCE:.0e}")
    if not np.array_equal(session.run("label", features=rows), np.asarray(labels)[expected.argmax(axis=1)]):
        raise ParityError("a label differs")
    return worst
