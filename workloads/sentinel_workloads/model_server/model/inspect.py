"""Reads an ONNX file for what a session does not tell: class names, columns read, embedding rows, ZipMap."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from sentinel_operator.api.serving import ExitCode
from sentinel_workloads.model_server.model.graph import Declared
from sentinel_workloads.model_server.unservable import Unservable

LOOPS = frozenset({"If", "Loop", "Scan", "SequenceMap"})
TOKEN_IDS = "input_ids"  # noqa: S105 - an input of the model


@dataclass(frozen=True, slots=True)
class Inspection:
    """What the file states, and the model to load in its place when it had to be changed."""

    declared: Declared
    rewritten: bytes | None = None


def inspect(path: Path) -> Inspection:
    """Reads the file without its external data. A ZipMap (a list of dicts instead of a tensor) is cut off."""
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, OSError, ValueError) as error:
        raise Unservable(
            ExitCode.ModelUnreadable, f"{path.name} is not an ONNX file: {error}", field="spec.model.source"
        ) from error
    if not model.graph.node:
        raise Unservable(ExitCode.ModelUnreadable, f"{path.name} holds no ONNX graph", field="spec.model.source")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    declared = Declared(
        labels=_names(metadata.get("labels")) or _class_names(model.graph),
        features=_names(metadata.get("features")),
        least_features=_columns_read(model.graph),
        embedding_rows=_embedding_rows(model.graph),
        loops=any(node.op_type in LOOPS for node in model.graph.node),
    )
    return Inspection(declared, model.SerializeToString() if _cut_zip_maps(model.graph) else None)


def _names(text: str | None) -> tuple[str, ...]:
    try:
        names = json.loads(text) if text else []
    except ValueError:
        return ()
    return tuple(names) if isinstance(names, list) and all(isinstance(name, str) for name in names) else ()


def _attributes(node: onnx.NodeProto) -> dict[str, onnx.AttributeProto]:
    return {attribute.name: attribute for attribute in node.attribute}


def _class_names(graph: onnx.GraphProto) -> tuple[str, ...]:
    """Gives the names that a classifier node was trained with; integers are positions and name nothing."""
    for node in graph.node:
        for key in ("classlabels_strings", "classlabels_string"):
            attribute = _attributes(node).get(key)
            if attribute is not None and attribute.strings:
                return tuple(name.decode(errors="replace") for name in attribute.strings)
    return ()


def _columns_read(graph: onnx.GraphProto) -> int:
    """Counts the columns that tree nodes read straight from the input; the runtime itself does not check it."""
    inputs = {value.name for value in graph.input}
    columns = 0
    for node in graph.node:
        attribute = _attributes(node).get("nodes_featureids")
        if attribute is not None and attribute.ints and node.input[0] in inputs:
            columns = max(columns, max(attribute.ints) + 1)
    return columns


def _embedding_rows(graph: onnx.GraphProto) -> int:
    tables = {tensor.name: tensor.dims[0] for tensor in graph.initializer if tensor.dims}
    indices = {TOKEN_IDS} | {
        node.output[0] for node in graph.node if node.op_type == "Cast" and node.input[0] == TOKEN_IDS
    }
    rows = [
        tables[node.input[0]]
        for node in graph.node
        if node.op_type == "Gather" and node.input[1] in indices and node.input[0] in tables
    ]
    return min(rows, default=0)


def _cut_zip_maps(graph: onnx.GraphProto) -> bool:
    found = list(_zip_maps(graph))
    for node in found:
        output = next((value for value in graph.output if value.name == node.output[0]), None)
        source, target = node.input[0], node.output[0]
        graph.node.remove(node)
        graph.node.append(onnx.helper.make_node("Identity", [source], [target]))
        if output is not None:
            output.CopyFrom(onnx.helper.make_tensor_value_info(target, onnx.TensorProto.FLOAT, [None, None]))
    return bool(found)


def _zip_maps(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    return (node for node in graph.node if node.op_type == "ZipMap")
