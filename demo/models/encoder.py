"""MiniLM as a sentence encoder: the packaged graph, cut to its pooled output, in float32 and in float64.

The head is trained on the float64 encoder's output. Sums in float32 differ between processors in the last bits, and a
head trained on them would too; in float64 the difference is so far below the rounding of the head's weights that every
machine gets the same ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.utils import Extractor
from tokenizers import Tokenizer

from demo.models.graph import Session
from demo.models.packages import ENCODER, TOKENIZER

INPUTS = ("input_ids", "attention_mask")
POOLED = "461"
"""The graph's mean-pooled sentence embedding [N, 384]."""
WIDTH = 384
VOCABULARY = 30522
MAX_TOKENS = 256
_BATCH = 32

# Abramowitz and Stegun 7.1.26: erf(x) to 1.5e-7, which is float32's own precision. ONNX Runtime has no float64 Erf.
_ERF = {
    "erf.one": 1.0,
    "erf.p": 0.3275911,
    "erf.a1": 0.254829592,
    "erf.a2": -0.284496736,
    "erf.a3": 1.421413741,
    "erf.a4": -1.453152027,
    "erf.a5": 1.061405429,
}


def load_encoder() -> onnx.ModelProto:
    """Gives the encoder with input_ids and attention_mask [N, S] in and the pooled embedding [N, 384] out."""
    model = Extractor(onnx.load(ENCODER.locate())).extract_model(list(INPUTS), [POOLED])
    vocabulary = max(tensor.dims[0] for tensor in model.graph.initializer if len(tensor.dims) == 2)
    if vocabulary != VOCABULARY:
        raise ValueError(f"the encoder knows {vocabulary} tokens, the tokenizer {VOCABULARY}")
    return model


def load_tokenizer() -> Tokenizer:
    """Gives the tokenizer without the truncation and padding that its file carries: the server sets its own."""
    tokenizer = Tokenizer.from_file(str(TOKENIZER.locate()))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if tokenizer.get_vocab_size() != VOCABULARY:
        raise ValueError(f"the tokenizer knows {tokenizer.get_vocab_size()} tokens, the encoder {VOCABULARY}")
    return tokenizer


def in_double(model: onnx.ModelProto) -> onnx.ModelProto:
    """Gives the same graph in float64."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    for tensor in graph.initializer:
        _widen(tensor)
    nodes = [step for node in graph.node for step in (_erf(node) if node.op_type == "Erf" else [_wide_node(node)])]
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(numpy_helper.from_array(np.array(value, np.float64), name) for name, value in _ERF.items())
    for output in graph.output:
        output.type.tensor_type.elem_type = TensorProto.DOUBLE
    return result


def embed(
    session: Session, texts: Sequence[str], tokenizer: Tokenizer, *, output: str, tokens: int = MAX_TOKENS
) -> NDArray[Any]:
    """Gives one row for each text; texts of one length go together, so that none is padded."""
    tokenizer.enable_truncation(tokens)
    encoded = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    by_length = defaultdict(list)
    for position, ids in enumerate(encoded):
        by_length[len(ids)].append(position)
    batches = [same[i : i + _BATCH] for same in by_length.values() for i in range(0, len(same), _BATCH)]
    rows: dict[int, NDArray[Any]] = {}
    for batch in batches:
        given = np.array([encoded[position] for position in batch], np.int64)
        rows.update(zip(batch, session.run(output, input_ids=given, attention_mask=np.ones_like(given)), strict=True))
    return np.stack([rows[position] for position in range(len(encoded))])


def save_tokenizer(path: Path) -> None:
    """Writes the tokenizer's file."""
    load_tokenizer().save(str(path), pretty=False)


def _widen(tensor: TensorProto) -> None:
    if tensor.data_type == TensorProto.FLOAT:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))


def _wide_node(node: NodeProto) -> NodeProto:
    result = NodeProto()
    result.CopyFrom(node)
    for attribute in result.attribute:
        if attribute.type == AttributeProto.TENSOR:
            _widen(attribute.t)
        if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
            attribute.i = TensorProto.DOUBLE
    return result


def _erf(node: NodeProto) -> list[NodeProto]:
    """Gives nodes for sign(x) * (1 - t (a1 + t (a2 + ...)) exp(-x^2)), t = 1 / (1 + p |x|)."""
    given, wanted = node.input[0], node.output[0]
    nodes: list[NodeProto] = []

    def step(op: str, *inputs: str) -> str:
        output = f"{wanted}/erf{len(nodes)}"
        nodes.append(helper.make_node(op, inputs, [output]))
        return output

    size = step("Abs", given)
    t = step("Reciprocal", step("Add", step("Mul", size, "erf.p"), "erf.one"))
    polynomial = "erf.a5"
    for coefficient in ("erf.a4", "erf.a3", "erf.a2", "erf.a1"):
        polynomial = step("Add", step("Mul", polynomial, t), coefficient)
    tail = step("Mul", step("Mul", polynomial, t), step("Exp", step("Neg", step("Mul", size, size))))
    nodes.append(helper.make_node("Mul", [step("Sign", given), step("Sub", "erf.one", tail)], [wanted]))
    return nodes
