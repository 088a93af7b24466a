"""Named features: every one present, none unknown, each of its type and finite."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_operator.api.sentrymodel import Feature
from sentinel_workloads.model_server.model.encoded import checked
from sentinel_workloads.model_server.model.features import FeatureEncoder
from sentinel_workloads.model_server.model.graph import Graph, TensorSpec
from sentinel_workloads.model_server.oip.datatypes import BY_NAME
from sentinel_workloads.model_server.refusal import Refusal

MATRIX = FeatureEncoder(
    (Feature(name="size"), Feature(name="age"), Feature(name="speed")),
    Graph((TensorSpec("x", BY_NAME["FP32"], (None, 3)),), ()),
    max_rows=4,
)
COLUMNS = FeatureEncoder(
    tuple(Feature(name=name, dtype=name) for name in ("int32", "int64", "bool", "string", "float64")),
    Graph(
        (
            TensorSpec("float64", BY_NAME["FP64"], (None, 1)),
            TensorSpec("string", BY_NAME["BYTES"], (None,)),
            TensorSpec("bool", BY_NAME["BOOL"], (None, 1)),
            TensorSpec("int64", BY_NAME["INT64"], (None, 1)),
            TensorSpec("int32", BY_NAME["INT32"], (None, 1)),
        ),
        (),
    ),
    max_rows=4,
)
ROW = {"size": 1, "age": 2.5, "speed": -3}
MIXED = {"int32": 7, "int64": -8, "bool": True, "string": "é", "float64": 0.5}


def test_a_matrix_has_the_features_in_the_schemas_order():
    encoded = MATRIX.encode({"features": {"speed": -3, "size": 1, "age": 2.5}})
    assert encoded.feeds["x"].tolist() == [[1, 2.5, -3]]
    assert encoded.feeds["x"].dtype == np.float32
    assert (encoded.rows, encoded.single) == (1, True)
    several = MATRIX.encode({"instances": [ROW, ROW]})
    assert (several.feeds["x"].shape, several.rows, several.single) == ((2, 3), 2, False)


def test_columns_have_each_their_type():
    feeds = COLUMNS.encode({"instances": [MIXED, MIXED]}).feeds
    assert {name: (array.dtype.name, array.shape) for name, array in feeds.items()} == {
        "int32": ("int32", (2, 1)),
        "int64": ("int64", (2, 1)),
        "bool": ("bool", (2, 1)),
        "string": ("object", (2,)),
        "float64": ("float64", (2, 1)),
    }


REFUSED = {
    "nothing": (MATRIX, {}, "features", "'features' is required"),
    "both ways": (MATRIX, {"features": ROW, "instances": [ROW]}, "instances", "not both"),
    "no list": (MATRIX, {"instances": ROW}, "instances", "must be a list"),
    "an empty list": (MATRIX, {"instances": []}, "instances", "at least one"),
    "too many": (MATRIX, {"instances": [ROW] * 5}, "instances", "holds 5 instances, the limit is 4"),
    "no object": (MATRIX, {"features": [1, 2, 3]}, "features", "must be an object"),
    "no object in a list": (MATRIX, {"instances": [ROW, 3]}, "instances[1]", "must be an object"),
    "one missing": (MATRIX, {"features": {"size": 1, "age": 2}}, "features.speed", "'speed' is missing"),
    "more missing": (MATRIX, {"features": {"age": 2}}, "features.size", "'size' is missing (and 1 more)"),
    "one unknown": (MATRIX, {"features": {**ROW, "agee": 1}}, "features.agee", "no feature 'agee'"),
    "unknown in a list": (MATRIX, {"instances": [ROW, {**ROW, "z": 1}]}, "instances[1].z", "no feature 'z'"),
    "text for a number": (MATRIX, {"features": {**ROW, "age": "2"}}, "features.age", "must be a number, not a string"),
    "null for a number": (MATRIX, {"features": {**ROW, "age": None}}, "features.age", "not null"),
    "true for a number": (MATRIX, {"features": {**ROW, "age": True}}, "features.age", "not a boolean"),
    "a list for a number": (MATRIX, {"features": {**ROW, "age": [2]}}, "features.age", "not a list"),
    "not a number": (MATRIX, {"features": {**ROW, "age": float("nan")}}, "features.age", "out of the range"),
    "infinity": (
        MATRIX,
        {"instances": [ROW, {**ROW, "speed": float("-inf")}]},
        "instances[1].speed",
        "out of the range",
    ),
    "too large for its type": (
        MATRIX,
        {"features": {**ROW, "size": 1e39}},
        "features.size",
        "out of the range of FP32",
    ),
    "far too large": (MATRIX, {"features": {**ROW, "size": 10**400}}, "features.size", "out of the range"),
    "a fraction for an integer": (
        COLUMNS,
        {"features": {**MIXED, "int64": 1.0}},
        "features.int64",
        "must be an integer",
    ),
    "an integer beyond 32 bits": (COLUMNS, {"features": {**MIXED, "int32": 2**31}}, "features.int32", "range of INT32"),
    "1 for true": (COLUMNS, {"features": {**MIXED, "bool": 1}}, "features.bool", "must be true or false"),
    "a number for text": (COLUMNS, {"features": {**MIXED, "string": 1}}, "features.string", "must be a string"),
    "an unknown member": (MATRIX, {"features": ROW, "text": "hi"}, "text", "unknown member 'text'"),
    "a flag that is none": (MATRIX, {"features": ROW, "probabilities": 1}, "probabilities", "true or false"),
}


@pytest.mark.parametrize(("encoder", "body", "field", "says"), REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_what_is_wrong_is_refused_with_the_field(encoder: FeatureEncoder, body, field: str, says: str):
    with pytest.raises(Refusal) as refused:
        encoder.encode(checked(body, encoder))
    assert refused.value.cause.status == 400
    assert refused.value.field == field
    assert says in refused.value.message


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)


@given(st.dictionaries(st.sampled_from(["size", "age", "speed", "other"]), SCALARS))
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_whatever_is_taken_is_finite_and_in_order(features):
    good = set(features) == {"size", "age", "speed"} and all(
        type(value) in (int, float) and abs(value) < 3.4e38 for value in features.values()
    )
    if not good:
        with pytest.raises(Refusal) as refused:
            MATRIX.encode({"features": features})
        assert refused.value.field.startswith("features")
        return
    array = MATRIX.encode({"features": features}).feeds["x"]
    assert np.isfinite(array).all()
    assert array[0] == pytest.approx([features[name] for name in ("size", "age", "speed")], rel=1e-6, abs=1e-37)
