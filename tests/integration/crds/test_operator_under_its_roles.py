"""The operator runs under the very roles that are shipped, and they are enough: nothing that it asks for is refused."""

from __future__ import annotations

import copy
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.cluster import Cluster
from sentinel_operator.api.kinds import SENTINEL_CONFIG, SENTRY_MODEL
from sentinel_operator.app import PARTS
from tests.integration.crds.client import Client, Kubectl, collection
from tests.integration.crds.conftest import ROOT
from tests.support.eventually import eventually
from tests.support.replica import Replica, settings

pytestmark = pytest.mark.integration

BASE = ROOT / "manifests" / "base"
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
REFUSED = 'admission webhook "sentrymodels.sentinel.dev" denied the request'
MERGE = "application/merge-patch+json"
MODEL: dict[str, Any] = {
    "apiVersion": SENTRY_MODEL.api_version,
    "kind": "SentryModel",
    "metadata": {"name": "topics"},
    "spec": {
        "model": {"version": "1.0.0", "source": {"objectStore": {"uri": "s3://models/topics/"}}},
        "schema": {"task": "TextClassification", "labels": ["a", "b"]},
        "replicas": 2,
        "disruption": {"maxUnavailable": 1},
    },
}
SETTINGS = {"apiVersion": SENTINEL_CONFIG.api_version, "kind": "SentinelConfig", "metadata": {"name": "default"}}
PATCH = '{"spec": {"images": {"fetch": "registry.test/fetch:9"}}}'


