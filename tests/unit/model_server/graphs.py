"""Small ONNX models, made here so that each test says what its model is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

OPSETS = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
VOCABULARY = {"[PAD]": 0, "[UNK]": 1, "good": 2, "bad": 3, "so": 4, "very": 5}


def model(nodes, inputs, outputs, constants: dict[str, np.ndarray] | None = None, **metadata: str) -> onnx.ModelProto:
    """Makes a checked model of nodes; inputs and outputs are (name, type, shape)."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    made = helper.make_model(graph, opset_imports=OPSETS, ir_version=9)
    for key, value in metadata.items():
        made.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(made)
    return made


def linear_classifier(width: int, labels: int, *, probabilities: bool = True, rows=None, **metadata: str):
    """Row x -> softmax(x @ W): W is the identity, so the largest of the first `labels` features wins."""
    weights = np.zeros((width, labels), np.float32)
    np.fill_diagonal(weights, 1.0)
    last = "scores" if probabilities else "logits"
    nodes = [helper.make_node("MatMul", ["x", "w"], ["logits"])]
    if probabilities:
        nodes.append(helper.make_node("Softmax", ["logits"], ["scores"], axis=-1))
    return model(
        nodes,
        [("x", TensorProto.FLOAT, [rows, width])],
        [(last, TensorProto.FLOAT, [rows, labels])],
        {"w": weights},
        **metadata,
    )


def tree_classifier(features: int, classes: Sequence[str] | int, *, zip_map: bool = False):
    """A one-leaf tree for each class that reads the last feature; with a ZipMap where asked, as exporters do."""
    named = not isinstance(classes, int)
    count = len(classes) if named else classes
    labels = {"classlabels_strings": list(classes)} if named else {"classlabels_int64s": list(range(count))}
    nodes = [
        helper.make_node(
            "TreeEnsembleClassifier",
            ["x"],
            ["label", "scores"],
            domain="ai.onnx.ml",
            post_transform="SOFTMAX",
            nodes_treeids=[0, 0, 0],
            nodes_nodeids=[0, 1, 2],
            nodes_featureids=[features - 1, 0, 0],
            nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
            nodes_values=[0.5, 0.0, 0.0],
            nodes_truenodeids=[1, 0, 0],
            nodes_falsenodeids=[2, 0, 0],
            nodes_missing_value_tracks_true=[0, 0, 0],
            nodes_hitrates=[1.0, 1.0, 1.0],
            class_treeids=[0] * (2 * count),
            class_nodeids=[1] * count + [2] * count,
            class_ids=list(range(count)) * 2,
            class_weights=[3.0] + [0.0] * (count - 1) + [0.0] * (count - 1) + [3.0],
            **labels,
        )
    ]
    label = ("label", TensorProto.STRING if named else TensorProto.INT64, [None])
    if not zip_map:
        return model(
            nodes, [("x", TensorProto.FLOAT, [None, None])], [label, ("scores", TensorProto.FLOAT, [None, count])]
        )
    nodes.append(helper.make_node("ZipMap", ["scores"], ["probabilities"], domain="ai.onnx.ml", **labels))
    made = model(nodes[:1], [("x", TensorProto.FLOAT, [None, features])], [label])
    made.graph.node.append(nodes[1])
    made.graph.output.append(
        helper.make_value_info(
            "probabilities",
            helper.make_sequence_type_proto(
                helper.make_map_type_proto(
                    TensorProto.STRING if named else TensorProto.INT64,
                    helper.make_tensor_type_proto(TensorProto.FLOAT, None),
                )
            ),
        )
    )
    return made


