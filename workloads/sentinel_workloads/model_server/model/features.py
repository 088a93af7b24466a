"""Named features as the model's tensors: every feature present, none unknown, each of its type and finite."""

from __future__ import annotations

from typing import Any

import numpy as np

from sentinel_operator.api.sentrymodel import Dtype, Feature
from sentinel_workloads.model_server.model.encoded import Body, Encoded, instances_of
from sentinel_workloads.model_server.model.graph import Graph, TensorSpec
from sentinel_workloads.model_server.oip.datatypes import BY_NAME, Array, Datatype
from sentinel_workloads.model_server.refusal import Refusal, invalid

DATATYPES: dict[Dtype, Datatype] = {
    "float32": BY_NAME["FP32"],
    "float64": BY_NAME["FP64"],
    "int32": BY_NAME["INT32"],
    "int64": BY_NAME["INT64"],
    "bool": BY_NAME["BOOL"],
    "string": BY_NAME["BYTES"],
}
WANTED = {"BOOL": "true or false", "BYTES": "a string", "INT32": "an integer", "INT64": "an integer"}


def is_matrix(graph: Graph, features: tuple[Feature, ...]) -> bool:
    """Tells whether one input takes all the features as columns, rather than one input each."""
    only = graph.inputs[0]
    return len(graph.inputs) == 1 and not (len(features) == 1 and only.name == features[0].name)


class FeatureEncoder:
    """Encodes instances {feature: value}. The graph must have passed the schema check."""

    one, many = "features", "instances"

    def __init__(self, features: tuple[Feature, ...], graph: Graph, *, max_rows: int) -> None:
        self.columns = len(features) if is_matrix(graph, features) else 1
        """Columns of the one matrix, or 1 where each feature is an input."""
        self._max_rows = max_rows
        self._names = tuple(feature.name for feature in features)
        self._known = frozenset(self._names)
        self._types = [DATATYPES[feature.dtype] for feature in features]
        self._matrix = graph.inputs[0] if is_matrix(graph, features) else None
        self._columns = {spec.name: spec for spec in graph.inputs}
        self._every_row = frozenset[type]().union(*(datatype.json_types for datatype in self._types))
        self._uniform = all(datatype.json_types == self._types[0].json_types for datatype in self._types)

    def is_heavy(self, body: Body) -> bool:  # noqa: ARG002
        """Tells that a thread would not help: all of it holds the interpreter's lock."""
        return False

    def encode(self, body: Body) -> Encoded:
        """Gives one tensor of all columns, or one tensor for each feature."""
        instances, single = instances_of(body, one=self.one, many=self.many, limit=self._max_rows)
        rows = [self._row(instance, index, single) for index, instance in enumerate(instances)]
        feeds = self._as_matrix(self._matrix, rows, single) if self._matrix else self._as_columns(rows, single)
        return Encoded(feeds=feeds, rows=len(rows), single=single)

    def _row(self, instance: Any, index: int, single: bool) -> list[Any]:
        if not isinstance(instance, dict):
            raise invalid("an instance must be an object {feature: value}", field=_where(index, single, ""))
        try:
            row = [instance[name] for name in self._names]
        except KeyError:
            missing = [name for name in self._names if name not in instance]
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise invalid(f"feature {missing[0]!r} is missing{more}", field=_where(index, single, missing[0])) from None
        if len(instance) != len(row):
            unknown = next(name for name in instance if name not in self._known)
            raise invalid(f"the model has no feature {unknown!r}", field=_where(index, single, unknown))
        if not (self._uniform and self._every_row.issuperset(map(type, row))):
            self._check_types(row, index, single)
        return row

    def _check_types(self, row: list[Any], index: int, single: bool) -> None:
        for name, datatype, value in zip(self._names, self._types, row, strict=True):
            if type(value) not in datatype.json_types:
                raise _wrong(name, datatype, value, index, single)

    def _as_matrix(self, spec: TensorSpec, rows: list[list[Any]], single: bool) -> dict[str, Array]:
        matrix = self._array(rows, spec.datatype, self._names, single)
        return {spec.name: matrix}

    def _as_columns(self, rows: list[list[Any]], single: bool) -> dict[str, Array]:
        feeds = {}
        for position, name in enumerate(self._names):
            spec = self._columns[name]
            column = self._array([[row[position]] for row in rows], spec.datatype, (name,), single)
            feeds[name] = column if len(spec.shape) > 1 else column[:, 0]
        return feeds

    def _array(self, rows: list[list[Any]], datatype: Datatype, names: tuple[str, ...], single: bool) -> Array:
        try:
            array: Array = np.array(rows, datatype.numpy)
        except OverflowError:
            raise self._first_bad(rows, datatype, names, single) from None
        if any(map(datatype.suspects, rows)) and not np.isfinite(array).all():
            raise self._first_bad(rows, datatype, names, single)
        return array

    def _first_bad(self, rows: list[list[Any]], datatype: Datatype, names: tuple[str, ...], single: bool) -> Refusal:
        for index, row in enumerate(rows):
            for name, value in zip(names, row, strict=True):
                if not _fits(value, datatype):
                    return invalid(
                        f"feature {name!r} is out of the range of {datatype.name}", field=_where(index, single, name)
                    )
        return invalid(f"a feature is out of the range of {datatype.name}", field=self.one if single else self.many)


def _fits(value: Any, datatype: Datatype) -> bool:
    try:
        return bool(np.isfinite(np.array(value, datatype.numpy)))
    except OverflowError:
        return False


def _wrong(name: str, datatype: Datatype, value: Any, index: int, single: bool) -> Refusal:
    wanted = WANTED.get(datatype.name, "a number")
    have = {type(None): "null", bool: "a boolean", str: "a string", dict: "an object", list: "a list"}.get(
        type(value), "a number"
    )
    return invalid(f"feature {name!r} must be {wanted}, not {have}", field=_where(index, single, name))


def _where(index: int, single: bool, name: str) -> str:
    prefix = "features" if single else f"instances[{index}]"
    return f"{prefix}.{name}" if name else prefix
