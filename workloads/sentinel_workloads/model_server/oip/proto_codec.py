"""Inference requests and answers as protobuf, with tensors as raw bytes or as typed contents."""

from __future__ import annotations

import numpy as np

from sentinel_workloads.model_server.oip import oip_pb2 as pb
from sentinel_workloads.model_server.oip.datatypes import (
    BYTES,
    Array,
    Datatype,
    datatype_of,
    from_raw,
    strings,
    to_raw,
    utf8,
)
from sentinel_workloads.model_server.oip.tensors import Inference, Signature, Wanted, refuse_unsupported
from sentinel_workloads.model_server.refusal import invalid


def decode(request: pb.ModelInferRequest, signature: Signature) -> Inference:
    """Reads a request."""
    if request.parameters:
        refuse_unsupported(request.parameters, field="request")
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise invalid(
            f"{len(request.inputs)} inputs are described, the contents of {len(raw)} came", field="raw_input_contents"
        )
    feeds: dict[str, Array] = {}
    for index, entry in enumerate(request.inputs):
        field = f"inputs[{index}]"
        spec = signature.spec(entry.name, entry.datatype, field=field)
        if spec.name in feeds:
            raise invalid(f"input {spec.name!r} comes twice", field=field)
        if entry.parameters:
            refuse_unsupported(entry.parameters, field=field)
        if raw:
            array = from_raw(raw[index], spec.datatype, field=f"raw_input_contents[{index}]")
        else:
            array = _typed(entry.contents, spec.datatype, field=f"{field}.contents")
        feeds[spec.name] = signature.shaped(array, spec, list(entry.shape), field=field)
    return Inference(
        id=request.id,
        feeds=feeds,
        rows=signature.rows(feeds),
        key=signature.key(feeds),
        wanted=_wanted(request, signature),
        raw=bool(raw),
    )


def encode(
    inference: Inference, outputs: list[Array], signature: Signature, *, name: str, version: str
) -> pb.ModelInferResponse:
    """Gives the answer, with tensors as they came: raw for raw, typed for typed."""
    response = pb.ModelInferResponse(model_name=name, model_version=version, id=inference.id)
    for wanted in inference.wanted:
        array = outputs[wanted.index]
        datatype = datatype_of(array)
        entry = response.outputs.add(
            name=signature.outputs[wanted.index].name, datatype=datatype.name, shape=array.shape
        )
        if inference.raw or not datatype.contents:
            response.raw_output_contents.append(to_raw(array))
        else:
            elements = utf8(array) if datatype is BYTES else array.ravel().tolist()
            getattr(entry.contents, datatype.contents).extend(elements)
    return response


def _typed(contents: pb.InferTensorContents, datatype: Datatype, *, field: str) -> Array:
    if not datatype.contents:
        raise invalid(f"{datatype.name} can only come in raw_input_contents", field=field)
    elements = getattr(contents, datatype.contents)
    if datatype is BYTES:
        return strings(elements, field=field)
    try:
        return np.array(elements, datatype.numpy)
    except OverflowError:
        raise invalid(f"an element is out of the range of {datatype.name}", field=field) from None


def _wanted(request: pb.ModelInferRequest, signature: Signature) -> tuple[Wanted, ...]:
    if not request.outputs:
        return signature.every(binary=True)
    wanted = []
    for index, entry in enumerate(request.outputs):
        field = f"outputs[{index}]"
        if entry.parameters:
            refuse_unsupported(entry.parameters, field=field)
        wanted.append(Wanted(signature.position(entry.name, field=f"{field}.name"), binary=True))
    return tuple(wanted)
