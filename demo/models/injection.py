"""injection-classifier: whether a text tries to override a language model's instructions; MiniLM with a linear head."""

from __future__ import annotations

import csv
import logging
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from sklearn.linear_model import LogisticRegression

from demo.models import encoder
from demo.models.artifact import METADATA, MODEL, Facts, Recipe, write_json
from demo.models.graph import Session, canonical, save
from demo.models.metrics import evaluate
from demo.models.packages import ENCODER, TEST, TOKENIZER, TRAIN, PackageFile

NAME, VERSION = "injection-classifier", "1.0.0"
LABELS = ("benign", "injection")
INPUTS = encoder.INPUTS
HEAD = "head"
TOKENIZER_FILE = "tokenizer.json"
SAMPLES = 40

_TRAIN_TEXTS = 6000
"""The first texts of the train split; all 11,000 take twice the time and bring a tenth of a point."""
_PENALTY = 0.3
"""Inverse strength of the L2 penalty: the best of 0.01, 0.03, 0.1, 0.3, 1 and 3 on the validation split."""
_DECIMALS = 4
_LARGEST_LOSS = 0.01
"""Accuracy that the quantized graph may lose against the float64 reference."""

Texts = tuple[list[str], NDArray[np.str_]]


class QuantizationError(Exception):
    """The quantized graph is worse than its reference by more than a point."""


def recipe() -> Recipe:
    """Gives how the model is made."""
    return Recipe(
        name=NAME,
        version=VERSION,
        make=make,
        modules=("injection", "encoder", "metrics", "graph", "artifact", "packages"),
        distributions=("numpy", "onnx", "onnxruntime", "scikit-learn", "tokenizers"),
    )


def make(artifact: Path, samples: Path) -> Facts:
    """Trains the head, joins and quantizes; writes model.onnx, tokenizer.json, metadata.json and test texts."""
    base = encoder.load_encoder()
    tokenizer = encoder.load_tokenizer()
    texts, truth = read_texts(TEST)
    reference = Session(encoder.in_double(base).SerializeToString(), threads=_threads())
    weights, bias, trained_on = _train_head(reference, exclude=set(texts))
    logits = encoder.embed(reference, texts, tokenizer, output=encoder.POOLED) @ weights + bias
    metrics = evaluate(_softmax(logits), truth, LABELS)
    model = quantize(append_head(base, weights, bias))
    save(model, artifact / MODEL)
    encoder.save_tokenizer(artifact / TOKENIZER_FILE)
    measured = _measure(artifact / MODEL, texts, truth, reference=metrics["accuracy"])
    write_json(artifact / METADATA, _metadata(metrics, trained_on))
    write_json(samples / "samples.json", _samples(texts, truth))
    return Facts("TextClassification", (), LABELS, metrics, measured)


def read_texts(file: PackageFile) -> Texts:
    """Gives the texts of a split, each once, and their labels."""
    with file.locate().open(encoding="utf-8", newline="") as rows:
        labels = {row["text"]: LABELS[int(row["label"])] for row in csv.DictReader(rows)}
    return list(labels), np.asarray(list(labels.values()))


def append_head(base: onnx.ModelProto, weights: NDArray[np.float64], bias: NDArray[np.float64]) -> onnx.ModelProto:
    """Gives the encoder followed by softmax(embedding @ weights + bias), with `probabilities` [N, 2] as its output."""
    model = onnx.ModelProto()
    model.CopyFrom(base)
    graph = model.graph
    for value in graph.input:
        value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.INT64, ["N", "S"]))
    graph.initializer.extend(
        numpy_helper.from_array(value.astype(np.float32), f"{HEAD}.{name}")
        for name, value in (("weight", weights), ("bias", bias))
    )
    # Not Gemm: the quantizer splits it under another name, and would quantize the head.
    graph.node.extend(
        [
            helper.make_node("MatMul", [encoder.POOLED, f"{HEAD}.weight"], [f"{HEAD}.product"], name=HEAD),
            helper.make_node("Add", [f"{HEAD}.product", f"{HEAD}.bias"], [f"{HEAD}.logits"]),
            helper.make_node("Softmax", [f"{HEAD}.logits"], ["probabilities"], axis=1),
        ]
    )
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", len(LABELS)]))
    return canonical(model, name=NAME, properties={"labels": list(LABELS)})


