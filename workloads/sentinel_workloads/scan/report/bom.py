"""bom.cdx.json: a CycloneDX 1.6 bill of materials of the dataset and of everything that judged it.

Written by hand: the Python library of CycloneDX knows neither model cards nor the contents of data yet.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from sentinel_operator.api.scanning import Thresholds
from sentinel_workloads.scan.report.document import Report

SPEC_VERSION = "1.6"
TOOL = "sentinel-scan"
_NAMESPACE = uuid.UUID("0e5c3a0c-6c0f-5a53-9a4e-2c9d3c1b7c11")
_TASKS = {"embedding": "feature-extraction", "classifier": "text-classification"}
_PURPOSES = {
    "embedding": "Turns a document into a vector, in which paraphrases of known attacks lie near each other.",
    "classifier": "Says from a document's vector how likely it is poisoned or an injection.",
}


def bill_of_materials(report: Report) -> bytes:
    """The bill of materials of a report: equal reports give equal bytes."""
    models = [_model(part, report) for part in _TASKS if _described(report, part)]
    components = [_rules(report), *models, *_clean_set(report)]
    bom = {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC_VERSION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, report.model_dump_json())}",
        "version": 1,
        "metadata": {
            "timestamp": report.finished_at,
            "tools": {"components": [{"type": "application", "name": TOOL}]},
            "component": _dataset(report),
        },
        "components": components,
        "dependencies": [{"ref": "dataset"}, *({"ref": component["bom-ref"]} for component in components)],
    }
    return json.dumps(bom, indent=2, ensure_ascii=False).encode()


def _dataset(report: Report) -> dict[str, Any]:
    counts = report.counts
    properties = {
        "verdict": report.verdict,
        "objects": report.source.objects,
        "bytes": report.source.bytes,
        "documents": counts.documents,
        "documents.clean": counts.clean,
        "documents.elevated": counts.elevated,
        "documents.quarantined": counts.quarantined,
        "documents.notJudged": counts.failed,
        "merkleRoot": report.attested.merkle_root,
        "detector": report.detector.digest,
        **_thresholds(report.policy.thresholds),
    }
    return {
        "type": "data",
        "bom-ref": "dataset",
        "name": report.source.uri,
        "hashes": _hashes(report.attested.dataset_digest),
        "data": [{"type": "dataset", "name": report.source.uri, "contents": {"url": report.source.uri}}],
        "properties": _properties(properties),
    }


def _thresholds(thresholds: Thresholds) -> dict[str, int]:
    return {"threshold.quarantine": thresholds.quarantine, "threshold.elevated": thresholds.elevated}


def _rules(report: Report) -> dict[str, Any]:
    found = _described(report, "rules")
    return {
        "type": "data",
        "bom-ref": "rules",
        "name": f"{TOOL} rules",
        "version": str(found.get("version", "")),
        "data": [{"type": "definition", "name": "attack rules", "description": "Patterns by which attacks are found."}],
        "properties": _properties({key: value for key, value in found.items() if _plain(value)}),
        **_hashed(found),
    }


def _model(part: str, report: Report) -> dict[str, Any]:
    found = _described(report, part)
    return {
        "type": "machine-learning-model",
        "bom-ref": part,
        "name": str(found.get("name") or part),
        "version": str(found.get("version", "")),
        "description": _PURPOSES[part],
        "modelCard": {
            "modelParameters": {
                "task": _TASKS[part],
                "inputs": [{"format": "text" if part == "embedding" else "vector"}],
                "outputs": [{"format": "vector" if part == "embedding" else "probability"}],
            },
            "considerations": {
                "useCases": ["Finding poisoned documents and prompt injection in training data."],
                "technicalLimitations": ["A document below the threshold is not proven to be harmless."],
            },
        },
        "properties": _properties({key: value for key, value in found.items() if _plain(value)}),
        **_hashed(found),
    }


def _clean_set(report: Report) -> list[dict[str, Any]]:
    if not (clean := report.clean):
        return []
    return [
        {
            "type": "data",
            "bom-ref": "clean-set",
            "name": clean.uri,
            "hashes": _hashes(clean.digest),
            "data": [{"type": "dataset", "name": "clean set", "contents": {"url": clean.uri}}],
            "properties": _properties({"documents": clean.documents}),
        }
    ]


def _described(report: Report, part: str) -> dict[str, Any]:
    found = report.detector.description.get(part)
    return found if isinstance(found, dict) else {}


def _hashed(found: dict[str, Any]) -> dict[str, Any]:
    digest = str(found.get("digest", ""))
    return {"hashes": _hashes(digest)} if digest.startswith("sha256:") else {}


def _hashes(digest: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": digest.removeprefix("sha256:")}]


def _properties(values: dict[str, Any]) -> list[dict[str, str]]:
    return [{"name": f"sentinel.dev:{name}", "value": str(value)} for name, value in values.items()]


def _plain(value: Any) -> bool:
    return isinstance(value, str | int | float)
