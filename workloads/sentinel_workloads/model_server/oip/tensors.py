"""Which tensors a model takes, and whether what came fits, in the words of the Open Inference Protocol."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from sentinel_workloads.model_server.model.graph import Graph, TensorSpec
from sentinel_workloads.model_server.oip.datatypes import Array, datatype_of
from sentinel_workloads.model_server.refusal import invalid

UNSUPPORTED = ("shared_memory_region", "sequence_id", "classification")


@dataclass(frozen=True, slots=True)
class Wanted:
    """An output that the client asked for."""

    index: int
    binary: bool = False


@dataclass(slots=True)
class Inference:
    """A request that fits the model."""

    id: str
    feeds: dict[str, Array]
    rows: int
    key: Hashable
    wanted: tuple[Wanted, ...]
    raw: bool = False
    """The tensors came as bytes, so they go back as bytes (gRPC)."""


class Signature:
    """The model's inputs and outputs as a client must name them."""

    def __init__(self, graph: Graph, *, batches: bool, max_rows: int) -> None:
        self.inputs = {spec.name: spec for spec in graph.inputs}
        self.outputs = graph.outputs
        self.positions = {spec.name: index for index, spec in enumerate(graph.outputs)}
        self._batches = batches
        self._max_rows = max_rows
        self._one_shape = graph.one_shape
        self._all = {
            binary: tuple(Wanted(index, binary) for index in range(len(self.outputs))) for binary in (False, True)
        }

    def spec(self, name: object, datatype: object, *, field: str) -> TensorSpec:
        """Gives the input of this name; refuses another element type than the model's."""
        spec = self.inputs.get(name) if isinstance(name, str) else None
        if spec is None:
            raise invalid(f"the model has no input {name!r}; it takes {', '.join(self.inputs)}", field=f"{field}.name")
        if datatype != spec.datatype.name:
            raise invalid(f"input {name!r} is {spec.datatype.name}, not {datatype}", field=f"{field}.datatype")
        return spec

    def shaped(self, array: Array, spec: TensorSpec, shape: Any, *, field: str) -> Array:
        """Gives the elements in the shape that was stated, if they are as many and the model takes it."""
        if not isinstance(shape, (list, tuple)) or not all(type(dim) is int and dim >= 0 for dim in shape):
            raise invalid("a shape is a list of sizes", field=f"{field}.shape")
        if not spec.takes(shape):
            raise invalid(
                f"input {spec.name!r} takes shape {spec.wire_shape}, not {list(shape)}", field=f"{field}.shape"
            )
        size = 1
        for dim in shape:
            size *= dim
        if size != array.size:
            raise invalid(f"shape {list(shape)} holds {size} elements, {array.size} came", field=f"{field}.shape")
        return array.reshape(shape)

    def rows(self, feeds: dict[str, Array]) -> int:
        """Gives the number of rows, 1 for a model without; refuses missing inputs, none and too many rows."""
        if len(feeds) != len(self.inputs):
            missing = next(name for name in self.inputs if name not in feeds)
            raise invalid(f"input {missing!r} is missing", field="inputs")
        if not self._batches:
            return 1
        counts = [array.shape[0] if array.ndim else 1 for array in feeds.values()]
        rows = counts[0]
        if any(count != rows for count in counts):
            raise invalid(f"the inputs have different numbers of rows: {counts}", field="inputs")
        if rows == 0:
            raise invalid("there must be at least one row", field="inputs")
        if rows > self._max_rows:
            raise invalid(f"{rows} rows are more than the limit of {self._max_rows}", field="inputs[0].shape")
        return rows

    def key(self, feeds: dict[str, Array]) -> Hashable:
        """Gives what two requests must share to run together."""
        if self._one_shape:
            return None
        return tuple((name, array.shape[1:]) for name, array in sorted(feeds.items()))

    def every(self, *, binary: bool) -> tuple[Wanted, ...]:
        """Gives all outputs."""
        return self._all[binary]

    def position(self, name: object, *, field: str) -> int:
        """Gives the position of an output."""
        position = self.positions.get(name) if isinstance(name, str) else None
        if position is None:
            raise invalid(f"the model has no output {name!r}; it gives {', '.join(self.positions)}", field=field)
        return position


def refuse_unsupported(parameters: Sequence[str] | dict[str, Any], *, field: str) -> None:
    """Refuses what would change the answer's meaning if it were ignored."""
    for name in UNSUPPORTED:
        if name in parameters:
            raise invalid(f"parameter {name!r} is not supported", field=f"{field}.parameters")


def describe(array: Array) -> tuple[str, list[int]]:
    """Gives an output's datatype and shape."""
    return datatype_of(array).name, list(array.shape)
