"""The bridge as `kubectl apply -k manifests/bridge` installs it: accepted, restricted, with the rights that it uses."""

from __future__ import annotations

import copy
import os
import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from sentinel_operator.bridge import settings as bridge_settings
from sentinel_operator.bridge.rights import ANYWHERE, INSIDE, NAME, SECRETS
from sentinel_operator.bridge.settings import Settings
from tests.integration.crds.client import Client, Kubectl
from tests.integration.crds.conftest import ROOT
from tests.support.exposed import exposed

pytestmark = pytest.mark.integration

MANIFESTS = ROOT / "manifests"
HOME = "sentinel-system"


@pytest.fixture(scope="module")
def ground(api: Client, kubectl: Kubectl) -> Client:
    """The API server with the namespace, the kinds of others, and the bridge's roles."""
    for path in (
        "manifests/base/namespace.yaml",
        "tests/data/thirdparty",
        "manifests/bridge/generated/bridge-roles.yaml",
    ):
        kubectl.run("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / path))
    kubectl.run("wait", "--for=condition=Established", "--timeout=30s", "-f", str(ROOT / "tests/data/thirdparty"))
    return api


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """The bridge with its component."""
    bridge, monitoring = (
        os.path.relpath(MANIFESTS / name, tmp_path.resolve()) for name in ("bridge", "bridge/monitoring")
    )
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump({"resources": [bridge], "components": [monitoring]}))
    return tmp_path


@pytest.fixture
def built(kubectl: Kubectl, whole: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(kubectl.run("kustomize", str(whole))))


def one(objects: list[dict[str, Any]], kind: str, name: str = NAME) -> dict[str, Any]:
    (found,) = [each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


def test_the_api_server_accepts_it_whole_in_one_namespace(ground: Client, kubectl: Kubectl, whole: Path, built: Any):
    kubectl.run("apply", "--server-side", "--dry-run=server", "--validate=strict", "-k", str(whole))
    assert {each["metadata"]["namespace"] for each in built if "namespace" in each["metadata"]} == {HOME}


def test_the_pod_security_level_restricted_admits_the_pod(ground: Client, namespace: str, built: Any):
    label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    merge = "application/merge-patch+json"
    ground.ok("PATCH", f"/api/v1/namespaces/{namespace}", label, content=merge)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME}}
    ground.ok("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", account)
    pod = {"apiVersion": "v1", "kind": "Pod", **copy.deepcopy(one(built, "Deployment")["spec"]["template"])}
    pod["metadata"]["name"] = "bridge"
    ground.ok("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All&fieldValidation=Strict", pod)


def test_names_ports_and_settings_fit_together(built: Any):
    template = one(built, "Deployment")["spec"]["template"]
    labels, (container,) = template["metadata"]["labels"], template["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": Settings().http_port}
    assert container["command"][-1] == "sentinel_operator.bridge"
    for kind in ("PodDisruptionBudget", "NetworkPolicy", "Deployment", "PodMonitor"):
        spec = one(built, kind)["spec"]
        selector = spec.get("selector") or spec["podSelector"]
        assert selector["matchLabels"].items() <= labels.items()
    for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert container[probe]["httpGet"] == {"path": path, "port": "http"}
    given = {each["name"]: each.get("value", HOME) for each in container["env"]}
    assert bridge_settings.parse([], given).namespace == HOME
    assert template["spec"]["terminationGracePeriodSeconds"] > 2 * Settings().flush + 2 * Settings().lease_retry
    (endpoint,) = one(built, "PodMonitor")["spec"]["podMetricsEndpoints"]
    (let_in,) = one(built, "NetworkPolicy", f"{NAME}-metrics")["spec"]["ingress"]
    assert let_in["ports"] == [{"port": endpoint["port"], "protocol": "TCP"}]


def allowed(api: Client, group: str, resource: str, verb: str, *, namespace: str = "", name: str = "") -> bool:
    """Asks the API server what the bridge's account may do."""
    attributes = {"group": group, "resource": resource, "verb": verb, "namespace": namespace, "name": name}
    spec = {"user": f"system:serviceaccount:{HOME}:{NAME}", "resourceAttributes": attributes}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    answer = api.ok("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    return bool(answer["status"]["allowed"])


def test_it_may_do_what_it_does(ground: Client):
    for rights, namespace in ((ANYWHERE, "default"), (INSIDE, HOME)):
        for resource, verbs in rights.items():
            group = resource.api_version.rpartition("/")[0]
            for verb in verbs:
                where = namespace if resource.namespaced else ""
                assert allowed(ground, group, resource.plural, verb, namespace=where), f"{verb} {resource.plural}"
    for name in SECRETS:
        assert allowed(ground, "", "secrets", "get", namespace=HOME, name=name)
    for verb in ("get", "update"):
        assert allowed(ground, "coordination.k8s.io", "leases", verb, namespace=HOME, name=Settings().lease)


@pytest.mark.parametrize(
    ("group", "resource", "verb", "namespace", "name"),
    [
        ("", "secrets", "list", HOME, ""),
        ("", "secrets", "get", HOME, "sentinel-webhook-tls"),
        ("", "secrets", "get", "default", SECRETS[0]),
        ("", "secrets", "update", HOME, SECRETS[0]),
        ("", "pods", "list", HOME, ""),
        ("", "nodes", "patch", "", ""),
        ("apps", "deployments", "patch", "default", ""),
        ("apps", "deployments", "list", "default", ""),
        ("coordination.k8s.io", "leases", "update", HOME, "sentinel-operator"),
        ("sentinel.dev", "actionplans", "create", "default", ""),
        ("sentinel.dev", "actionplans", "approve", HOME, ""),
        ("sentinel.dev", "actionplans", "delete", HOME, ""),
        ("sentinel.dev", "actionplans/status", "patch", HOME, ""),
        ("sentinel.dev", "actionpolicies", "list", "", ""),
        ("sentinel.dev", "sentrymodels", "patch", "default", ""),
        ("sentinel.dev", "sentinelconfigs", "patch", "", ""),
    ],
    ids=str,
)
def test_and_nothing_else(ground: Client, group: str, resource: str, verb: str, namespace: str, name: str):
    assert not allowed(ground, group, resource, verb, namespace=namespace, name=name)


def test_alerts_ask_for_what_is_exposed(built: Any):
    names = exposed()
    (group,) = one(built, "PrometheusRule")["spec"]["groups"]
    assert len(group["rules"]) > 4
    for alert in group["rules"]:
        promql_parser.parse(alert["expr"])
        asked = set(re.findall(r"\bsentinel_[a-z_]+", alert["expr"]))
        assert asked
        assert asked <= names, alert["alert"]
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert {"summary", "description"} <= alert["annotations"].keys()
