"""Open Inference Protocol over protobuf: generated from the source, the same on the wire as others' stubs."""

from __future__ import annotations

import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as theirs

from sentinel_workloads.model_server.model.graph import Graph, TensorSpec
from sentinel_workloads.model_server.oip import oip_pb2 as ours
from sentinel_workloads.model_server.oip.datatypes import DATATYPES, to_raw
from sentinel_workloads.model_server.oip.proto_codec import decode, encode
from sentinel_workloads.model_server.oip.tensors import Signature
from sentinel_workloads.model_server.refusal import Refusal

VALUES = {
    "BOOL": [True, False],
    "BYTES": ["é", ""],
    **{f"UINT{bits}": [0, 2**bits - 1] for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": [-(2 ** (bits - 1)), 7] for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": [0.5, -2] for bits in (16, 32, 64)},
}


def signature(datatype) -> Signature:
    spec = (TensorSpec("a", datatype, (None,)),)
    return Signature(Graph(spec, spec), batches=True, max_rows=8)


def test_our_messages_are_theirs_on_the_wire():
    def shape(message):
        fields = {(field.name, field.number, field.type) for field in message.fields}
        return fields | {(nested.name, *inner) for nested in message.nested_types for inner in shape(nested)}

    for name, message in ours.DESCRIPTOR.message_types_by_name.items():
        if name in theirs.DESCRIPTOR.message_types_by_name:
            assert shape(message) == shape(theirs.DESCRIPTOR.message_types_by_name[name]), name


@pytest.mark.parametrize("datatype", DATATYPES, ids=lambda datatype: datatype.name)
@pytest.mark.parametrize("raw", [True, False], ids=["raw", "typed"])
def test_every_datatype_comes_through_either_way(datatype, raw: bool):
    if not raw and not datatype.contents:
        return  # FP16 has no typed contents in the protocol.
    values = VALUES[datatype.name]
    array = np.array(values, datatype.numpy)
    request = theirs.ModelInferRequest(model_name="m", id="7")
    tensor = request.inputs.add(name="a", datatype=datatype.name, shape=[2])
    if raw:
        request.raw_input_contents.append(to_raw(array))
    else:
        elements = [value.encode() for value in values] if datatype.name == "BYTES" else values
        getattr(tensor.contents, datatype.contents).extend(elements)
    inference = decode(ours.ModelInferRequest.FromString(request.SerializeToString()), signature(datatype))
    assert inference.feeds["a"].tolist() == array.tolist()
    response = encode(inference, [inference.feeds["a"]], signature(datatype), name="m", version="1")
    read = theirs.ModelInferResponse.FromString(response.SerializeToString())
    assert (read.id, read.model_version, read.outputs[0].datatype) == ("7", "1", datatype.name)
    assert bool(read.raw_output_contents) is raw
    if raw:
        assert read.raw_output_contents[0] == to_raw(array)


FP32 = next(datatype for datatype in DATATYPES if datatype.name == "FP32")
INT8 = next(datatype for datatype in DATATYPES if datatype.name == "INT8")


def a_request(**changes):
    request = ours.ModelInferRequest()
    request.inputs.add(**{"name": "a", "datatype": "FP32", "shape": [1], **changes})
    return request


def with_raw(request, *contents: bytes):
    request.raw_input_contents.extend(contents)
    return request


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (a_request(name="b"), "inputs[0].name"),
        (a_request(datatype="FP64"), "inputs[0].datatype"),
        (a_request(), "inputs[0].shape"),
        (a_request(shape=[-1]), "inputs[0].shape"),
        (with_raw(a_request(), b"1234", b"5678"), "raw_input_contents"),
        (with_raw(a_request(), b"123"), "raw_input_contents[0]"),
        (with_raw(a_request(shape=[2]), b"1234"), "inputs[0].shape"),
        (ours.ModelInferRequest(), "inputs"),
    ],
    ids=["name", "datatype", "no contents", "negative", "more contents", "a part", "too few", "no inputs"],
)
def test_what_does_not_fit_is_refused_with_the_field(request_, field: str):
    with pytest.raises(Refusal) as refused:
        decode(request_, signature(FP32))
    assert refused.value.field == field


def test_an_element_beyond_its_type_is_refused():
    request = ours.ModelInferRequest()
    request.inputs.add(name="a", datatype="INT8", shape=[1]).contents.int_contents.append(300)
    with pytest.raises(Refusal, match="out of the range of INT8"):
        decode(request, signature(INT8))