@pytest.fixture
async def account(api_server: Cluster, api: Client, kubectl: Kubectl, tmp_path: Path) -> Path:
    """Gives a kubeconfig of the operator's service account, bound to the shipped roles."""
    for name in (
        "namespace.yaml",
        "service-account.yaml",
        "generated/operator-roles.yaml",
        "generated/certificate-roles.yaml",
    ):
        kubectl.run("apply", "--server-side", "--force-conflicts", "-f", str(BASE / name))

    async def in_force() -> bool:
        """The authorizer takes notice of new roles a little later; this one is the last of them."""
        asked = {"verb": "get", "resource": "secrets", "name": "sentinel-webhook-tls", "namespace": "sentinel-system"}
        user = "system:serviceaccount:sentinel-system:sentinel-operator"
        kind = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview"}
        review = {**kind, "spec": {"user": user, "resourceAttributes": asked}}
        return bool(api.ok("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"])

    await eventually(in_force)
    token = kubectl.run("create", "token", "sentinel-operator", "-n", "sentinel-system").strip()
    config = yaml.safe_load(api_server.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    path = tmp_path / "account.conf"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture
async def replica(account: Path, api: Client, namespace: str) -> AsyncIterator[Replica]:
    """A replica under the account, and the shipped webhook configuration, narrowed to the test's namespace."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configuration = yaml.safe_load((BASE / "generated/webhooks.yaml").read_text())
    for hook in configuration["webhooks"]:
        hook["clientConfig"] = {"url": f"https://127.0.0.1:{port}{hook['clientConfig']['service']['path']}"}
        hook["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    api.ok("POST", CONFIGURATIONS, configuration)
    chosen = settings(
        account, "sentinel-system", webhook=True, webhook_port=port, webhook_names=("127.0.0.1",), resync=600.0
    )
    try:
        async with Replica(chosen, PARTS) as running:
            yield running
    finally:
        api.ok("DELETE", f"{CONFIGURATIONS}/{configuration['metadata']['name']}")
        api.request("DELETE", "/api/v1/namespaces/sentinel-system/secrets/sentinel-webhook-tls")
        api.request("DELETE", "/apis/coordination.k8s.io/v1/namespaces/sentinel-system/leases/sentinel-operator")


def answers(replica: Replica) -> dict[str, float]:
    """Gives how often the API server gave the operator which status."""
    assert replica.app is not None
    assert replica.app.runtime is not None
    counted: dict[str, float] = {}
    for family in replica.app.runtime.metrics.registry.collect():
        for sample in family.samples:
            if sample.name == "sentinel_controller_api_requests_total":
                code = sample.labels["code"]
                counted[code] = counted.get(code, 0) + sample.value
    return counted


async def test_all_that_it_does_is_allowed(replica: Replica, api: Client, kubectl: Kubectl, namespace: str):
    path = f"{collection(SENTRY_MODEL, namespace)}/topics"

    async def published() -> bool:
        seen = api.ok("GET", f"{CONFIGURATIONS}/sentinel-operator")
        return replica.leads and all(hook["clientConfig"].get("caBundle") for hook in seen["webhooks"])

    await eventually(published)

    broken = copy.deepcopy(MODEL)
    broken["spec"]["runtime"] = {"warmup": [{"features": {}}]}

    async def judged() -> bool:
        _, answer = api.request("POST", collection(SENTRY_MODEL, namespace), broken)
        return bool(answer["message"] == f"{REFUSED}: spec.runtime.warmup[0]: must hold either text or texts")

    await eventually(judged)

    said = kubectl.said("apply", "--server-side", "-n", namespace, "-f", "-", stdin=yaml.safe_dump(MODEL))
    assert "Warning: spec.model.digest is not set: whatever lies in storage when a pod starts is served" in said

    async def children(*wanted: str) -> bool:
        selector = "app.kubernetes.io/managed-by=sentinel-operator"
        names = kubectl.run("get", "deploy,cm,svc,sa,netpol,pdb,hpa", "-n", namespace, "-l", selector, "-o", "name")
        kinds = [line.split("/")[0].split(".")[0] for line in names.splitlines()]
        return sorted(kinds) == sorted(wanted)

    always = ("deployment", "configmap", "service", "serviceaccount", "networkpolicy")
    await eventually(lambda: children(*always, "poddisruptionbudget"))

    async def observed() -> bool:
        seen = api.ok("GET", path)
        return bool(seen["status"]["observedGeneration"] == seen["metadata"]["generation"])

    await eventually(observed)
    autoscaled = {"spec": {"autoscaling": {"min": 2, "max": 4}, "replicas": None}}
    api.ok("PATCH", path, autoscaled, content=MERGE)
    await eventually(lambda: children(*always, "poddisruptionbudget", "horizontalpodautoscaler"))
    api.ok("PATCH", path, {"spec": {"autoscaling": None, "replicas": 1}}, content=MERGE)
    await eventually(lambda: children(*always))
    api.ok("PATCH", path, {"spec": {"model": {"version": "2.0.0"}}}, content=MERGE)
    await eventually(observed)
    api.ok("DELETE", path)

    settings_path = f"{collection(SENTINEL_CONFIG, '')}/default"
    api.ok("POST", collection(SENTINEL_CONFIG, ""), SETTINGS)
    try:
        said = kubectl.said("patch", "sentinelconfig", "default", "--type=merge", "-p", PATCH)
        assert "Warning: spec.images.fetch is another one: every SentryModel gets a new revision" in said

        async def in_force() -> bool:
            seen = api.ok("GET", settings_path)
            (ready,) = (
                each for each in seen["status"].get("conditions") or [{}] if each.get("type") in {"Ready", None}
            )
            return (ready.get("reason"), ready.get("observedGeneration")) == ("InForce", 2)

        await eventually(in_force)
    finally:
        api.ok("DELETE", settings_path)

    counted = answers(replica)
    assert not counted.keys() & {"401", "403"}
    assert counted["200"] + counted["201"] > 10


async def test_a_certificate_that_is_renewed_in_its_config_map_makes_a_new_revision(
    replica: Replica, api: Client, namespace: str
):
    """Resync is ten minutes away: nothing but the watch of metadata, under the shipped roles, can tell."""
    model = copy.deepcopy(MODEL)
    store = model["spec"]["model"]["source"]["objectStore"]
    store["caBundle"] = {"configMapRef": {"name": "store-ca", "key": "ca.crt"}}
    path, config_maps = f"{collection(SENTRY_MODEL, namespace)}/topics", f"/api/v1/namespaces/{namespace}/configmaps"
    bundle = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "store-ca"}, "data": {"ca.crt": "first"}}

    async def revision() -> str:
        status = api.ok("GET", path).get("status", {})
        return str((status.get("canary") or status.get("stable") or {}).get("revision", ""))

    async def missing() -> bool:
        conditions = api.ok("GET", path)["status"].get("conditions", [])
        return any(each["reason"] == "ReferenceNotFound" for each in conditions)

    async def made() -> bool:
        status, _ = api.request("POST", collection(SENTRY_MODEL, namespace), model)
        return status == 201

    await eventually(made)  # the webhook answers by and by
    await eventually(missing)
    api.ok("POST", config_maps, bundle)
    await eventually(revision)
    first = await revision()
    api.ok("PATCH", f"{config_maps}/store-ca", {"data": {"ca.crt": "second"}}, content=MERGE)

    async def renewed() -> bool:
        return await revision() not in {"", first}

    await eventually(renewed)
    api.ok("DELETE", path)
    assert not answers(replica).keys() & {"401", "403"}
