"""A model that demands the report of a scan: what its pods are told and given, and what is said without one."""

from __future__ import annotations

import json

import pytest
import yaml

from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.api.serving import ExitCode, FetchConfig
from sentinel_operator.core.sentrymodel.references import config_maps, secrets
from sentinel_operator.core.sentrymodel.render import render
from tests.support.builders import a_config_map, a_model
from tests.unit.core.sentrymodel.scenes import first_revision, new_version, served
from tests.unit.crdgen.rule_cases import DATA

SCANNED = yaml.safe_load((DATA / "accepted" / "scanned.yaml").read_text())
REQUIRED = SCANNED["spec"]["model"]["requireScan"]


def rendered() -> dict[str, dict]:
    maps = [a_config_map("store-ca", **{"ca.pem": "CA"}), a_config_map("sigstore", **{"trusted_root.json": "{}"})]
    raw = {**SCANNED, "metadata": {**SCANNED["metadata"], "namespace": "team-a"}}
    return {child["kind"]: child for child in render(raw, config_maps=maps)}


def test_the_pods_are_told_which_report_and_whose_signature():
    data = rendered()["ConfigMap"]["data"]
    required = FetchConfig.model_validate_json(data["fetch.json"]).require_scan
    assert required is not None
    assert required.uri == REQUIRED["report"]["uri"]
    assert (required.verdict, required.dataset_digest) == ("Quarantined", REQUIRED["datasetDigest"])
    assert required.object_store.ca_file == "/etc/sentinel/scan-ca-bundle.pem"
    assert required.credentials_dir == "/etc/sentinel-secrets/scan-credentials"
    by_secret, by_pem, keyless = required.authorities
    assert by_secret.public_key_file == "/etc/sentinel-secrets/scan-authority-0/authority.pem"
    assert by_pem.public_key_file == "/etc/sentinel/scan-authority-1.pem"
    assert keyless.trust_root_file == "/etc/sentinel/scan-trust-root-2.json"
    assert keyless.identities[0].subject == REQUIRED["authorities"][2]["keyless"]["subject"]
    assert (data["scan-ca-bundle.pem"], data["scan-trust-root-2.json"]) == ("CA", "{}")
    assert "PUBLIC KEY" in data["scan-authority-1.pem"]


def test_only_what_fetches_sees_the_reports_credentials():
    pod = rendered()["Deployment"]["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume.get("secret", {}).get("secretName") for volume in pod["volumes"]}
    assert volumes["scan-credentials"] == "datasets"
    assert volumes["scan-authority-0"] == "scan-signing"
    seen = {
        container["name"]: {mount["name"] for mount in container["volumeMounts"]}
        for container in (*pod["initContainers"], *pod["containers"])
    }
    assert {"scan-credentials", "scan-authority-0"} <= seen["fetch"]
    assert not any(name.startswith("scan-") for name in seen["server"])


def test_what_it_names_is_looked_for_under_its_field():
    spec = SentryModelSpec.model_validate(SCANNED["spec"])
    assert {(each.field, each.name) for each in secrets(spec)} == {
        ("spec.model.requireScan.report.credentialsSecretRef", "datasets"),
        ("spec.model.requireScan.authorities[0].key.secretRef", "scan-signing"),
    }
    assert {(each.field, each.name) for each in config_maps(spec)} == {
        ("spec.model.requireScan.report.caBundle.configMapRef", "store-ca"),
        ("spec.model.requireScan.authorities[2].keyless.trustRoot", "sigstore"),
    }


def test_a_model_that_demands_nothing_is_told_what_it_always_was():
    (config_map,) = (child for child in render(a_model().raw) if child["kind"] == "ConfigMap")
    assert "requireScan" not in json.loads(config_map["data"]["fetch.json"])


@pytest.mark.parametrize(
    ("code", "stalled", "verified"),
    [(ExitCode.ScanMissing, "False", "Unknown"), (ExitCode.ScanInvalid, "True", "False")],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_missing_report_is_waited_for_and_a_bad_one_is_not(code: ExitCode, stalled: str, verified: str):
    field = "spec.model.requireScan.report.uri"
    world = first_revision(a_model(), lambda pod: pod.refused(code, "as it says", field=field))
    ready = world.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", code.name)
    assert ready["message"].startswith(f"{field}: as it says")
    assert world.condition("Stalled")["status"] == stalled
    assert world.condition("ModelVerified")["status"] == verified


def test_a_new_version_with_a_bad_report_never_takes_the_place_of_the_old_one():
    world = new_version(served(), lambda pod: pod.refused(ExitCode.ScanInvalid, "over another dataset"))
    world.settle()
    assert world.replicas() == {"1.0.0": 3}
    (rejected,) = (each for each in world.status["revisions"] if each["verdict"] == "Rejected")
    assert (rejected["version"], rejected["reason"]) == ("2.0.0", "ScanInvalid")


def test_a_new_version_whose_report_is_not_there_yet_is_not_rejected():
    world = new_version(served(), lambda pod: pod.refused(ExitCode.ScanMissing, "not yet"))
    assert not [each for each in world.status["revisions"] if each["verdict"] == "Rejected"]
    assert world.condition("Ready")["reason"] == "ScanMissing"
