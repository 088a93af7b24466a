"""The flow classifier: the same bytes everywhere, the same answers as LightGBM, and faults that are real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from demo.models import qos
from demo.models.artifact import Index
from demo.models.flows import FEATURES, LABELS, draw
from demo.models.sign import verify_directory
from demo.models.tree_export import ParityError, check_parity, export_classifier

ROOT = Path(__file__).resolve().parents[3]

MAKE = """
import sys; from pathlib import Path
from demo.models import digest, qos
artifact, samples = Path(sys.argv[1], "artifact"), Path(sys.argv[1], "samples")
artifact.mkdir(); samples.mkdir()
qos.make(qos.VARIANTS["1.0.0"], artifact, samples)
print(digest.directory_digest(artifact), digest.directory_digest(samples))
"""

# As an older processor would compute, and in another process with another order of sets.
OLDER = {
    "PYTHONHASHSEED": "2",
    "NPY_DISABLE_CPU_FEATURES": "AVX512_ICL X86_V4 X86_V3",
    "OPENBLAS_CORETYPE": "Haswell",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX2,-FMA",
}


def test_two_builds_give_the_same_digests_whatever_the_processor(tmp_path: Path, index: Index):
    digests = []
    for name, environment in (("plain", {"PYTHONHASHSEED": "1"}), ("older", OLDER)):
        (tmp_path / name).mkdir()
        done = subprocess.run(
            [sys.executable, "-c", MAKE, str(tmp_path / name)],
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        digests.append(done.stdout.split())
    assert digests[0] == digests[1]
    assert digests[0][0] == index.entry("qos-flow-classifier", "1.0.0").digest


def test_flows_are_spread_around_the_class_means():
    flows = draw(6000, seed=1)
    assert flows.features.dtype == np.float32
    share = {label: int((flows.labels == label).sum()) for label in LABELS}
    assert share == {
        "Browsing": 1600,
        "Gaming": 800,
        "Texting": 800,
        "Video Call": 1000,
        "Video Streaming": 1200,
        "Video Upload": 600,
    }
    rates = {label: float(flows.features[flows.labels == label, 5].mean()) for label in LABELS}
    assert rates["Video Streaming"] == pytest.approx(1.5e6, rel=0.05)
    assert rates["Texting"] == pytest.approx(472, rel=0.05)
    assert (flows.features > 0).all()


def test_the_graph_answers_as_lightgbm_for_every_row_and_batch():
    flows = draw(3000, seed=3)
    classifier = qos._train(qos.VARIANTS["1.0.0"], flows.features, flows.labels)
    model = export_classifier(classifier, name="flows", features=FEATURES, labels=LABELS)
    unseen = draw(1500, seed=4).features
    assert check_parity(model, classifier, unseen, LABELS) < 1e-5
    assert check_parity(model, classifier, unseen[:1], LABELS) < 1e-5


def test_a_graph_of_another_model_is_refused_at_build():
    flows = draw(1500, seed=3)
    one = qos._train(qos.VARIANTS["1.0.0"], flows.features, flows.labels)
    other = qos._train(qos.VARIANTS["1.1.0"], flows.features, flows.labels)
    model = export_classifier(one, name="flows", features=FEATURES, labels=LABELS)
    with pytest.raises(ParityError, match="a probability differs"):
        check_parity(model, other, flows.features, LABELS)


def test_accuracy_is_realistic_and_the_newer_version_is_better(index: Index):
    old, new = (index.entry("qos-flow-classifier", version).metrics for version in ("1.0.0", "1.1.0"))
    assert 0.93 <= old["accuracy"] <= 0.95
    assert old["rows"] == new["rows"] == 1200
    assert new["accuracy"] > old["accuracy"]
    weakest = sorted(old["perLabel"], key=lambda label: old["perLabel"][label]["f1"])[:2]
    assert set(weakest) == {"Video Streaming", "Video Upload"}


def test_a_higher_threshold_accepts_fewer_and_surer_answers(index: Index):
    curve = index.entry("qos-flow-classifier", "1.0.0").metrics["thresholdCurve"]
    accepted = [point["accepted"] for point in curve]
    assert accepted == sorted(accepted, reverse=True)
    at = {point["threshold"]: point["accuracy"] for point in curve}
    assert at[0.5] < at[0.85] < at[0.99]


def test_the_artifact_describes_itself(models: Path):
    artifact = models / "qos-flow-classifier" / "1.0.0"
    assert sorted(path.name for path in artifact.iterdir()) == ["metadata.json", "model.onnx", "model.sig"]
    metadata = json.loads((artifact / "metadata.json").read_text())
    assert [feature["name"] for feature in metadata["features"]] == list(FEATURES)
    assert metadata["labels"] == list(LABELS)
    model = onnx.load(artifact / "model.onnx")
    properties = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert properties == {"features": list(FEATURES), "labels": list(LABELS)}
    assert model.producer_name == ""
    session = onnxruntime.InferenceSession(artifact / "model.onnx")
    assert [(value.name, value.type, value.shape) for value in session.get_inputs()] == [
        ("features", "tensor(float)", ["N", 6])
    ]
    outputs = {value.name: (value.type, value.shape[-1]) for value in session.get_outputs()}
    assert outputs["probabilities"] == ("tensor(float)", 6)
    assert outputs["label"][0] == "tensor(string)"


def test_the_sample_flows_are_answered_as_well_as_promised(models: Path, index: Index):
    entry = index.entry("qos-flow-classifier", "1.0.0")
    samples = json.loads((models / entry.samples).read_text())["samples"]
    rows = np.array([[sample["features"][name] for name in FEATURES] for sample in samples], np.float32)
    session = onnxruntime.InferenceSession(models / entry.path / "model.onnx")
    labels = session.run(["label"], {"features": rows})[0]
    right = sum(label == sample["label"] for label, sample in zip(labels, samples, strict=True))
    assert right / len(samples) >= 0.85
    assert {sample["label"] for sample in samples} == set(LABELS)


def test_the_mislabelled_version_is_sure_and_wrong(models: Path, index: Index):
    metrics = index.entry("qos-flow-classifier", "2.0.0-mislabelled").metrics
    assert metrics["accuracy"] < 0.4
    assert next(point["accepted"] for point in metrics["thresholdCurve"] if point["threshold"] == 0.85) > 0.85


def test_the_version_with_a_missing_feature_takes_five_inputs(models: Path, index: Index):
    entry = index.entry("qos-flow-classifier", "2.0.0-missing-feature")
    session = onnxruntime.InferenceSession(models / entry.path / "model.onnx")
    assert session.get_inputs()[0].shape == ["N", 5]
    assert entry.features == FEATURES[:-1]


def test_the_truncated_version_is_signed_and_not_a_model(models: Path, index: Index):
    path = models / index.entry("qos-flow-classifier", "2.0.0-truncated").path
    verify_directory(path, models / index.public_key)
    with pytest.raises(Exception, match="Protobuf parsing failed"):
        onnxruntime.InferenceSession(path / "model.onnx")


def test_the_tampered_version_fails_its_signature_alone(models: Path, index: Index):
    from demo.models.digest import directory_digest

    entry = index.entry("qos-flow-classifier", "2.0.0-tampered")
    assert directory_digest(models / entry.path) == entry.digest
    with pytest.raises(ValueError, match=r"model\.onnx"):
        verify_directory(models / entry.path, models / index.public_key)
