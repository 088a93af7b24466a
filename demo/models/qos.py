"""qos-flow-classifier: which application a network flow belongs to, by gradient-boosted trees."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from demo.models.artifact import METADATA, MODEL, Facts, Recipe, write_json
from demo.models.flows import FEATURES, LABELS, Flows, draw
from demo.models.graph import save
from demo.models.metrics import evaluate
from demo.models.tree_export import check_parity, export_classifier

NAME = "qos-flow-classifier"
SAMPLES = 60
_ROWS, _SEED, _HELD_OUT = 6000, 42, 0.2


class Fault(StrEnum):
    """What is wrong with a version that must not reach users."""

    NONE = "none"
    MISLABELLED = "mislabelled"  # sure of itself and wrong: two pairs of labels are swapped
    MISSING_FEATURE = "missing-feature"  # one input fewer than the schema says
    TRUNCATED = "truncated"  # no ONNX file any more
    TAMPERED = "tampered"  # changed after it was signed


@dataclass(frozen=True, slots=True)
class Variant:
    """One version of the model: what it is trained on, how, and what is wrong with it."""

    version: str
    rows: int = _ROWS
    seed: int = _SEED
    trees: int = 100
    learning_rate: float = 0.1
    fault: Fault = Fault.NONE


GOOD = (Variant("1.0.0"), Variant("1.1.0", rows=24_000, seed=7, trees=150, learning_rate=0.05))
BAD = tuple(Variant(f"2.0.0-{fault}", fault=fault) for fault in Fault if fault is not Fault.NONE)
VARIANTS = {variant.version: variant for variant in (*GOOD, *BAD)}


def recipe(variant: Variant) -> Recipe:
    """Gives how the variant is made."""
    return Recipe(
        name=NAME,
        version=variant.version,
        make=partial(make, variant),
        modules=("qos", "flows", "metrics", "tree_export", "graph", "artifact"),
        distributions=("lightgbm", "numpy", "onnx", "onnxmltools", "scikit-learn"),
        parameters=repr(variant),
        tampered=variant.fault is Fault.TAMPERED,
    )


def make(variant: Variant, artifact: Path, samples: Path) -> Facts:
    """Trains, exports and checks the variant; writes model.onnx, metadata.json and held-out flows."""
    base, held_out = _split(draw(_ROWS, seed=_SEED))
    trained_on = base if variant.seed == _SEED else draw(variant.rows, seed=variant.seed)
    features = FEATURES[:-1] if variant.fault is Fault.MISSING_FEATURE else FEATURES
    classifier = _train(variant, trained_on.features[:, : len(features)], _targets(variant, trained_on.labels))
    model = export_classifier(classifier, name=NAME, features=features, labels=LABELS)
    rows = held_out.features[:, : len(features)]
    parity = check_parity(model, classifier, rows, LABELS)
    metrics = evaluate(np.asarray(classifier.predict_proba(rows)), held_out.labels, LABELS)
    save(model, artifact / MODEL)
    if variant.fault is Fault.TRUNCATED:
        (artifact / MODEL).write_bytes((artifact / MODEL).read_bytes()[:1000])
    write_json(artifact / METADATA, _metadata(variant, features, len(trained_on.labels), metrics))
    write_json(samples / "samples.json", _samples(held_out))
    return Facts("TabularClassification", features, LABELS, metrics, {"parity": parity})


def _split(flows: Flows) -> tuple[Flows, Flows]:
    parts = train_test_split(
        flows.features, flows.labels, test_size=_HELD_OUT, stratify=flows.labels, random_state=_SEED
    )
    return Flows(parts[0], parts[2]), Flows(parts[1], parts[3])


def _train(variant: Variant, rows: NDArray[np.float32], labels: NDArray[np.str_]) -> lightgbm.LGBMClassifier:
    # One thread and column-wise histograms: sums are made in one order, so the trees are the same everywhere.
    return lightgbm.LGBMClassifier(
        n_estimators=variant.trees,
        max_depth=6,
        learning_rate=variant.learning_rate,
        random_state=_SEED,
        n_jobs=1,
        deterministic=True,
        force_col_wise=True,
        verbose=-1,
    ).fit(rows, labels)


def _targets(variant: Variant, labels: NDArray[np.str_]) -> NDArray[np.str_]:
    if variant.fault is not Fault.MISLABELLED:
        return labels
    swapped = dict(zip(LABELS, (LABELS[1], LABELS[0], LABELS[3], LABELS[2], *LABELS[4:]), strict=True))
    return np.asarray([swapped[label] for label in labels])


def _metadata(variant: Variant, features: tuple[str, ...], trained_on: int, metrics: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": NAME,
        "version": variant.version,
        "task": "TabularClassification",
        "format": "ONNX",
        "features": [{"name": name, "dtype": "float32"} for name in features],
        "labels": list(LABELS),
        "training": {
            "algorithm": "LightGBM",
            "trees": variant.trees,
            "maxDepth": 6,
            "learningRate": variant.learning_rate,
            "data": "synthetic flows around the class means of Sentinel-QoS",
            "rows": trained_on,
            "seed": variant.seed,
        },
        "heldOut": metrics,
        "accuracy": metrics["accuracy"],
    }


def _samples(held_out: Flows) -> dict[str, Any]:
    rows = zip(held_out.features[:SAMPLES], held_out.labels[:SAMPLES].tolist(), strict=True)
    # str() of a float32 is the shortest decimal that reads back as the same float32.
    flows = [
        {"features": {name: float(str(value)) for name, value in zip(FEATURES, row, strict=True)}, "label": label}
        for row, label in rows
    ]
    return {"model": NAME, "samples": flows}
