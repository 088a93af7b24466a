"""LightGBM to ONNX: input `features` float32 [N, F], outputs `label` string [N] and `probabilities` float32 [N, L]."""

from __future__ import annotations

import copy

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
    exact = _with_float32_thresholds(classifier)
    columns = [("features", FloatTensorType([None, len(features)]))]
    model = convert_lightgbm(exact, name=name, initial_types=columns, target_opset=OPSET, zipmap=False)
    for value, size in ((model.graph.input[0], len(features)), (model.graph.output[1], len(labels))):
        shape = onnx.helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, ["N", size])
        value.type.CopyFrom(shape)
    return canonical(model, name=name, properties={"features": list(features), "labels": list(labels)})


def _with_float32_thresholds(classifier: lightgbm.LGBMClassifier) -> lightgbm.LGBMClassifier:
    """Gives the same classifier with every threshold rounded down to a float32, which decides no float32 differently.

    The converter rounds to the nearest, and a threshold rounded up to the next value lets that value pass `<=`.
    """
    booster = classifier.booster_
    lines = [line for line in booster.model_to_string().splitlines() if not line.startswith("tree_sizes=")]
    lines = [_rounded_down(line) if line.startswith("threshold=") else line for line in lines]
    result = copy.copy(classifier)
    result._Booster = lightgbm.Booster(model_str="\n".join(lines))
    return result


def _rounded_down(line: str) -> str:
    name, values = line.split("=", 1)
    exact = np.array(values.split(), np.float64)
    near = exact.astype(np.float32)
    down = np.where(near > exact, np.nextafter(near, np.float32(-np.inf)), near)
    return f"{name}={' '.join(repr(float(value)) for value in down)}"


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
