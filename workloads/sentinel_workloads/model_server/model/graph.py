"""What an ONNX graph says it takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sentinel_workloads.model_server.oip.datatypes import Array, Datatype

Dim = int | None
"""A size, or None where any will do."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output. An output's shape is what the exporter wrote and may be wrong."""

    name: str
    datatype: Datatype
    shape: tuple[Dim, ...]

    @property
    def wire_shape(self) -> list[int]:
        """The shape as the protocol writes it: -1 where any size will do."""
        return [-1 if dim is None else dim for dim in self.shape]

    def takes(self, shape: Sequence[int]) -> bool:
        """Tells whether an array of this shape fits."""
        return len(shape) == len(self.shape) and all(
            want is None or want == have for want, have in zip(self.shape, shape, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Declared:
    """What the file states beside its inputs and outputs; empty or 0 where it says nothing."""

    labels: tuple[str, ...] = ()
    """Class names in the order of the probabilities."""
    features: tuple[str, ...] = ()
    """Feature names in the order of the columns (metadata `features`, a JSON list)."""
    least_features: int = 0
    """The graph reads at least this many columns."""
    embedding_rows: int = 0
    """The smallest table that `input_ids` indexes."""
    loops: bool = False
    """How long a run takes depends on what the values are, not on how many."""


@dataclass(frozen=True, slots=True)
class Graph:
    """The model's face."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    declared: Declared = Declared()

    @property
    def one_shape(self) -> bool:
        """True when every dimension but the first is known, so that any two requests fit together."""
        return all(None not in spec.shape[1:] for spec in self.inputs)


def rows_of(feeds: dict[str, Array]) -> int:
    """Gives the number of rows: the first dimension, or 1 for a scalar."""
    first = next(iter(feeds.values()))
    return int(first.shape[0]) if first.ndim else 1
