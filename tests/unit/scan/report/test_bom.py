"""The bill of materials: valid by CycloneDX's own schema, and it names what was judged and what judged."""

from __future__ import annotations

import json
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from sentinel_operator.api.attestation import DetectorPart
from sentinel_workloads.scan.report.bom import bill_of_materials
from sentinel_workloads.scan.report.document import CleanSet, Report
from tests.support.scanned import DIGEST, a_report, a_result

DESCRIPTION = {
    "rules": {"version": "2026.11", "count": 80, "digest": DIGEST},
    "embedding": {"name": "scan-embedding", "version": "1.0.0", "digest": DIGEST},
    "classifier": {"name": "scan-classifier", "version": "1.0.0", "digest": DIGEST},
}


def a_whole_report() -> Report:
    report = a_report(a_result(), a_result(verdict="Quarantined", risk=90))
    return report.model_copy(
        update={
            "detector": DetectorPart(digest=DIGEST, description=DESCRIPTION),
            "clean": CleanSet(uri="s3://out/report/clean.jsonl", digest=DIGEST, documents=1),
        }
    )


def problems(bom: bytes) -> Any:
    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(bom.decode())


def test_it_is_valid() -> None:
    assert problems(bill_of_materials(a_whole_report())) is None
    assert problems(bill_of_materials(a_report())) is None


def test_the_validator_would_find_a_fault() -> None:
    bom = json.loads(bill_of_materials(a_whole_report()))
    bom["components"][0]["type"] = "rules"
    assert problems(json.dumps(bom).encode()) is not None


def test_it_names_dataset_rules_and_models_by_their_digests() -> None:
    bom = json.loads(bill_of_materials(a_whole_report()))
    dataset = bom["metadata"]["component"]
    assert (dataset["type"], dataset["hashes"][0]["content"]) == ("data", DIGEST.removeprefix("sha256:"))
    types = {component["bom-ref"]: component["type"] for component in bom["components"]}
    assert types == {
        "rules": "data",
        "embedding": "machine-learning-model",
        "classifier": "machine-learning-model",
        "clean-set": "data",
    }
    assert all(component["hashes"] for component in bom["components"])
    card = next(component for component in bom["components"] if component["bom-ref"] == "classifier")["modelCard"]
    assert card["modelParameters"]["task"] == "text-classification"


def test_equal_reports_give_equal_bytes() -> None:
    assert bill_of_materials(a_whole_report()) == bill_of_materials(a_whole_report())
