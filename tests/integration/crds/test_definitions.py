"""What the API server makes of our CRDs: it accepts, explains, defaults, prints, scales and merges."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from sentinel_operator.api.kinds import KINDS, SENTINEL_CONFIG, SENTRY_MODEL, Kind
from tests.integration.crds.client import Client, Kubectl, collection
from tests.integration.crds.conftest import ROOT
from tests.integration.crds.kstatus import kstatus
from tests.unit.crdgen.rule_cases import accepted, examples

pytestmark = pytest.mark.integration

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MINIMAL: dict[str, Any] = {
    "apiVersion": SENTRY_MODEL.api_version,
    "kind": "SentryModel",
    "metadata": {"name": "minimal"},
    "spec": {"model": {"version": "1.0.0", "source": {"objectStore": {"uri": "s3://models/a/"}}}},
}
READY = {"type": "Ready", "status": "True", "reason": "Ready", "lastTransitionTime": "2025-01-01T00:00:00Z"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_each_definition_is_accepted_and_served(api: Client, kind: Kind):
    crd = api.ok("GET", f"{CRDS}/{kind.plural}.{kind.group}")
    conditions = {each["type"]: each for each in crd["status"]["conditions"]}
    assert conditions["NamesAccepted"]["status"] == "True"
    assert conditions["Established"]["status"] == "True"
    assert "NonStructuralSchema" not in conditions
    assert kind.plural in {each["name"] for each in api.ok("GET", f"/apis/{kind.api_version}")["resources"]}


def test_applying_the_definitions_again_changes_nothing(api: Client, kubectl: Kubectl):
    def versions() -> list[str]:
        return [api.ok("GET", f"{CRDS}/{kind.plural}.{kind.group}")["metadata"]["resourceVersion"] for kind in KINDS]

    before = versions()
    kubectl.run("apply", "--server-side", "-k", str(ROOT / "crds"))
    assert versions() == before


def test_client_side_apply_works_too(kubectl: Kubectl, api: Client):
    """Its annotation holds the whole object: a larger definition could not be installed that way."""
    kubectl.run("apply", "--dry-run=server", "-k", str(ROOT / "crds"))


def test_explain_tells_what_a_field_is_for(api: Client, kubectl: Kubectl):
    said = kubectl.run("explain", "sentrymodel.spec.model.digest")
    assert "FIELD: digest <string>" in said
    assert "canonical manifest of the directory" in said
    assert "-required-" in kubectl.run("explain", "sm.spec.model")
    assert "modelServer" in kubectl.run("explain", "scfg.spec.images")


@pytest.mark.parametrize("name", ["sm", "sentrymodel", "sentrymodels", "sentinel"])
def test_kubectl_knows_it_by_short_name_and_category(kubectl: Kubectl, namespace: str, name: str):
    kubectl.run("get", name, "-n", namespace)


def test_no_short_name_of_ours_is_one_of_kubernetes_own(api: Client):
    theirs = set()
    groups = api.ok("GET", "/apis")["groups"]
    for version in ("api/v1", *(f"apis/{group['preferredVersion']['groupVersion']}" for group in groups)):
        if "sentinel.dev" not in version:
            theirs |= {
                short for each in api.ok("GET", f"/{version}")["resources"] for short in each.get("shortNames", ())
            }
    assert "sc" in theirs
    assert theirs.isdisjoint({short for kind in KINDS for short in kind.short_names})


def test_columns_show_what_a_person_looks_for(api: Client, kubectl: Kubectl, namespace: str):
    api.apply(SENTRY_MODEL, namespace, MINIMAL)
    status = {
        "observedGeneration": 1,
        "phase": "Ready",
        "readyReplicas": 2,
        "stable": {"revision": "1a2b3c4d", "version": "1.0.0"},
        "conditions": [READY],
    }
    path = f"{collection(SENTRY_MODEL, namespace)}/minimal/status"
    api.ok("PATCH", path, {"status": status}, content="application/merge-patch+json")
    head, row = kubectl.run("get", "sm", "-n", namespace).splitlines()
    assert head.split() == ["NAME", "READY", "REASON", "VERSION", "REPLICAS", "PHASE", "AGE"]
    assert row.split()[:6] == ["minimal", "True", "Ready", "1.0.0", "2", "Ready"]
    assert {"REVISION", "SIGNED-BY", "URL", "MESSAGE"} <= set(
        kubectl.run("get", "sm", "-n", namespace, "-o", "wide").splitlines()[0].split()
    )


def test_a_field_that_does_not_exist_is_refused_by_name_under_strict_validation(kubectl: Kubectl, namespace: str):
    wrong = copy.deepcopy(MINIMAL)
    wrong["spec"]["model"]["digset"] = "sha256:0"
    said = kubectl.run("apply", "--server-side", "-n", namespace, "-f", "-", stdin=yaml.safe_dump(wrong), fails=True)
    assert "spec.model.digset" in said


def test_a_quantity_that_is_none_is_refused_by_name(api: Client, namespace: str):
    wrong = copy.deepcopy(MINIMAL)
    wrong["spec"]["model"]["maxBytes"] = "20 gigabytes"
    ((field, message),) = api.causes(SENTRY_MODEL, namespace, wrong)
    assert field == "spec.model.maxBytes"
    assert "must be a quantity, such as 250m, 2 or 1Gi" in message


def test_a_name_that_leaves_no_room_for_the_childrens_is_refused(api: Client, namespace: str):
    fits, too_long = copy.deepcopy(MINIMAL), copy.deepcopy(MINIMAL)
    fits["metadata"]["name"], too_long["metadata"]["name"] = "m" * 52, "m" * 53
    assert api.causes(SENTRY_MODEL, namespace, fits) == set()
    ((field, message),) = api.causes(SENTRY_MODEL, namespace, too_long)
    assert field == "metadata.name"
    assert "at most 52 characters" in message


def test_there_is_one_sentinelconfig(api: Client):
    settings = {"apiVersion": SENTINEL_CONFIG.api_version, "kind": "SentinelConfig", "metadata": {"name": "second"}}
    ((field, message),) = api.causes(SENTINEL_CONFIG, "", settings)
    assert field == "metadata.name"
    assert "must be default" in message


def test_the_default_images_are_not_frozen_into_stored_settings(api: Client):
    settings = {"apiVersion": SENTINEL_CONFIG.api_version, "kind": "SentinelConfig", "metadata": {"name": "default"}}
    made = api.ok("POST", f"{collection(SENTINEL_CONFIG, '')}?dryRun=All", settings)
    assert made["spec"]["images"] == {}
    assert made["spec"]["operatorNamespace"] == "sentinel-system"


def test_an_object_that_nobody_has_looked_at_is_in_progress(api: Client, namespace: str):
    made = api.apply(SENTRY_MODEL, namespace, MINIMAL)
    assert made["status"] == {"observedGeneration": -1}
    assert kstatus(made) == "InProgress"
    assert "replicas" not in made["spec"], "a default would fight an autoscaler and Git"


def test_conditions_of_two_writers_are_merged_by_type(api: Client, namespace: str):
    made = api.apply(SENTRY_MODEL, namespace, MINIMAL)
    path = f"{collection(SENTRY_MODEL, namespace)}/minimal/status"
    for manager, condition in (("one", READY), ("two", {**READY, "type": "GPUHealthy", "observedGeneration": 1})):
        api.ok(
            "PATCH",
            f"{path}?fieldManager={manager}",
            {
                "apiVersion": made["apiVersion"],
                "kind": "SentryModel",
                "metadata": {"name": "minimal"},
                "status": {"conditions": [condition]},
            },
            content="application/apply-patch+yaml",
        )
    seen = api.ok("GET", f"{collection(SENTRY_MODEL, namespace)}/minimal")
    assert {each["type"] for each in seen["status"]["conditions"]} == {"Ready", "GPUHealthy"}


def test_the_spec_cannot_be_changed_through_status_nor_status_through_the_spec(api: Client, namespace: str):
    api.apply(SENTRY_MODEL, namespace, MINIMAL)
    path = f"{collection(SENTRY_MODEL, namespace)}/minimal"
    both = {"spec": {"suspend": True}, "status": {"phase": "Ready"}}
    assert "phase" not in api.ok("PATCH", path, both, content="application/merge-patch+json")["status"]
    seen = api.ok("PATCH", f"{path}/status", {"spec": {"suspend": False}}, content="application/merge-patch+json")
    assert seen["spec"]["suspend"] is True


def test_it_can_be_scaled_like_a_deployment(api: Client, kubectl: Kubectl, namespace: str):
    api.apply(SENTRY_MODEL, namespace, MINIMAL)
    kubectl.run("scale", "sm/minimal", "--replicas=3", "-n", namespace)
    path = f"{collection(SENTRY_MODEL, namespace)}/minimal"
    api.ok(
        "PATCH",
        f"{path}/status",
        {"status": {"replicas": 2, "selector": "sentinel.dev/name=minimal"}},
        content="application/merge-patch+json",
    )
    scale = api.ok("GET", f"{path}/scale")
    assert scale["spec"]["replicas"] == 3
    assert scale["status"] == {"replicas": 2, "selector": "sentinel.dev/name=minimal"}


@pytest.mark.parametrize("document", [*accepted(), *examples()], ids=lambda document: document["metadata"]["name"])
def test_applying_an_object_again_changes_nothing(api: Client, namespace: str, document: dict[str, Any]):
    kind = next(kind for kind in KINDS if kind.kind == document["kind"])
    path = f"{collection(kind, namespace)}/{document['metadata']['name']}"
    api.apply(kind, namespace, document)
    try:
        # A creation stores no status, not even its default; the operator's first one is stored right away.
        seen = {"status": {"observedGeneration": 1}}
        reported = api.ok("PATCH", f"{path}/status", seen, content="application/merge-patch+json")
        for _ in range(2):
            again = api.apply(kind, namespace, document)
            assert again["metadata"]["resourceVersion"] == reported["metadata"]["resourceVersion"]
            assert again["metadata"]["generation"] == 1
    finally:
        api.ok("DELETE", path)
