"""Tensor element types under their names in the Open Inference Protocol, in ONNX and in numpy."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentinel_workloads.model_server.refusal import invalid

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Datatype:
    """One element type. `contents` is its member of the protocol's InferTensorContents ("" where it has none)."""

    name: str
    onnx: str
    numpy: np.dtype[Any]
    contents: str = ""
    json_types: frozenset[type] = frozenset({int})
    """Types of JSON values that are taken for it; a string is never taken for a number."""

    def suspects(self, values: Sequence[float]) -> bool:
        """Tells, without a miss, whether a number may not be finite in this type.

        numpy's own check of a few numbers takes 2 µs, and 25 µs when its code has left the CPU's cache.
        """
        if self.largest is None or not values:
            return False
        return not (-self.largest <= min(values) and max(values) <= self.largest and isfinite(sum(values)))

    @property
    def largest(self) -> float | None:
        """The largest finite value of a floating-point type."""
        return _LARGEST.get(self.name)

    @property
    def triton(self) -> str:
        """The name in Triton's model configuration."""
        return "TYPE_STRING" if self.name == "BYTES" else f"TYPE_{self.name}"


_NUMBER = frozenset({int, float})
_LARGEST = {f"FP{bits}": float(np.finfo(f"f{bits // 8}").max) for bits in (16, 32, 64)}
DATATYPES = (
    Datatype("BOOL", "tensor(bool)", np.dtype(np.bool_), "bool_contents", frozenset({bool})),
    Datatype("UINT8", "tensor(uint8)", np.dtype(np.uint8), "uint_contents"),
    Datatype("UINT16", "tensor(uint16)", np.dtype(np.uint16), "uint_contents"),
    Datatype("UINT32", "tensor(uint32)", np.dtype(np.uint32), "uint_contents"),
    Datatype("UINT64", "tensor(uint64)", np.dtype(np.uint64), "uint64_contents"),
    Datatype("INT8", "tensor(int8)", np.dtype(np.int8), "int_contents"),
    Datatype("INT16", "tensor(int16)", np.dtype(np.int16), "int_contents"),
    Datatype("INT32", "tensor(int32)", np.dtype(np.int32), "int_contents"),
    Datatype("INT64", "tensor(int64)", np.dtype(np.int64), "int64_contents"),
    Datatype("FP16", "tensor(float16)", np.dtype(np.float16), "", _NUMBER),
    Datatype("FP32", "tensor(float)", np.dtype(np.float32), "fp32_contents", _NUMBER),
    Datatype("FP64", "tensor(double)", np.dtype(np.float64), "fp64_contents", _NUMBER),
    Datatype("BYTES", "tensor(string)", np.dtype(np.object_), "bytes_contents", frozenset({str})),
)
BY_NAME = {datatype.name: datatype for datatype in DATATYPES}
BY_ONNX = {datatype.onnx: datatype for datatype in DATATYPES}
BY_NUMPY = {datatype.numpy: datatype for datatype in DATATYPES}
BYTES = BY_NAME["BYTES"]


def datatype_of(array: Array) -> Datatype:
    """Names an output's elements; strings come from the runtime as objects or as fixed-width text."""
    return BY_NUMPY.get(array.dtype, BYTES)


def from_raw(raw: bytes | memoryview, datatype: Datatype, *, field: str) -> Array:
    """Reads elements as the protocol's bytes: little-endian, strings each after their length (uint32)."""
    if datatype is BYTES:
        return _strings(raw, field=field)
    if len(raw) % datatype.numpy.itemsize:
        raise invalid(f"{len(raw)} bytes are not a whole number of {datatype.name} elements", field=field)
    array: Array = np.frombuffer(raw, datatype.numpy)
    if datatype.name == "BOOL":
        truths: Array = array.view(np.uint8) != 0
        return truths
    return array if array.flags.aligned else array.copy()


def to_raw(array: Array) -> bytes:
    """Writes elements as the protocol's bytes."""
    if datatype_of(array) is not BYTES:
        return array.tobytes()
    return b"".join(part for text in utf8(array) for part in (struct.pack("<I", len(text)), text))


def utf8(array: Array) -> list[bytes]:
    """Gives the elements of a string tensor as bytes."""
    return [text if isinstance(text, bytes) else str(text).encode() for text in array.ravel().tolist()]


def strings(texts: Iterable[bytes], *, field: str) -> Array:
    """Gives a string tensor as the runtime takes it; refuses what is not UTF-8."""
    try:
        decoded = [text.decode() for text in texts]
    except UnicodeDecodeError:
        raise invalid("a string is not UTF-8", field=field) from None
    array = np.empty(len(decoded), np.object_)
    array[:] = decoded
    return array


def _strings(raw: bytes | memoryview, *, field: str) -> Array:
    view, texts, position = memoryview(raw), [], 0
    while position < len(view):
        start = position + 4
        if start > len(view):
            raise invalid("the bytes end inside a string's length", field=field)
        position = start + int.from_bytes(view[position:start], "little")
        if position > len(view):
            raise invalid("the bytes end inside a string", field=field)
        texts.append(bytes(view[start:position]))
    return strings(texts, field=field)
