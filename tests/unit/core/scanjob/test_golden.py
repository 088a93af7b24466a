"""What is made of a ScanJob, whole: tests/data/scanjob/<case>/{input,expected}.yaml.

`UPDATE_GOLDEN=1 pytest tests/unit/core/scanjob/test_golden.py` writes the expectations anew; read the difference.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from sentinel_operator.api.scanning import ScanConfig
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.api.serving import FetchConfig
from tests.support.scanworld import UID, ScanWorld
from tests.unit.core.sentrymodel.test_golden import _Dumper

DATA = Path(__file__).parents[3] / "data" / "scanjob"
CASES = sorted(path.name for path in DATA.iterdir())


def world_of(case: dict[str, Any]) -> ScanWorld:
    raw = case["scan"]
    raw["metadata"] = {"namespace": "team-a", "uid": UID, "generation": 1, **raw["metadata"]}
    config = SentinelConfigSpec.model_validate(case.get("config", {}))
    return ScanWorld(raw, config, {each["metadata"]["name"]: each for each in case.get("configMaps", ())})


def as_document(world: ScanWorld) -> dict[str, Any]:
    """Everything that is made until the report is there, and what was told."""
    world.finished(2)
    made = [dict(raw) for _, raw in sorted(world.objects.items())]
    for raw in made:
        raw.pop("status", None)
        raw["metadata"] = {k: v for k, v in raw["metadata"].items() if k not in {"uid", "creationTimestamp"}}
    return {
        "made": made,
        "events": [f"{event.type} {event.reason}: {event.message}" for event in world.events],
        "status": world.status,
    }


@pytest.mark.parametrize("name", CASES)
def test_everything_that_is_made(name):
    case = yaml.safe_load((DATA / name / "input.yaml").read_text())
    found = json.loads(json.dumps(as_document(world_of(case))))
    expected = DATA / name / "expected.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(yaml.dump(found, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True))
    assert found == yaml.safe_load(expected.read_text())


@pytest.mark.parametrize("name", CASES)
def test_the_pods_can_read_what_they_are_told_and_find_it_where_it_says(name):
    world = world_of(yaml.safe_load((DATA / name / "input.yaml").read_text()))
    world.finished(2)
    (files,) = [raw["data"] for (kind, _), raw in world.objects.items() if kind == "ConfigMap"]
    for file, text in files.items():
        if file.startswith("fetch"):
            FetchConfig.model_validate_json(text)
    config = ScanConfig.model_validate_json(files["scan.json"])
    for step in ("plan", "scan", "report"):
        assert _unseen(config, files, world.job(step)["spec"]["template"]["spec"], step) == []


def _unseen(config: ScanConfig, files: dict[str, str], pod: dict[str, Any], step: str) -> list[str]:
    """Gives the files and folders that scan.json names and that the pod does not have."""
    scan = next(each for each in pod["containers"] if each["name"] == "scan")
    mounts = {each["mountPath"] for each in scan["volumeMounts"]}
    stores = [config.source, config.output, config.cache, config.quarantine, config.provenance]
    folders = {store.credentials_dir for store in stores if store is not None}
    cas = {store.access.ca_file for store in stores if store is not None}
    if step == "scan":
        folders |= {path.removesuffix("/artifact") for path in (config.embedding_dir, config.classifier_dir)}
    if step == "report":
        folders |= {path.rpartition("/")[0] for path in (config.signing.key_file, config.signing.token_file)}
        cas.add(config.signing.trust_config_file)
    lacking = [path for path in folders if path and path not in mounts]
    return lacking + [path for path in cas if path and path.removeprefix("/etc/sentinel/") not in files]
