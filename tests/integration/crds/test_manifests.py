"""What `kubectl apply -k` installs: accepted by the API server, of one mind with the code, no more than is needed."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from sentinel_operator import config
from sentinel_operator.api.kinds import KINDS, SENTRY_MODEL
from sentinel_operator.app import PARTS
from sentinel_operator.config import Settings
from sentinel_operator.core.reconciler import READ, ChildKind
from sentinel_operator.core.sentrymodel.reconciler import CHILDREN
from sentinel_operator.crdgen.webhooks import webhook_configuration
from sentinel_operator.hooks.admission import answers
from tests.integration.crds.client import Client, Kubectl, collection
from tests.integration.crds.conftest import ROOT
from tests.support.exposed import exposed

pytestmark = pytest.mark.integration

MANIFESTS = ROOT / "manifests"
VARIANTS = ("base", "overlays/dev", "overlays/cert-manager", "overlays/monitoring")
ACCOUNT = "system:serviceaccount:sentinel-system:sentinel-operator"
MINIMAL: dict[str, Any] = {
    "apiVersion": SENTRY_MODEL.api_version,
    "kind": "SentryModel",
    "metadata": {"name": "minimal"},
    "spec": {"model": {"version": "1.0.0", "source": {"objectStore": {"uri": "s3://models/a/"}}}},
}


@pytest.fixture(scope="module")
def built(kubectl: Kubectl) -> dict[str, list[dict[str, Any]]]:
    """Every variant as kustomize builds it."""
    return {name: list(yaml.safe_load_all(kubectl.run("kustomize", str(MANIFESTS / name)))) for name in VARIANTS}


@pytest.fixture(scope="module")
def ground(api: Client, kubectl: Kubectl) -> Client:
    """The API server with the namespace, the roles, and the kinds that overlays use of others."""
    kubectl.run("apply", "--server-side", "--force-conflicts", "-f", str(MANIFESTS / "base/namespace.yaml"))
    kubectl.run("apply", "--server-side", "--force-conflicts", "-f", str(MANIFESTS / "base/priority-class.yaml"))
    kubectl.run("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / "tests/data/thirdparty"))
    kubectl.run("wait", "--for=condition=Established", "--timeout=30s", "-f", str(ROOT / "tests/data/thirdparty"))
    for name in ("operator-roles.yaml", "certificate-roles.yaml", "user-roles.yaml"):
        kubectl.run("apply", "--server-side", "--force-conflicts", "-f", str(MANIFESTS / "base/generated" / name))
    return api


def one(objects: list[dict[str, Any]], kind: str, name: str = "sentinel-operator") -> dict[str, Any]:
    (found,) = [each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


def pod_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    template: dict[str, Any] = one(objects, "Deployment")["spec"]["template"]
    return template


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_api_server_accepts_it_whole(ground: Client, kubectl: Kubectl, variant: str):
    kubectl.run("apply", "--server-side", "--dry-run=server", "--validate=strict", "-k", str(MANIFESTS / variant))


@pytest.mark.parametrize("variant", VARIANTS)
def test_everything_namespaced_lies_in_one_namespace(built, variant: str):
    assert {each["metadata"]["namespace"] for each in built[variant] if "namespace" in each["metadata"]} == {
        "sentinel-system"
    }


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_pod_security_level_restricted_admits_the_pod(ground: Client, built, namespace: str, variant: str):
    labels = one(built[variant], "Namespace", "sentinel-system")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    ground.ok(
        "PATCH",
        f"/api/v1/namespaces/{namespace}",
        {"metadata": {"labels": labels}},
        content="application/merge-patch+json",
    )
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "sentinel-operator"}}
    ground.ok("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", account)
    pod = {"apiVersion": "v1", "kind": "Pod", **copy.deepcopy(pod_of(built[variant]))}
    pod["metadata"]["name"] = "operator"
    ground.ok("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All&fieldValidation=Strict", pod)
    privileged = copy.deepcopy(pod)
    privileged["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    status, _ = ground.request("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All", privileged)
    assert status == 403


@pytest.mark.parametrize("variant", VARIANTS)
def test_names_ports_and_labels_fit_together(built, variant: str):
    objects = built[variant]
    pod = pod_of(objects)
    labels, (container,) = pod["metadata"]["labels"], pod["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    settings = Settings()
    assert ports == {"http": settings.http_port, "webhook": settings.webhook_port}
    assert {port["targetPort"] for port in one(objects, "Service")["spec"]["ports"]} <= ports.keys()
    for kind in ("Service", "PodDisruptionBudget", "NetworkPolicy", "Deployment"):
        selector = one(objects, kind)["spec"].get("selector") or one(objects, kind)["spec"]["podSelector"]
        assert selector.get("matchLabels", selector).items() <= labels.items()
    for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert container[probe]["httpGet"] == {"path": path, "port": "http"}
    configuration = one(objects, "ValidatingWebhookConfiguration", settings.webhook_configuration)
    for hook in configuration["webhooks"]:
        service = hook["clientConfig"]["service"]
        assert (service["name"], service["namespace"], service["port"]) == (
            settings.webhook_service,
            "sentinel-system",
            443,
        )
    grace = pod["spec"]["terminationGracePeriodSeconds"]
    assert grace > settings.drain + container["lifecycle"]["preStop"]["sleep"]["seconds"]


class NeverAsked:
    async def subject_access_review(self, spec: Mapping[str, Any]) -> bool:
        raise AssertionError(spec)


def test_the_webhook_is_called_at_the_paths_that_are_served(built):
    configurations = [each for each in built["base"] if each["kind"].endswith("WebhookConfiguration")]
    hooks = [hook for each in configurations for hook in each["webhooks"]]
    assert len(configurations) == 2
    served = answers(PARTS.kinds, PARTS.validators, authorizer=NeverAsked())
    assert {hook["clientConfig"]["service"]["path"] for hook in hooks} == set(served)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_setting_in_the_environment_exists(built, variant: str, monkeypatch: pytest.MonkeyPatch):
    (container,) = pod_of(built[variant])["spec"]["containers"]
    given = {each["name"]: each.get("value", "sentinel-system") for each in container["env"]}
    before, after = config.parse([], {}), config.parse([], given)
    for name, value in given.items():
        field = name.removeprefix("SENTINEL_").lower()
        assert str(getattr(after, field)) == value
    assert before.webhook_port == after.webhook_port


def test_with_cert_manager_the_operator_may_not_touch_secrets_or_the_configuration(built):
    objects = built["overlays/cert-manager"]
    for role in (each for each in objects if each["kind"] in ("Role", "ClusterRole")):
        resources = set(chain.from_iterable(rule["resources"] for rule in role["rules"]))
        assert not resources & {"secrets", "mutatingwebhookconfigurations", "validatingwebhookconfigurations"}
    certificate = one(objects, "Certificate", "sentinel-webhook")
    mounted = {each["secret"]["secretName"] for each in pod_of(objects)["spec"]["volumes"] if "secret" in each}
    assert mounted == {certificate["spec"]["secretName"]}
    assert "sentinel-operator.sentinel-system.svc" in certificate["spec"]["dnsNames"]
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        annotations = one(objects, kind)["metadata"]["annotations"]
        assert annotations["cert-manager.io/inject-ca-from"] == "sentinel-system/sentinel-webhook"


# ------------------------------------------------------------------------------------------------ rights


def allowed(api: Client, group: str, resource: str, verb: str, *, namespace: str = "default", name: str = "") -> bool:
    """Asks the API server what the operator's account may do."""
    resource, _, subresource = resource.partition("/")
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": ACCOUNT,
            "groups": ["system:serviceaccounts", "system:authenticated"],
            "resourceAttributes": {
                "group": group,
                "resource": resource,
                "subresource": subresource,
                "verb": verb,
                "namespace": namespace,
                "name": name,
            },
        },
    }
    answer = api.ok("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    return bool(answer["status"]["allowed"])


def declared() -> Iterator[ChildKind]:
    for reconciler in PARTS.reconcilers:
        yield from reconciler.children


def test_the_operator_may_do_what_its_reconcilers_declare(ground: Client):
    for child in declared():
        group = child.api_version.rpartition("/")[0]
        for verb in child.verbs:
            assert allowed(ground, group, child.plural, verb), f"{verb} {child.plural}"
    for kind in KINDS:
        for resource, verb in ((kind.plural, "get"), (kind.plural, "watch")):
            assert allowed(ground, kind.group, resource, verb), f"{verb} {resource}"
        assert allowed(ground, kind.group, f"{kind.plural}/status", "patch") == kind.declared


@pytest.mark.parametrize(
    ("group", "resource", "verb", "name", "wanted"),
    [
        ("coordination.k8s.io", "leases", "create", "", True),
        ("coordination.k8s.io", "leases", "update", "sentinel-operator", True),
        ("coordination.k8s.io", "leases", "update", "kube-scheduler", False),
        ("", "secrets", "create", "", True),
        ("", "secrets", "get", "sentinel-webhook-tls", True),
        ("", "secrets", "update", "sentinel-webhook-tls", True),
        ("", "secrets", "get", "other", False),
        ("", "secrets", "list", "", False),
        ("", "secrets", "delete", "sentinel-webhook-tls", False),
    ],
    ids=str,
)
def test_in_its_own_namespace_it_has_its_lease_and_its_certificate(
    ground: Client, group: str, resource: str, verb: str, name: str, wanted: bool
):
    assert allowed(ground, group, resource, verb, namespace="sentinel-system", name=name) is wanted
    if resource == "secrets":
        assert not allowed(ground, group, resource, verb, namespace="default", name=name)


@pytest.mark.parametrize(
    ("group", "resource", "verb"),
    [
        ("", "secrets", "get"),
        ("", "secrets", "list"),
        ("", "pods", "create"),
        ("", "pods", "delete"),
        ("", "pods/exec", "create"),
        ("", "namespaces", "delete"),
        ("", "nodes", "delete"),
        ("", "serviceaccounts/token", "create"),
        ("rbac.authorization.k8s.io", "roles", "escalate"),
        ("rbac.authorization.k8s.io", "roles", "bind"),
        ("rbac.authorization.k8s.io", "clusterroles", "create"),
        ("rbac.authorization.k8s.io", "clusterrolebindings", "create"),
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations", "create"),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "patch"),
        ("apiextensions.k8s.io", "customresourcedefinitions", "patch"),
        ("sentinel.dev", "sentrymodels", "create"),
        ("sentinel.dev", "sentrymodels", "update"),
        ("sentinel.dev", "actionplans", "create"),
        ("sentinel.dev", "actionplans", "patch"),
        ("sentinel.dev", "actionplans", "approve"),
        ("sentinel.dev", "actionpolicies", "patch"),
        ("sentinel.dev", "sentrymodels", "delete"),
        ("sentinel.dev", "sentinelconfigs", "patch"),
    ],
    ids=str,
)
def test_and_nothing_else(ground: Client, group: str, resource: str, verb: str):
    assert not allowed(ground, group, resource, verb, name="anything")


# ------------------------------------------------------------------------------------------------ Argo CD


def test_the_component_for_argo_cd_goes_into_its_own_settings(kubectl: Kubectl, tmp_path: Path):
    argocd_cm = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm"},
        "data": {"url": "argo.test"},
    }
    (tmp_path / "argocd-cm.yaml").write_text(yaml.safe_dump(argocd_cm))
    component = os.path.relpath(MANIFESTS / "argocd", tmp_path.resolve())
    kustomization = {"resources": ["argocd-cm.yaml"], "components": [component]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    built = yaml.safe_load(kubectl.run("kustomize", str(tmp_path)))
    assert built["metadata"] == {"name": "argocd-cm"}
    assert sorted(built["data"]) == [
        "resource.customizations.actions.sentinel.dev_ScanJob",
        "resource.customizations.actions.sentinel.dev_SentryModel",
        "resource.customizations.health.sentinel.dev_ActionPlan",
        "resource.customizations.health.sentinel.dev_ActionPolicy",
        "resource.customizations.health.sentinel.dev_ScanJob",
        "resource.customizations.health.sentinel.dev_SentinelConfig",
        "resource.customizations.health.sentinel.dev_SentryModel",
        "url",
    ]


# ------------------------------------------------------------------------------------------------ the webhook


def test_while_the_webhook_is_down_specs_are_safe_and_the_rest_goes_on(ground: Client, namespace: str):
    """The configuration as generated, narrowed to one namespace, with nobody behind it."""
    ground.apply(SENTRY_MODEL, namespace, MINIMAL)
    configuration = webhook_configuration([SENTRY_MODEL], Settings(namespace=namespace))
    configuration["metadata"]["name"] = namespace
    for hook in configuration["webhooks"]:
        hook["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    configurations = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    ground.ok("POST", configurations, configuration)
    path, merge = f"{collection(SENTRY_MODEL, namespace)}/minimal", "application/merge-patch+json"
    try:
        for attempt in range(200):  # the API server takes note of a new configuration by and by
            body = {"spec": {"labels": {"attempt": str(attempt)}}}
            status, answer = ground.request("PATCH", path, body, content=merge)
            if status != 200:
                break
        assert status == 500
        assert "failed calling webhook" in answer["message"]
        status, _ = ground.request("POST", collection(SENTRY_MODEL, namespace), {**MINIMAL, "metadata": {"name": "b"}})
        assert status == 500
        ground.ok("PATCH", path, {"metadata": {"labels": {"team": "netops"}}}, content=merge)
        ground.ok("PATCH", f"{path}/status", {"status": {"phase": "Ready"}}, content=merge)
        ground.ok("PATCH", f"{path}/scale", {"spec": {"replicas": 2}}, content=merge)
        ground.ok("PATCH", path, {"metadata": {"finalizers": ["sentinel.dev/test"]}}, content=merge)
        ground.ok("DELETE", path)
        ground.ok("PATCH", path, {"metadata": {"finalizers": []}}, content=merge)
        assert ground.request("GET", path)[0] == 404
    finally:
        ground.ok("DELETE", f"{configurations}/{namespace}")


# ------------------------------------------------------------------------------------------------ monitoring


def rules(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = [each for each in objects if each["kind"] == "PrometheusRule"]
    return [rule for each in found for group in each["spec"]["groups"] for rule in group["rules"]]


def test_alerts_ask_for_what_is_exposed(built):
    names = exposed()
    alerts = rules(built["overlays/monitoring"])
    assert len(alerts) > 8
    for alert in alerts:
        promql_parser.parse(alert["expr"])
        asked = set(re.findall(r"\bsentinel_[a-z_]+", alert["expr"]))
        assert asked
        assert asked <= names, alert["alert"]
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert {"summary", "description"} <= alert["annotations"].keys()


def test_the_components_for_gpus_and_dashboards_are_accepted(ground: Client, kubectl: Kubectl, tmp_path: Path):
    kubectl.run("apply", "--server-side", "--force-conflicts", "-f", str(MANIFESTS / "agent/base/namespace.yaml"))
    names = ("agent/base", "agent/monitoring", "components/dashboards")
    agent, *components = (os.path.relpath(MANIFESTS / name, tmp_path.resolve()) for name in names)
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump({"resources": [agent], "components": components}))
    objects = list(yaml.safe_load_all(kubectl.run("kustomize", str(tmp_path))))
    dashboards = one(objects, "ConfigMap", "sentinel-dashboards")
    assert dashboards["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert sorted(dashboards["data"]) == ["bridge.json", "gpus.json", "models.json"]
    assert one(objects, "PodMonitor", "sentinel-agent")["spec"]["podMetricsEndpoints"][0]["port"] == "metrics"
    kubectl.run("apply", "--server-side", "--dry-run=server", "--validate=strict", "-k", str(tmp_path))


def test_what_is_scraped_is_there_to_be_scraped(built):
    objects = built["overlays/monitoring"]
    (endpoint,) = one(objects, "PodMonitor")["spec"]["podMetricsEndpoints"]
    (container,) = pod_of(objects)["spec"]["containers"]
    assert endpoint["port"] in {port["name"] for port in container["ports"]}
    (of_models,) = one(objects, "PodMonitor", "sentinel-models")["spec"]["podMetricsEndpoints"]
    assert of_models["port"] == "metrics"
    (of_scans,) = one(objects, "PodMonitor", "sentinel-scans")["spec"]["podMetricsEndpoints"]
    assert of_scans["port"] == "metrics"
    admitted = one(objects, "NetworkPolicy", "sentinel-operator-metrics")["spec"]["ingress"][0]
    assert admitted["ports"] == [{"port": endpoint["port"], "protocol": "TCP"}]


def test_what_kubernetes_makes_for_our_objects_is_only_read():
    watched = {child.plural: child.verbs for child in CHILDREN if "create" not in child.verbs}
    assert watched == {"pods": READ, "endpointslices": READ}
