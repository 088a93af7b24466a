"""Open Inference Protocol over JSON and bytes: what fits comes through unchanged, what does not names its field."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sentinel_workloads.model_server.model.graph import Graph, TensorSpec
from sentinel_workloads.model_server.oip.datatypes import BY_NAME, DATATYPES, from_raw, to_raw
from sentinel_workloads.model_server.oip.json_codec import decode, encode
from sentinel_workloads.model_server.oip.tensors import Signature
from sentinel_workloads.model_server.refusal import Refusal

NUMERIC = [datatype for datatype in DATATYPES if datatype.name != "BYTES"]


def signature(*inputs: tuple[str, str, tuple], outputs=None, batches: bool = True, max_rows: int = 64) -> Signature:
    """A model that takes these, and gives the same back."""
    specs = tuple(TensorSpec(name, BY_NAME[kind], shape) for name, kind, shape in inputs)
    return Signature(Graph(specs, specs if outputs is None else outputs), batches=batches, max_rows=max_rows)


def request(**changes: Any) -> dict[str, Any]:
    """A request of two rows for a model that takes x FP32 [-1, 2]."""
    tensor = {"name": "x", "datatype": "FP32", "shape": [2, 2], "data": [1, 2, 3, 4.5]}
    return {"inputs": [{**tensor, **changes}]}


X = signature(("x", "FP32", (None, 2)))


@st.composite
def tensors(draw):
    """An array of any datatype and of up to three dimensions."""
    datatype = draw(st.sampled_from(DATATYPES))
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4))
    if datatype.name == "BYTES":
        size = int(np.prod(shape))
        flat = np.empty(size, object)
        flat[:] = draw(st.lists(st.text(max_size=5), min_size=size, max_size=size))
        return datatype, flat.reshape(shape)
    return datatype, draw(hnp.arrays(datatype.numpy, shape))


@given(tensors())
def test_bytes_come_back_as_they_were(drawn):
    datatype, array = drawn
    back = from_raw(to_raw(array), datatype, field="x").reshape(array.shape)
    assert back.dtype == array.dtype
    assert back.tobytes() == array.tobytes() if datatype.name != "BYTES" else (back == array).all()


@given(tensors(), st.booleans(), st.text(max_size=8))
def test_a_tensor_as_bytes_behind_json_comes_through(drawn, binary_answer: bool, name: str):
    datatype, array = drawn
    model = signature(("a", datatype.name, (None,) * array.ndim))
    raw = to_raw(array)
    header = json.dumps(
        {
            "id": name,
            "parameters": {"binary_data_output": binary_answer},
            "inputs": [
                {
                    "name": "a",
                    "datatype": datatype.name,
                    "shape": list(array.shape),
                    "parameters": {"binary_data_size": len(raw)},
                }
            ],
        }
    ).encode()
    inference = decode(header + raw, str(len(header)).encode(), model)
    assert to_raw(inference.feeds["a"]) == raw
    assert inference.rows == array.shape[0]
    body, length = encode(inference, [inference.feeds["a"]], model, model={"model_name": "m"})
    answer = json.loads(body[: length or len(body)])
    assert answer.get("id", "") == name
    assert answer["outputs"][0]["shape"] == list(array.shape)
    if binary_answer:
        assert body[length:] == raw


@given(st.sampled_from([d for d in NUMERIC if d.name != "BOOL"]), st.data())
def test_numbers_as_json_come_through(datatype, data):
    finite = {"allow_nan": False, "allow_infinity": False} if datatype.numpy.kind == "f" else {}
    array = data.draw(hnp.arrays(datatype.numpy, (2, 2), elements=hnp.from_dtype(datatype.numpy, **finite)))
    model = signature(("a", datatype.name, (None, 2)))
    tensor = {"name": "a", "datatype": datatype.name, "shape": [2, 2], "data": array.tolist()}
    inference = decode(json.dumps({"inputs": [tensor]}).encode(), None, model)
    assert inference.feeds["a"].tobytes() == array.tobytes()


REFUSED = {
    "no object": ([], "", "must be a JSON object"),
    "no inputs": ({}, "inputs", "must be a list"),
    "an input that is none": ({"inputs": [3]}, "inputs[0]", "must be an object"),
    "an unknown input": (request(name="y"), "inputs[0].name", "no input 'y'; it takes x"),
    "another datatype": (request(datatype="INT64"), "inputs[0].datatype", "is FP32, not INT64"),
    "too few dimensions": (request(shape=[4]), "inputs[0].shape", "takes shape [-1, 2]"),
    "another width": (request(shape=[1, 4]), "inputs[0].shape", "takes shape [-1, 2]"),
    "a negative size": (request(shape=[-1, 2]), "inputs[0].shape", "list of sizes"),
    "a size that is true": (request(shape=[True, 2]), "inputs[0].shape", "list of sizes"),
    "a huge shape": (request(shape=[2**62, 2]), "inputs[0].shape", "4 came"),
    "too few elements": (request(data=[1, 2, 3]), "inputs[0].shape", "holds 4 elements, 3 came"),
    "no rows": (request(shape=[0, 2], data=[]), "inputs", "at least one row"),
    "too many rows": (request(shape=[65, 2], data=[0.5] * 130), "inputs[0].shape", "more than the limit of 64"),
    "no data": (request(data=None), "inputs[0].data", "must be a list"),
    "text for a number": (request(data=[1, 2, 3, "4"]), "inputs[0].data", "not FP32"),
    "true for a number": (request(data=[1, 2, 3, True]), "inputs[0].data", "not FP32"),
    "null for a number": (request(data=[1, 2, 3, None]), "inputs[0].data", "not FP32"),
    "lists beside numbers": (request(data=[[1, 2], 3, 4]), "inputs[0].data", "not FP32"),
    "a number beyond the type": (request(data=[1, 2, 3, 1e39]), "inputs[0].data", "out of the range"),
    "the same input twice": ({"inputs": request()["inputs"] * 2}, "inputs[1]", "comes twice"),
    "a missing input": ({"inputs": []}, "inputs", "'x' is missing"),
    "bytes that did not come": (
        request(parameters={"binary_data_size": 16}),
        "inputs[0].parameters.binary_data_size",
        "within the body",
    ),
    "shared memory": (request(parameters={"shared_memory_region": "r"}), "inputs[0].parameters", "not supported"),
    "an unknown output": ({**request(), "outputs": [{"name": "z"}]}, "outputs[0].name", "no output 'z'"),
    "a class instead of a tensor": (
        {**request(), "outputs": [{"name": "x", "parameters": {"classification": 2}}]},
        "outputs[0].parameters",
        "not supported",
    ),
}


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@pytest.mark.parametrize(("body", "field", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_what_does_not_fit_is_refused_with_the_field(body, field: str, says: str):
    with pytest.raises(Refusal) as refused:
        decode(json.dumps(body).encode(), None, X)
    assert refused.value.cause.status == 400
    assert refused.value.field == field
    assert says in refused.value.message


@pytest.mark.parametrize("length", [b"x", b"-1", b"99999", b"9" * 5000, b"", "²".encode()])
def test_a_wrong_length_of_the_json_is_refused(length: bytes):
    with pytest.raises(Refusal, match="within the body"):
        decode(json.dumps(request()).encode(), length, X)


@given(st.binary(max_size=80), st.one_of(st.none(), st.integers(0, 90)))
def test_arbitrary_bytes_are_refused_and_nothing_else(body: bytes, length: int | None):
    with pytest.raises(Refusal):
        decode(body, None if length is None else str(length).encode(), X)


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
        max_leaves=12,
    ),
    st.sampled_from(["name", "datatype", "shape", "data", "parameters"]),
)
def test_arbitrary_json_in_any_member_is_taken_or_refused(value: Any, member: str):
    body = json.dumps(request(**{member: value}), allow_nan=False, default=str) if _is_json(value) else "{}"
    with suppress(Refusal):
        assert decode(body.encode(), None, X).feeds["x"].shape == (2, 2)


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False).encode()
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    "raw",
    [b"\x01", struct.pack("<I", 9) + b"abc", struct.pack("<I", 2) + b"\xff\xfe", b"\xff\xff\xff\xff"],
    ids=["cut length", "cut text", "not UTF-8", "huge length"],
)
def test_broken_strings_are_refused(raw: bytes):
    with pytest.raises(Refusal):
        from_raw(raw, BY_NAME["BYTES"], field="x")


def test_bytes_that_belong_to_no_input_are_refused():
    header = json.dumps(request()).encode()
    with pytest.raises(Refusal, match="4 bytes belong to no input"):
        decode(header + b"1234", str(len(header)).encode(), X)


def test_inputs_with_different_numbers_of_rows_are_refused_only_where_rows_are_what_they_share():
    two = ("a", "FP32", (None,)), ("b", "FP32", (None,))
    tensors_ = [
        {"name": "a", "datatype": "FP32", "shape": [1], "data": [1]},
        {"name": "b", "datatype": "FP32", "shape": [2], "data": [1, 2]},
    ]
    body = json.dumps({"inputs": tensors_}).encode()
    with pytest.raises(Refusal, match="different numbers of rows"):
        decode(body, None, signature(*two))
    assert decode(body, None, signature(*two, batches=False)).feeds["b"].shape == (2,)