def column_classifier(columns: dict[str, int], labels: int):
    """One input [rows, 1] for each feature, of the types given; softmax of the first `labels` of them."""
    nodes, parts = [], []
    for name in list(columns)[:labels]:
        nodes.append(helper.make_node("Cast", [name], [f"{name}_f"], to=TensorProto.FLOAT))
        parts.append(f"{name}_f")
    rest = list(columns)[labels:]
    nodes += [helper.make_node("Identity", [name], [f"{name}_out"]) for name in rest]
    nodes += [
        helper.make_node("Concat", parts, ["logits"], axis=1),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=-1),
    ]
    return model(
        nodes,
        [(name, kind, [None, 1]) for name, kind in columns.items()],
        [("scores", TensorProto.FLOAT, [None, labels])] + [(f"{name}_out", columns[name], [None, 1]) for name in rest],
    )


def identity(kinds: dict[str, int], shape: Sequence[int | None] = (None, None)):
    """Gives back every input under `<name>_out`."""
    return model(
        [helper.make_node("Identity", [name], [f"{name}_out"]) for name in kinds],
        [(name, kind, list(shape)) for name, kind in kinds.items()],
        [(f"{name}_out", kind, list(shape)) for name, kind in kinds.items()],
    )


def slow(size: int = 192):
    """Gives back x [rows, 1] int64 after max(x) products of large matrices: a request says how long it takes."""
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["acc_in", "m"], ["acc_out"]),
            helper.make_node("Identity", ["cond_in"], ["cond_out"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("cond_in", TensorProto.BOOL, []),
            helper.make_tensor_value_info("acc_in", TensorProto.FLOAT, [size, size]),
        ],
        [
            helper.make_tensor_value_info("cond_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("acc_out", TensorProto.FLOAT, [size, size]),
        ],
    )
    matrix = (np.eye(size) * 0.999).astype(np.float32)
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["trips"], keepdims=0),
        helper.make_node("Loop", ["trips", "true", "m"], ["product"], body=body),
        helper.make_node("ReduceSum", ["product"], ["sum"], keepdims=0),
        helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
        helper.make_node("Cast", ["nothing"], ["nothing_i"], to=TensorProto.INT64),
        helper.make_node("Add", ["x", "nothing_i"], ["y"]),
    ]
    return model(
        nodes,
        [("x", TensorProto.INT64, [None, 1])],
        [("y", TensorProto.INT64, [None, 1])],
        {"m": matrix, "true": np.array(True), "zero": np.array(0.0, np.float32)},
    )


def text_classifier(vocabulary: int, labels: int = 2, *, logits: bool = True, positions: int = 0):
    """Mean of token embeddings, masked -> logits. Token 2 speaks for label 0, token 3 for label 1."""
    table = np.zeros((vocabulary, labels), np.float32)
    table[2, 0] = table[3, 1] = 4.0
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["embedded"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["wide"]),
        helper.make_node("Mul", ["embedded", "wide"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "one"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "one"], ["count"], keepdims=1),
        helper.make_node("Div", ["sum", "count"], ["logits"]),
    ]
    constants = {"table": table, "last": np.array([2]), "one": np.array([1])}
    if positions:
        # Fails on longer texts, as learned positions do: adding [T] to [positions] does not broadcast.
        nodes[1:1] = [
            helper.make_node("Shape", ["input_ids"], ["shape"]),
            helper.make_node("Gather", ["shape", "one"], ["length"]),
            helper.make_node("Sub", ["length", "one"], ["latest"]),
            helper.make_node("Gather", ["places", "latest"], ["place"]),
            helper.make_node("Add", ["embedded", "place"], ["placed"]),
        ]
        nodes[6:9] = [
            helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["mask", "last"], ["wide"]),
            helper.make_node("Mul", ["placed", "wide"], ["masked"]),
        ]
        constants["places"] = np.zeros(positions, np.float32)
    return model(
        nodes,
        [(name, TensorProto.INT64, [None, None]) for name in ("input_ids", "attention_mask")],
        [("logits", TensorProto.FLOAT, [None, labels])],
        constants,
    )


def tokenizer(vocabulary: dict[str, int] | None = None) -> Tokenizer:
    """Words to tokens."""
    made = Tokenizer(models.WordLevel(vocabulary or VOCABULARY, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made


def save(made: onnx.ModelProto, path: Path) -> Path:
    """Writes a model."""
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(made, path)
    return path
