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
from sentinel_operator.api.kinds import ACTION_PLAN, ACTION_POLICY, SCAN_JOB, SENTINEL_CONFIG, SENTRY_MODEL
from sentinel_operator.api.scanning import ScanConfig, ScanExit, ScanFailure
from sentinel_operator.app import PARTS
from sentinel_operator.core.names import REQUESTED_BY
from tests.integration.crds.client import Client, Kubectl, collection
from tests.integration.crds.conftest import ROOT
from tests.support.eventually import eventually
from tests.support.replica import Replica, settings
from tests.support.scanworld import a_scan

pytestmark = pytest.mark.integration

BASE = ROOT / "manifests" / "base"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
CONFIGURATIONS = f"{ADMISSION}/validatingwebhookconfigurations"
WEBHOOKS = {"webhooks.yaml": CONFIGURATIONS, "mutating-webhooks.yaml": f"{ADMISSION}/mutatingwebhookconfigurations"}
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
    """A replica under the account, and the shipped webhook configurations, narrowed to the test's namespace."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for file, path in WEBHOOKS.items():
        configuration = yaml.safe_load((BASE / "generated" / file).read_text())
        for hook in configuration["webhooks"]:
            hook["clientConfig"] = {"url": f"https://127.0.0.1:{port}{hook['clientConfig']['service']['path']}"}
            hook["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
        api.ok("POST", path, configuration)
    chosen = settings(
        account, "sentinel-system", webhook=True, webhook_port=port, webhook_names=("127.0.0.1",), resync=600.0
    )
    try:
        async with Replica(chosen, PARTS) as running:
            yield running
    finally:
        for path in WEBHOOKS.values():
            api.ok("DELETE", f"{path}/{configuration['metadata']['name']}")
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


def scan(by: str | None = None, **spec: Any) -> dict[str, Any]:
    raw = a_scan(**spec)
    return {**raw, "metadata": {"name": "tickets", "annotations": {REQUESTED_BY: by} if by is not None else {}}}


async def stamps(api: Client) -> None:
    """Waits until the API server asks the operator about new ScanJobs."""

    async def published() -> bool:
        seen = [api.ok("GET", f"{path}/sentinel-operator") for path in WEBHOOKS.values()]
        return all(hook["clientConfig"].get("caBundle") for each in seen for hook in each["webhooks"])

    await eventually(published)


async def test_nobody_can_say_that_somebody_else_has_asked_for_a_scan(
    replica: Replica, api: Client, kubectl: Kubectl, namespace: str
):
    await stamps(api)
    path = f"{collection(SCAN_JOB, namespace)}/tickets"

    def acts(who: str, *arguments: str, stdin: Any = None, fails: bool = False) -> str:
        given = ("-n", namespace, "--as", who, "--as-group", "system:masters")
        return kubectl.run(*arguments, *given, stdin=yaml.safe_dump(stdin) if stdin else "", fails=fails)

    def requested_by() -> str | None:
        found: str | None = api.ok("GET", path)["metadata"].get("annotations", {}).get(REQUESTED_BY)
        return found

    async def created() -> bool:
        status, _ = api.request("POST", collection(SCAN_JOB, namespace), scan("the-pope", suspend=True))
        return status == 201

    await eventually(created)  # the API server takes note of webhooks by and by
    assert requested_by() not in {None, "the-pope"}
    api.ok("DELETE", path)
    acts("alice", "create", "-f", "-", stdin=scan("bob"))
    assert requested_by() == "alice"
    acts("bob", "annotate", "scanjob/tickets", "--overwrite", f"{REQUESTED_BY}=bob", "team=a")
    assert requested_by() == "alice"
    assert api.ok("GET", path)["metadata"]["annotations"]["team"] == "a"
    acts("bob", "annotate", "scanjob/tickets", f"{REQUESTED_BY}-")
    assert requested_by() == "alice"
    acts("bob", "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=scan("bob", parallelism=2))
    assert requested_by() == "alice"
    acts("bob", "replace", "-f", "-", stdin=scan(parallelism=3))
    assert requested_by() == "alice"
    api.ok("PATCH", f"{path}/status", {"metadata": {"annotations": {REQUESTED_BY: "bob"}}}, content=MERGE)
    assert requested_by() == "alice"

    async def told() -> bool:
        data = api.ok("GET", f"/api/v1/namespaces/{namespace}/configmaps/tickets-scan")["data"]
        config = ScanConfig.model_validate_json(data["scan.json"])
        seen = api.ok("GET", path)
        assert (config.requested_by, config.requested_at) == ("alice", seen["metadata"]["creationTimestamp"])
        return bool(seen["status"]["requestedBy"] == "alice")

    await eventually(told)
    refused = acts("bob", "apply", "--server-side", "-f", "-", stdin=scan(batchSize=0), fails=True)
    assert "spec.batchSize" in refused
    acts("carol", "delete", "scanjob/tickets")
    acts("carol", "create", "-f", "-", stdin=scan())
    assert requested_by() == "carol"
    api.ok("DELETE", path)
    assert not answers(replica).keys() & {"401", "403"}


async def test_a_scan_is_carried_out_and_removed_under_the_shipped_roles(
    replica: Replica, api: Client, kubectl: Kubectl, namespace: str
):
    await stamps(api)
    path, pods = f"{collection(SCAN_JOB, namespace)}/tickets", f"/api/v1/namespaces/{namespace}/pods"

    async def created() -> bool:
        status, _ = api.request("POST", collection(SCAN_JOB, namespace), scan(ttlSecondsAfterFinished=1))
        return status == 201

    await eventually(created)

    async def planning() -> bool:
        return bool(api.ok("GET", pods)["items"])

    await eventually(planning)
    api.ok("PATCH", path, {"spec": {"suspend": True}}, content=MERGE)

    async def suspended() -> bool:
        return bool(api.ok("GET", path)["status"].get("phase") == "Suspended" and not api.ok("GET", pods)["items"])

    await eventually(suspended)
    api.ok("PATCH", path, {"spec": {"suspend": False}}, content=MERGE)
    await eventually(planning)
    (pod,) = api.ok("GET", pods)["items"]
    message = ScanFailure(reason="NotFound", message="there is nothing").model_dump_json(by_alias=True)
    ended = {"terminated": {"exitCode": ScanExit.NotFound, "message": message}}
    container = {"name": "scan", "image": "a", "imageID": "", "ready": False, "restartCount": 0, "state": ended}
    status = {"status": {"phase": "Failed", "containerStatuses": [container]}}
    api.ok("PATCH", f"{pods}/{pod['metadata']['name']}/status", status, content=MERGE)

    async def gone() -> bool:
        return api.request("GET", path)[0] == 404

    await eventually(gone)
    assert not answers(replica).keys() & {"401", "403"}


def a_plan(name: str, *decisions: Any, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name}
    return {
        "apiVersion": ACTION_PLAN.api_version,
        "kind": ACTION_PLAN.kind,
        "metadata": metadata,
        "spec": {"planId": name, "source": "alice", "decisions": list(decisions), **spec},
    }


def of(verb: str, kind: str, name: str, **params: Any) -> dict[str, Any]:
    version = "v1" if kind == "Node" else "apps/v1"
    more = {"params": params} if params else {}
    return {"id": verb, "verb": verb, "target": {"apiVersion": version, "kind": kind, "name": name}, **more}


async def test_plans_are_judged_and_carried_out_under_the_shipped_roles(
    replica: Replica, api: Client, kubectl: Kubectl, namespace: str
):
    await stamps(api)
    policies, node = collection(ACTION_POLICY, ""), f"node-{namespace}"
    labels = {"app": "web"}
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "registry.test/web:1"}]}}
    web = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": pods},
    }
    api.ok("POST", f"/apis/apps/v1/namespaces/{namespace}/deployments", web)
    api.ok("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}})
    quota = {"type": "Quota", "quota": {"maxReplicas": 3}}
    policy = {
        "apiVersion": ACTION_POLICY.api_version,
        "kind": ACTION_POLICY.kind,
        "metadata": {"name": namespace},
        "spec": {"selector": {"namespaces": [namespace]}, "rules": [quota]},
    }

    async def made() -> bool:
        return api.request("POST", policies, policy)[0] == 201

    await eventually(made)  # the webhook answers by and by

    def submit(plan: dict[str, Any], where: str) -> None:
        who = ("--as", "alice", "--as-group", "system:masters")
        kubectl.run("create", "-n", where, *who, "-f", "-", stdin=yaml.safe_dump(plan))

    async def reaches(name: str, state: str, where: str) -> dict[str, Any]:
        async def there() -> dict[str, Any] | None:
            status: dict[str, Any] = api.ok("GET", f"{collection(ACTION_PLAN, where)}/{name}").get("status") or {}
            assert status.get("state") == state, status.get("message")
            return status

        found: dict[str, Any] | None = await eventually(there, within=60)
        assert found is not None
        return found

    try:

        async def held() -> bool:
            return bool((api.ok("GET", f"{policies}/{namespace}").get("status") or {}).get("held") == 1)

        await eventually(held)
        submit(a_plan("tried", of("scale", "Deployment", "web", replicas=2), mode="DryRun"), namespace)
        status = await reaches("tried", "Completed", namespace)
        assert [each["verdict"] for each in status["trace"]] == ["Holds"]
        submit(a_plan("again", of("restart", "Deployment", "web")), namespace)
        status = await reaches("again", "Completed", namespace)
        assert status["requestedBy"]["username"] == "alice"
        drain = a_plan(f"empty-{node}"[:50], of("drain", "Node", node))
        stamp = '{"username":"alice","groups":[]}'
        drain["metadata"]["annotations"] = {"sentinel.dev/requester": stamp}  # this namespace is not asked about here
        submit(drain, "sentinel-system")
        await reaches(drain["metadata"]["name"], "Completed", "sentinel-system")
        assert api.ok("GET", f"/api/v1/nodes/{node}")["spec"]["unschedulable"] is True
    finally:
        api.ok("DELETE", f"{policies}/{namespace}")
        api.ok("DELETE", f"/api/v1/nodes/{node}")
        kubectl.run("delete", "actionplans", "-n", "sentinel-system", "--all")
    assert not answers(replica).keys() & {"401", "403"}