def quantize(model: onnx.ModelProto) -> onnx.ModelProto:
    """Gives the graph with INT8 weights, one scale a channel, and the head left in float32.

    Weights keep to seven bits: on processors without VNNI the eight-bit product saturates, and the same model would
    answer differently there.
    """
    logging.getLogger().setLevel(logging.ERROR)  # it warns of a preprocessing that changes nothing here
    with TemporaryDirectory() as folder:  # the quantizer reads and writes files only
        given, result = Path(folder, "float32.onnx"), Path(folder, "int8.onnx")
        save(model, given)
        quantize_dynamic(
            given,
            result,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            nodes_to_exclude=[HEAD],
        )
        return canonical(onnx.load(result), name=NAME, properties={"labels": list(LABELS)})


def _train_head(reference: Session, *, exclude: set[str]) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Gives weights [384, 2], bias [2] and the number of texts; none of the excluded texts is among them."""
    every, labels = read_texts(TRAIN)
    kept = [position for position, text in enumerate(every) if text not in exclude][:_TRAIN_TEXTS]
    texts = [every[position] for position in kept]
    rows = encoder.embed(reference, texts, encoder.load_tokenizer(), output=encoder.POOLED)
    # Newton's method to the last digits of a convex loss: there is one answer, whoever computes it.
    head = LogisticRegression(C=_PENALTY, solver="newton-cholesky", tol=1e-10, max_iter=100).fit(rows, labels[kept])
    column, intercept = np.round(head.coef_[0], _DECIMALS), np.round(head.intercept_[0], _DECIMALS)
    return np.column_stack([np.zeros_like(column), column]), np.array([0.0, intercept]), len(texts)


def _measure(model: Path, texts: list[str], truth: NDArray[np.str_], *, reference: float) -> dict[str, Any]:
    """Gives the shipped graph's own accuracy, one text at a time as it is served; raises when it lost too much."""
    session, tokenizer = Session(model, threads=1), encoder.load_tokenizer()
    tokenizer.enable_truncation(encoder.MAX_TOKENS)
    rows = []
    for encoding in tokenizer.encode_batch(texts):
        ids = np.array([encoding.ids], np.int64)
        rows.append(session.run("probabilities", input_ids=ids, attention_mask=np.ones_like(ids))[0])
    accuracy = float(np.mean(np.asarray(LABELS)[np.stack(rows).argmax(axis=1)] == truth))
    if accuracy < reference - _LARGEST_LOSS:
        raise QuantizationError(f"INT8 accuracy {accuracy:.4f} against {reference:.4f}")
    return {"int8Accuracy": round(accuracy, 4), "bytes": model.stat().st_size}


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return result


def _threads() -> int:
    return min(4, len(os.sched_getaffinity(0)))


def _metadata(metrics: dict[str, Any], trained_on: int) -> dict[str, Any]:
    files = {"encoder": ENCODER, "tokenizer": TOKENIZER, "train": TRAIN, "test": TEST}
    return {
        "name": NAME,
        "version": VERSION,
        "task": "TextClassification",
        "format": "ONNX",
        "inputs": list(INPUTS),
        "labels": list(LABELS),
        "tokenizer": TOKENIZER_FILE,
        "maxTokens": encoder.MAX_TOKENS,
        "quantization": "INT8 weights (seven bits), one scale a channel, dynamic activations",
        "training": {
            "encoder": "paraphrase-MiniLM-L3-v2 (frozen)",
            "head": "logistic regression",
            "data": "S-Labs prompt injection, train split",
            "rows": trained_on,
        },
        "madeFrom": {role: {"package": file.package, "sha256": file.sha256} for role, file in files.items()},
        "heldOut": {"data": "S-Labs prompt injection, test split", "precision": "float64 reference", **metrics},
        "accuracy": metrics["accuracy"],
    }


def _samples(texts: list[str], truth: NDArray[np.str_]) -> dict[str, Any]:
    rows = zip(texts[:SAMPLES], truth[:SAMPLES].tolist(), strict=True)
    return {"model": NAME, "samples": [{"text": text, "label": label} for text, label in rows]}
