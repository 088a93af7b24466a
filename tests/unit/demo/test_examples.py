"""The examples are what the API accepts and what the build makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from demo.models.artifact import Entry, Index
from sentinel_operator.api.base import API_VERSION
from sentinel_operator.api.scanjob import ScanJobSpec
from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.core.admission import scanjob
from sentinel_operator.core.admission import sentrymodel as admission

FOLDER = Path(__file__).resolve().parents[3] / "examples"
SCANS = sorted(FOLDER.glob("scan*.yaml"))
EXAMPLES = sorted({*FOLDER.glob("*.yaml"), *FOLDER.glob("rollouts/*.yaml")} - set(SCANS))
"""Of models."""


@pytest.fixture(params=EXAMPLES, ids=lambda path: path.stem)
def manifest(request: pytest.FixtureRequest) -> dict[str, Any]:
    return yaml.safe_load(request.param.read_text())


@pytest.fixture
def spec(manifest: dict[str, Any]) -> SentryModelSpec:
    return SentryModelSpec.model_validate(manifest["spec"])


@pytest.fixture
def entry(spec: SentryModelSpec, index: Index) -> Entry:
    """What the build made at the place that the example names."""
    assert spec.model.source.object_store is not None
    path = spec.model.source.object_store.uri.removeprefix("s3://models/").rstrip("/")
    return next(entry for entry in index.models if entry.path == path)


def test_there_is_an_example_of_each():
    assert [path.stem for path in EXAMPLES if path.parent.name == "examples"] == [
        "injection-classifier",
        "qos-flow-classifier",
        "sentrymodel-minimal",
    ]
    assert [path.stem for path in EXAMPLES if path.parent.name == "rollouts"] == [
        "blue-green",
        "canary",
        "hot-swap",
        "shadow",
    ]


def test_there_are_examples_of_scans():
    assert [path.stem for path in SCANS] == ["scan-prompts", "scanjob-minimal", "scanjob"]


@pytest.mark.parametrize("path", SCANS, ids=lambda path: path.stem)
def test_admission_has_nothing_to_say_against_a_scan_and_no_field_is_misspelt(path: Path):
    manifest = yaml.safe_load(path.read_text())
    assert (manifest["apiVersion"], manifest["kind"]) == (API_VERSION, "ScanJob")
    assert scanjob.read(manifest)[1] == ()
    spec = ScanJobSpec.model_validate(manifest["spec"])
    assert spec.model_dump(mode="json", by_alias=True, exclude_unset=True) == manifest["spec"]


def test_the_scan_of_the_demo_names_what_the_build_makes(index: Index):
    spec = ScanJobSpec.model_validate(yaml.safe_load((FOLDER / "scan-prompts.yaml").read_text())["spec"])
    for detector in (spec.detectors.embedding, spec.detectors.classifier):
        assert detector is not None
        assert detector.model.source.object_store is not None
        path = detector.model.source.object_store.uri.removeprefix("s3://models/").rstrip("/")
        made = next(entry for entry in index.models if entry.path == path)
        assert detector.model.digest == made.digest, f"the build of {made.name} changed: put this digest there"


def test_admission_has_nothing_to_say_against_it(manifest: dict[str, Any]):
    assert manifest["apiVersion"] == API_VERSION
    assert manifest["kind"] == "SentryModel"
    assert admission.read(manifest)[1] == ()


def test_no_field_is_misspelt(manifest: dict[str, Any], spec: SentryModelSpec):
    kept = spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert kept == manifest["spec"]


def test_the_digest_is_that_of_what_the_build_makes(spec: SentryModelSpec, entry: Entry):
    assert spec.model.digest == entry.digest, (
        f"the build of {entry.name} {entry.version} changed: put this digest there"
    )
    assert spec.model.version == entry.version


def test_the_schema_is_the_models_own(spec: SentryModelSpec, entry: Entry):
    schema = spec.schema_
    if schema.task == "Generic":
        return
    assert schema.task == entry.task
    assert tuple(feature.name for feature in schema.features or ()) == entry.features
    assert tuple(schema.labels or ()) == entry.labels
    assert set(schema.label_policies or ()) <= {*entry.labels, "default"}
    assert spec.model.metadata == {"accuracy": f"{entry.metrics['accuracy']:.3f}"}


def test_signed_examples_take_the_public_key_from_a_secret(spec: SentryModelSpec):
    for authority in spec.model.verify.authorities if spec.model.verify else ():
        assert authority.key is not None
        assert authority.key.pem is None
        assert authority.key.secret_ref is not None
