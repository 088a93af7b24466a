"""Inference requests and answers as JSON, with or without tensors as bytes behind it."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import orjson

from sentinel_workloads.model_server.oip.datatypes import BYTES, Array, Datatype, from_raw, strings, to_raw, utf8
from sentinel_workloads.model_server.oip.tensors import Inference, Signature, Wanted, describe, refuse_unsupported
from sentinel_workloads.model_server.refusal import Refusal, invalid

HEADER_LENGTH = b"inference-header-content-length"


def decode(body: bytes, header_length: bytes | None, signature: Signature) -> Inference:
    """Reads a request; `header_length` is the length of the JSON when bytes follow it."""
    text, raw = _parts(body, header_length)
    try:
        request = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise invalid(f"the body is not JSON: {error}") from None
    if not isinstance(request, dict):
        raise invalid("the body must be a JSON object")
    parameters = _parameters(request, field="request")
    if parameters:
        refuse_unsupported(parameters, field="request")
    feeds = _inputs(request.get("inputs"), raw, signature)
    return Inference(
        id=str(request.get("id", "")),
        feeds=feeds,
        rows=signature.rows(feeds),
        key=signature.key(feeds),
        wanted=_wanted(request.get("outputs"), signature, binary=parameters.get("binary_data_output") is True),
    )


def encode(
    inference: Inference, outputs: list[Array], signature: Signature, *, model: dict[str, str]
) -> tuple[bytes, int | None]:
    """Gives the answer's body, and the length of its JSON when bytes follow it."""
    described: list[dict[str, Any]] = []
    binaries: list[bytes] = []
    for wanted in inference.wanted:
        array = outputs[wanted.index]
        datatype, shape = describe(array)
        entry: dict[str, Any] = {"name": signature.outputs[wanted.index].name, "datatype": datatype, "shape": shape}
        if wanted.binary:
            raw = to_raw(array)
            binaries.append(raw)
            entry["parameters"] = {"binary_data_size": len(raw)}
        else:
            entry["data"] = _json_data(array)
        described.append(entry)
    answer: dict[str, Any] = {**model, "outputs": described}
    if inference.id:
        answer["id"] = inference.id
    text = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    return (b"".join((text, *binaries)), len(text)) if binaries else (text, None)


def _parts(body: bytes, header_length: bytes | None) -> tuple[bytes | memoryview, memoryview]:
    if header_length is None:
        return body, memoryview(b"")
    if not header_length.isdigit() or len(header_length) > len(str(len(body))) or int(header_length) > len(body):
        raise invalid("it must be a length within the body", field="Inference-Header-Content-Length")
    length = int(header_length)
    return memoryview(body)[:length], memoryview(body)[length:]


def _parameters(entry: dict[str, Any], *, field: str) -> dict[str, Any]:
    parameters = entry.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise invalid("parameters must be an object", field=f"{field}.parameters")
    return parameters


def _inputs(entries: Any, raw: memoryview, signature: Signature) -> dict[str, Array]:
    if not isinstance(entries, list):
        raise invalid("inputs must be a list", field="inputs")
    feeds: dict[str, Array] = {}
    position = 0
    for index, entry in enumerate(entries):
        field = f"inputs[{index}]"
        if not isinstance(entry, dict):
            raise invalid("an input must be an object", field=field)
        spec = signature.spec(entry.get("name"), entry.get("datatype"), field=field)
        if spec.name in feeds:
            raise invalid(f"input {spec.name!r} comes twice", field=field)
        parameters = _parameters(entry, field=field)
        refuse_unsupported(parameters, field=field)
        size = parameters.get("binary_data_size")
        if size is None:
            array = _from_json(entry.get("data"), spec.datatype, field=f"{field}.data")
        else:
            if type(size) is not int or size < 0 or position + size > len(raw):
                raise invalid("it must be a length within the body", field=f"{field}.parameters.binary_data_size")
            array = from_raw(raw[position : position + size], spec.datatype, field=field)
            position += size
        feeds[spec.name] = signature.shaped(array, spec, entry.get("shape"), field=field)
    if position != len(raw):
        raise invalid(f"{len(raw) - position} bytes belong to no input", field="inputs")
    return feeds


def _from_json(data: Any, datatype: Datatype, *, field: str) -> Array:
    """Reads elements, flat or nested. A value of another type is refused, never turned into a number."""
    if not isinstance(data, list):
        raise invalid("data must be a list", field=field)
    types = set(map(type, data))
    while types == {list}:
        data = list(chain.from_iterable(data))
        types = set(map(type, data))
    if not types <= datatype.json_types:
        raise invalid(f"an element is not {datatype.name}", field=field)
    if datatype is BYTES:
        return strings((text.encode() for text in data), field=field)
    try:
        array: Array = np.array(data, datatype.numpy)
    except OverflowError:
        raise _out_of_range(datatype, field) from None
    if datatype.suspects(data) and not np.isfinite(array).all():
        raise _out_of_range(datatype, field)  # JSON has no infinity: the cast made it.
    return array


def _out_of_range(datatype: Datatype, field: str) -> Refusal:
    return invalid(f"an element is out of the range of {datatype.name}", field=field)


def _wanted(entries: Any, signature: Signature, *, binary: bool) -> tuple[Wanted, ...]:
    if not entries:
        return signature.every(binary=binary)
    if not isinstance(entries, list):
        raise invalid("outputs must be a list", field="outputs")
    wanted = []
    for index, entry in enumerate(entries):
        field = f"outputs[{index}]"
        if not isinstance(entry, dict):
            raise invalid("an output must be an object", field=field)
        parameters = _parameters(entry, field=field)
        refuse_unsupported(parameters, field=field)
        as_bytes = parameters.get("binary_data", binary)
        wanted.append(Wanted(signature.position(entry.get("name"), field=f"{field}.name"), as_bytes is True))
    return tuple(wanted)


def _json_data(array: Array) -> Any:
    flat = array.ravel()
    if flat.dtype.kind in "OSU":
        return [text.decode(errors="replace") for text in utf8(flat)]
    return flat if flat.flags.c_contiguous else np.ascontiguousarray(flat)
