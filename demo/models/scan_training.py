"""`python -m demo.models.scan_training`: trains the scan's classifier and writes data/scan_head.json.

The head is kept with the code: sums differ between processors in their last bits, and another head would have another
digest. What it is trained on is pinned (scan_corpus), how well it does is gated (benchmarks/scan_quality).
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression

from demo.models import scan_corpus, scan_embedding
from demo.models.artifact import write_json
from demo.models.cache import cache_root, obtain
from demo.models.packages import NEURALCHEMY_TRAIN, TRAIN, VALIDATION, YANISMIRAOUI
from demo.models.scan_corpus import Text
from sentinel_workloads.scan.detect import Detector, normalise, rulebook
from sentinel_workloads.scan.detect.embedding import Encoder
from sentinel_workloads.scan.detect.features import evidence, word_weight, words
from sentinel_workloads.scan.detect.risk import COMPOSITE

HEAD = Path(__file__).with_name("data") / "scan_head.json"
_WORDS = 6000
_LEAST_TEXTS = 5
_EMBEDDING_SCALE = 0.5
"""How much the embedding weighs against the words, each of length one: the best of 0.5, 1 and 2 on validation."""
_PENALTY = 10.0
"""Inverse strength of the L2 penalty: the best of 1, 3 and 10 on validation."""
_HARMLESS_WEIGHT = 4.0
"""Of text that is neither an attack nor a question: a data set has far more of it than this corpus."""
_DECIMALS = 4

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of a feature matrix stand for, before those of the embedding."""

    words: tuple[str, ...]
    rules: tuple[str, ...]


def train() -> dict[str, Any]:
    """Gives the trained and calibrated head, and what it was made from."""
    corpus = scan_corpus.load()
    encoder = Encoder.open(obtain(scan_embedding.recipe(), cache_root()).artifact, threads=1)
    columns = Columns(_vocabulary(corpus.train), (*rulebook.load().attacks, COMPOSITE))
    rows = _features(corpus.train, columns, encoder)
    head = LogisticRegression(C=_PENALTY, tol=1e-6, max_iter=2000)
    head.fit(
        rows, _truth(corpus.train), sample_weight=[_HARMLESS_WEIGHT if each.plain else 1.0 for each in corpus.train]
    )
    weights, bias = np.round(head.coef_[0], _DECIMALS), round(float(head.intercept_[0]), _DECIMALS)
    truth = _truth(corpus.validation)
    logits = _features(corpus.validation, columns, encoder) @ weights + bias
    scale, shift = _platt(logits, truth)
    accuracy = float(np.mean((scale * logits + shift >= 0) == truth))
    return {
        **_head(columns, weights, bias),
        "calibration": {"method": "platt", "scale": scale, "shift": shift},
        "training": _provenance(corpus, round(accuracy, 4)),
    }


def _vocabulary(texts: Sequence[Text]) -> tuple[str, ...]:
    seen: Counter[str] = Counter()
    for text in texts:
        seen.update(words(text.text))
    usual = sorted(seen.items(), key=lambda each: (-each[1], each[0]))[:_WORDS]
    return tuple(sorted(word for word, times in usual if times >= _LEAST_TEXTS))


def _features(texts: Sequence[Text], columns: Columns, encoder: Encoder) -> sparse.csr_matrix:
    """Gives a row for each text: its words, its rules, its embedding."""
    detector = Detector.open()
    place = {word: index for index, word in enumerate(columns.words)}
    told = sparse.lil_matrix((len(texts), len(columns.words) + len(columns.rules)))
    for row, text in enumerate(texts):
        found = words(text.text)
        for word in found:
            if word in place:
                told[row, place[word]] = word_weight(len(found))
        for attack, weight in evidence(detector.judge(text.text).reasons).items():
            told[row, len(columns.words) + columns.rules.index(attack)] = weight
    with ThreadPoolExecutor(2) as pool:
        meaning = np.stack(list(pool.map(lambda text: encoder.embed(text.text), texts)))
    return sparse.hstack([told, sparse.csr_matrix(meaning.astype(np.float64) * _EMBEDDING_SCALE)]).tocsr()


def _platt(logits: Matrix, truth: NDArray[np.bool_]) -> tuple[float, float]:
    """Gives scale and shift under which the probabilities are as frequent as they say."""
    line = LogisticRegression(C=1e6, tol=1e-9, max_iter=1000).fit(logits[:, None], truth)
    return round(float(line.coef_[0, 0]), _DECIMALS), round(float(line.intercept_[0]), _DECIMALS)


def _head(columns: Columns, weights: Matrix, bias: float) -> dict[str, Any]:
    count, told = len(columns.words), len(columns.words) + len(columns.rules)
    return {
        "words": {word: float(weight) for word, weight in zip(columns.words, weights[:count], strict=True) if weight},
        "rules": {rule: float(weight) for rule, weight in zip(columns.rules, weights[count:told], strict=True)},
        "embedding": [round(float(weight) * _EMBEDDING_SCALE, _DECIMALS) for weight in weights[told:]],
        "bias": bias,
    }


def _truth(texts: Sequence[Text]) -> NDArray[np.bool_]:
    return np.array([text.attack for text in texts])


def _provenance(corpus: scan_corpus.Corpus, accuracy: float) -> dict[str, Any]:
    files = {
        "s-labs-train": TRAIN,
        "s-labs-validation": VALIDATION,
        "neuralchemy": NEURALCHEMY_TRAIN,
        "yanismiraoui": YANISMIRAOUI,
    }
    return {
        "model": "logistic regression over words, embedding and rules; Platt's calibration",
        "encoder": {"name": scan_embedding.NAME, "version": scan_embedding.VERSION},
        "normaliser": normalise.VERSION,
        "rules": rulebook.VERSION,
        "data": [
            "S-Labs prompt injection, train split, and a part of it in Portuguese",
            "neuralchemy prompt injection, train split",
            "half of yanismiraoui's attacks in seven languages",
            f"code and messages of {', '.join(scan_corpus.SOURCES)}; documentation of half of the packages",
        ],
        "madeFrom": {role: {"package": file.package, "sha256": file.sha256} for role, file in files.items()},
        "rows": len(corpus.train),
        "attacks": sum(each.attack for each in corpus.train),
        "calibratedOn": len(corpus.validation),
        "validationAccuracy": accuracy,
    }


def main() -> int:
    """Trains, writes the file and says what came out."""
    head = train()
    write_json(HEAD, head)
    print(json.dumps(head["training"], indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
