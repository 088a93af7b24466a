"""scan-classifier: a calibrated linear head over a window's words, embedding and rules; everywhere the same one."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from demo.models import encoder, scan_corpus, scan_embedding
from demo.models.artifact import METADATA, Facts, Recipe, write_json
from demo.models.graph import Session
from demo.models.packages import NEURALCHEMY_TRAIN, TRAIN, VALIDATION, YANISMIRAOUI
from demo.models.scan_corpus import Text
from sentinel_workloads.scan.detect import Detector, normalise, rulebook
from sentinel_workloads.scan.detect.embedding import MAX_TOKENS
from sentinel_workloads.scan.detect.features import evidence, word_weight, words
from sentinel_workloads.scan.detect.risk import COMPOSITE

NAME, VERSION = "scan-classifier", "1.0.0"
HEAD = "head.json"
LABELS = ("benign", "attack")
_WORDS = 2000
_LEAST_TEXTS = 5
_EMBEDDING_SCALE = 2.0
"""How much the embedding weighs against the words, each of length one: the best of 1, 2 and 4 on validation."""
_PENALTY = 3.0
_DECIMALS = 4

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of a feature matrix stand for, besides the embedding, which comes first."""

    words: tuple[str, ...]
    rules: tuple[str, ...]


def recipe() -> Recipe:
    """Gives how the model is made."""
    return Recipe(
        name=NAME,
        version=VERSION,
        make=make,
        modules=("scan_classifier", "scan_corpus", "scan_embedding", "encoder", "graph", "artifact", "packages"),
        distributions=("numpy", "onnx", "onnxruntime", "tokenizers", "scikit-learn", "scipy", "Django", "pyarrow"),
        parameters=f"{rulebook.load().digest} {normalise.digest()}",
    )


def make(artifact: Path, samples: Path) -> Facts:
    """Trains and calibrates; writes head.json, metadata.json and test texts."""
    corpus = scan_corpus.load()
    columns = Columns(_vocabulary(corpus.train), (*rulebook.load().attacks, COMPOSITE))
    detector = Detector.open()
    weights, bias = _fit(_features(corpus.train, columns, detector), _truth(corpus.train))
    truth = _truth(corpus.validation)
    logits = _features(corpus.validation, columns, detector) @ weights + bias
    scale, shift = _platt(logits, truth)
    probabilities = 1.0 / (1.0 + np.exp(-(scale * logits + shift)))
    accuracy = round(float(np.mean((probabilities >= 0.5) == truth)), 4)
    write_json(artifact / HEAD, _head(columns, weights, bias, calibration=(scale, shift)))
    metadata = _metadata(len(corpus.train), len(corpus.validation), accuracy)
    write_json(artifact / METADATA, metadata)
    shown = [{"text": each.text, "label": LABELS[each.attack]} for each in corpus.validation[:40]]
    write_json(samples / "samples.json", {"model": NAME, "samples": shown})
    return Facts("TextClassification", (), LABELS, {"accuracy": accuracy})


def _vocabulary(texts: tuple[Text, ...]) -> tuple[str, ...]:
    seen: Counter[str] = Counter()
    for text in texts:
        seen.update(words(text.text))
    usual = sorted(seen.items(), key=lambda each: (-each[1], each[0]))[:_WORDS]
    return tuple(sorted(word for word, times in usual if times >= _LEAST_TEXTS))


def _features(texts: tuple[Text, ...], columns: Columns, detector: Detector) -> Matrix:
    """Gives a row for each text: its embedding, its words, its rules."""
    session = Session(encoder.in_double(encoder.load_encoder()).SerializeToString(), threads=_threads())
    tokenizer = encoder.load_tokenizer()
    rows = encoder.embed(session, [text.text for text in texts], tokenizer, output=encoder.POOLED, tokens=MAX_TOKENS)
    rows *= _EMBEDDING_SCALE / np.linalg.norm(rows, axis=1, keepdims=True)
    place = {word: index for index, word in enumerate(columns.words)}
    told = np.zeros((len(texts), len(columns.words) + len(columns.rules)))
    for row, text in zip(told, texts, strict=True):
        found = words(text.text)
        for word in found:
            if word in place:
                row[place[word]] = word_weight(len(found))
        for attack, weight in evidence(detector.judge(text.text).reasons).items():
            row[len(columns.words) + columns.rules.index(attack)] = weight
    return np.hstack([rows, told])


def _fit(rows: Matrix, truth: NDArray[np.bool_]) -> tuple[Matrix, float]:
    # Newton's method to the last digits of a convex loss: there is one answer, whoever computes it.
    head = LogisticRegression(C=_PENALTY, solver="newton-cholesky", tol=1e-10, max_iter=100).fit(rows, truth)
    return np.round(head.coef_[0], _DECIMALS), round(float(head.intercept_[0]), _DECIMALS)


def _platt(logits: Matrix, truth: NDArray[np.bool_]) -> tuple[float, float]:
    """Gives scale and shift under which the probabilities are as frequent as they say."""
    line = LogisticRegression(C=1e6, solver="newton-cholesky", tol=1e-10, max_iter=100).fit(logits[:, None], truth)
    return round(float(line.coef_[0, 0]), _DECIMALS), round(float(line.intercept_[0]), _DECIMALS)


def _head(columns: Columns, weights: Matrix, bias: float, *, calibration: tuple[float, float]) -> dict[str, Any]:
    width, count = encoder.WIDTH, len(columns.words)
    told = weights[width:]
    return {
        "embedding": [round(float(weight) * _EMBEDDING_SCALE, _DECIMALS) for weight in weights[:width]],
        "words": {word: float(weight) for word, weight in zip(columns.words, told[:count], strict=True) if weight},
        "rules": {rule: float(weight) for rule, weight in zip(columns.rules, told[count:], strict=True)},
        "bias": bias,
        "calibration": {"method": "platt", "scale": calibration[0], "shift": calibration[1]},
    }


def _truth(texts: tuple[Text, ...]) -> NDArray[np.bool_]:
    return np.array([text.attack for text in texts])


def _threads() -> int:
    return min(4, len(os.sched_getaffinity(0)))


def _metadata(trained_on: int, calibrated_on: int, accuracy: float) -> dict[str, Any]:
    files = {
        "s-labs-train": TRAIN,
        "s-labs-validation": VALIDATION,
        "neuralchemy": NEURALCHEMY_TRAIN,
        "yanismiraoui": YANISMIRAOUI,
    }
    return {
        "name": NAME,
        "version": VERSION,
        "task": "TextClassification",
        "format": "JSON",
        "labels": list(LABELS),
        "encoder": {"name": scan_embedding.NAME, "version": scan_embedding.VERSION},
        "normaliser": normalise.VERSION,
        "rules": rulebook.VERSION,
        "training": {
            "model": "logistic regression over words, embedding and rules; Platt's calibration",
            "data": [
                "S-Labs prompt injection, train split (and a part of it in Portuguese)",
                "neuralchemy prompt injection, train split",
                "half of yanismiraoui's attacks in seven languages",
                f"code, documentation and messages of {', '.join(scan_corpus.SOURCES)}",
            ],
            "rows": trained_on,
            "calibratedOn": calibrated_on,
        },
        "madeFrom": {role: {"package": file.package, "sha256": file.sha256} for role, file in files.items()},
        "validation": {"accuracy": accuracy},
    }
