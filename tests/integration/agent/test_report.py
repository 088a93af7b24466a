"""What the cluster is told, by the account and under the policy that are shipped."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from devcluster.cluster import Cluster
from sentinel_operator.api.nodetelemetry import NodeTelemetryStatus
from tests.integration.agent.conftest import ROOT, Start
from tests.integration.crds.client import Client, Kubectl
from tests.support.agentnode import Node, Running
from tests.support.cuttingproxy import CuttingProxy, Fault

pytestmark = pytest.mark.integration

FIRST = "GPU-00000000-0000-0000-0000-000000000000"
OBJECTS = "/apis/sentinel.dev/v1alpha1/nodetelemetries"
LABEL = "sentinel.dev/gpu-health"
APPLY = "application/apply-patch+yaml"
Kubeconfig = Callable[[str], Path]


@pytest.fixture
def name(api: Client) -> Iterator[str]:
    """A Node of the cluster."""
    made = f"node-{uuid.uuid4().hex[:8]}"
    api.ok("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": made}})
    yield made
    api.request("DELETE", f"/api/v1/nodes/{made}")
    api.request("DELETE", f"{OBJECTS}/{made}")


@pytest.fixture
def kubeconfig(api_server: Cluster, api: Client, kubectl: Kubectl, tmp_path: Path) -> Kubeconfig:
    """Gives a kubeconfig with the token that the agent's pod on a node has; without a node, with one of no pod."""

    def of(node: str) -> Path:
        bound: list[str] = []
        if node:
            pod = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": f"agent-{node}"},
                "spec": {
                    "nodeName": node,
                    "serviceAccountName": "sentinel-agent",
                    "priorityClassName": "sentinel-agent",
                    "containers": [{"name": "agent", "image": "sentinel.dev/agent:dev"}],
                },
            }
            made = api.ok("POST", "/api/v1/namespaces/sentinel-agent/pods", pod)["metadata"]
            bound = ["--bound-object-kind=Pod", f"--bound-object-name={made['name']}"]
            bound.append(f"--bound-object-uid={made['uid']}")
        token = kubectl.run("create", "token", "sentinel-agent", "-n", "sentinel-agent", *bound).strip()
        config = yaml.safe_load(api_server.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": token}
        path = tmp_path / f"kubeconfig-{node or 'nobody'}"
        path.write_text(yaml.safe_dump(config))
        return path

    return of


def reporting(start: Start, kubeconfig: Path, name: str, **settings: str) -> Running:
    given = {"node": name, "report": "true", "kubeconfig": str(kubeconfig), "least_gap": "0.5", **settings}
    return start(**given)


def told(api: Client, name: str) -> NodeTelemetryStatus:
    code, found = api.request("GET", f"{OBJECTS}/{name}")
    assert code == 200, found
    return NodeTelemetryStatus.model_validate(found.get("status") or {})


def condition(status: NodeTelemetryStatus, type_: str) -> tuple[str, str]:
    (found,) = [each for each in status.conditions or [] if each.type == type_]
    return found.status, found.reason


def test_it_tells_of_its_node(api: Client, kubectl: Kubectl, kubeconfig, name: str, node: Node, start: Start):
    node.add_pod("serving", "topics-0", "server", pid=4242)
    node.gpus.process(0, 4242, memory=2048, utilization=30)
    node.gpus.gpu(0, utilization=30, temperature=61, power=200)
    agent = reporting(start, kubeconfig(name), name)
    agent.until(lambda: len(told(api, name).devices) == 2 and told(api, name).devices[0].pods)
    status = told(api, name)
    assert condition(status, "Ready") == ("True", "Reporting")
    assert condition(status, "GPUHealthy") == ("True", "AllHealthy")
    assert status.nvml is not None
    assert (status.gpus, status.nvml.state, status.nvml.driver_version) == (2, "Working", "570.00")
    first = status.devices[0]
    assert (first.uuid, first.health, first.temperature_celsius, first.power_watts) == (FIRST, "Healthy", 61, 200)
    (pod,) = first.pods
    assert (pod.namespace, pod.name, pod.container, pod.memory_used_bytes) == ("serving", "topics-0", "server", 2**31)
    assert pod.uid == "00000000-0000-4000-8000-000000000001"
    assert status.host is not None
    assert status.host.memory_total_bytes == 1024 * 1024
    found = api.ok("GET", f"{OBJECTS}/{name}")
    (owner,) = found["metadata"]["ownerReferences"]
    assert owner["uid"] == api.ok("GET", f"/api/v1/nodes/{name}")["metadata"]["uid"]
    head, row = kubectl.run("get", "nt", name).splitlines()
    assert head.split() == ["NAME", "READY", "REASON", "GPUS", "GPU-HEALTHY", "SEEN", "AGE"]
    assert row.split()[:5] == [name, "True", "Reporting", "2", "True"]


def test_what_matters_is_told_at_once(api: Client, kubeconfig, name: str, node: Node, start: Start):
    agent = reporting(start, kubeconfig(name), name, heartbeat="600")
    agent.until(lambda: condition(told(api, name), "GPUHealthy") == ("True", "AllHealthy"))
    agent.until(lambda: agent.value("sentinel_node_xid_listening") == 2)
    node.gpus.xid(0, 79)

    def failed() -> bool:
        device = told(api, name).devices[0]
        return device.health == "Failed" and device.last_xid is not None

    agent.until(failed)
    device = told(api, name).devices[0]
    assert device.last_xid is not None
    assert (device.last_xid.code, device.last_xid.severity, device.last_xid.count) == (79, "Fatal", 1)
    assert device.reasons == ["FatalXid"]
    assert condition(told(api, name), "GPUHealthy") == ("False", "GPUFailed")
    node.gpus.throttle(1, "hw-thermal")
    agent.until(lambda: told(api, name).devices[1].throttle_reasons == ["HwThermalSlowdown"])
    assert told(api, name).devices[1].health == "Degraded"
    node.gpus.set("driver", hang="nvmlDeviceGetPowerUsage")
    agent.until(lambda: condition(told(api, name), "GPUHealthy") == ("False", "NvmlHanging"))
    nvml = told(api, name).nvml
    assert nvml is not None
    assert nvml.hanging == "nvmlDeviceGetPowerUsage"


@pytest.mark.parametrize(("settings", "reason"), [({"loaded": "no"}, "DriverNotLoaded"), ({}, "LibraryNotFound")])
def test_a_node_whose_driver_is_gone_says_so(
    api: Client, kubeconfig, name: str, node: Node, start: Start, settings: dict[str, str], reason: str
):
    node.gpus.set("driver", **settings)
    folder = {} if settings else {"folder": node.folder}
    given = {"node": name, "report": "true", "kubeconfig": str(kubeconfig(name)), "gpu": "required"}
    agent = start(**given, **folder)
    agent.until(lambda: condition(told(api, name), "GPUHealthy") == ("False", reason))
    assert condition(told(api, name), "Ready") == ("True", "Reporting")
    nvml = told(api, name).nvml
    assert nvml is not None
    assert nvml.state == reason


def test_a_function_that_is_missing_is_named(api: Client, kubeconfig, name: str, node: Node, start: Start):
    node.gpus.set("driver", missing="nvmlDeviceGetPowerUsage")
    agent = reporting(start, kubeconfig(name), name)
    agent.until(lambda: (nvml := told(api, name).nvml) and nvml.missing == ["nvmlDeviceGetPowerUsage"])
    assert condition(told(api, name), "GPUHealthy") == ("True", "AllHealthy")


def test_an_object_that_was_deleted_is_made_again(api: Client, kubeconfig, name: str, node: Node, start: Start):
    agent = reporting(start, kubeconfig(name), name, heartbeat="1")
    agent.until(lambda: told(api, name).gpus == 2)
    api.ok("DELETE", f"{OBJECTS}/{name}")
    agent.until(lambda: told(api, name).gpus == 2)


def test_while_the_api_server_is_away_metrics_are_served(kubeconfig, name: str, node: Node, start: Start):
    path = kubeconfig(name)
    config = yaml.safe_load(path.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    path.write_text(yaml.safe_dump(config))
    agent = reporting(start, path, name)
    agent.until(lambda: agent.value("sentinel_node_report_failures_total") >= 1)
    assert agent.value("DCGM_FI_DEV_GPU_TEMP", UUID=FIRST) == 35
    assert agent.get("/readyz")[0] == 200
    assert agent.get("/healthz")[0] == 200


async def test_when_the_api_server_is_back_it_is_told_again(
    api_server: Cluster, api: Client, kubeconfig, name: str, node: Node, start: Start
):
    path = kubeconfig(name)
    config = yaml.safe_load(path.read_text())
    upstream = urlsplit(config["clusters"][0]["cluster"]["server"]).port
    assert upstream is not None
    async with CuttingProxy.before(upstream, *[Fault(refuse=True)] * 2) as proxy:
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{proxy.port}"
        path.write_text(yaml.safe_dump(config))
        agent = await asyncio.to_thread(reporting, start, path, name)
        await asyncio.to_thread(agent.until, lambda: condition(told(api, name), "Ready") == ("True", "Reporting"))
        assert await asyncio.to_thread(agent.value, "sentinel_node_report_failures_total") >= 2
        assert await asyncio.to_thread(agent.stop) == 0


def write(api_server: Cluster, path: Path, target: str, body: dict[str, Any]) -> tuple[int, str]:
    """Applies with the token of a kubeconfig; gives the status and what was said."""
    config = yaml.safe_load(path.read_text())
    client = Client(api_server.kubeconfig, token=config["users"][0]["user"]["token"])
    try:
        code, answer = client.request("PATCH", f"{target}?fieldManager=test&force=true", body, content=APPLY)
        return code, json.dumps(answer)
    finally:
        client.close()


def intent(name: str) -> dict[str, Any]:
    head = {"apiVersion": "sentinel.dev/v1alpha1", "kind": "NodeTelemetry", "metadata": {"name": name}}
    return {**head, "spec": {"nodeName": name}}


def test_an_agent_cannot_write_the_object_of_another_node(api_server: Cluster, api: Client, kubeconfig, name: str):
    mine, nobodys = kubeconfig(name), kubeconfig("")
    other = f"{name}-other"
    status = {**intent(other), "status": {"observedGeneration": 1}}
    assert write(api_server, mine, f"{OBJECTS}/{name}", intent(name))[0] == 201
    code, said = write(api_server, mine, f"{OBJECTS}/{other}", intent(other))
    assert code == 403
    assert f"the agent of node {name} may not write what is of node {other}" in said
    api.ok("PATCH", f"{OBJECTS}/{other}?fieldManager=admin", intent(other), content=APPLY)
    try:
        assert write(api_server, mine, f"{OBJECTS}/{other}/status", status)[0] == 403
        code, said = write(api_server, nobodys, f"{OBJECTS}/{name}", intent(name))
        assert code == 403
        assert "(unknown)" in said
    finally:
        api.ok("DELETE", f"{OBJECTS}/{other}")


@pytest.fixture
def may_write_nodes(kubectl: Kubectl) -> Iterator[None]:
    roles = str(ROOT / "manifests" / "agent" / "node-condition" / "roles.yaml")
    kubectl.run("apply", "--server-side", "--force-conflicts", "-f", roles)
    yield
    kubectl.run("delete", "-f", roles)


@pytest.mark.usefixtures("may_write_nodes")
def test_the_node_gets_its_condition_its_label_and_its_taint(
    api_server: Cluster, api: Client, kubeconfig, name: str, node: Node, start: Start
):
    path = kubeconfig(name)
    kept = {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}
    merge = "application/merge-patch+json"
    api.ok("PATCH", f"/api/v1/nodes/{name}", {"spec": {"taints": [kept]}}, content=merge)
    agent = reporting(start, path, name, node_condition="true", taint="NoSchedule")

    def seen() -> tuple[str, set[str]]:
        found = api.ok("GET", f"/api/v1/nodes/{name}")
        conditions = {each["type"]: each["status"] for each in found["status"].get("conditions") or []}
        taints = {each["key"] for each in found["spec"].get("taints") or []}
        return conditions.get("SentinelGPUHealthy", ""), taints & {"dedicated", "sentinel.dev/gpu-failed"}

    def label() -> str | None:
        value: str | None = api.ok("GET", f"/api/v1/nodes/{name}")["metadata"].get("labels", {}).get(LABEL)
        return value

    agent.until(lambda: seen() == ("True", {"dedicated"}))
    assert label() is None
    agent.until(lambda: agent.value("sentinel_node_xid_listening") == 2)
    node.gpus.throttle(1, "hw-thermal")
    agent.until(lambda: label() == "Degraded")
    node.gpus.xid(0, 79)
    agent.until(lambda: seen() == ("False", {"dedicated", "sentinel.dev/gpu-failed"}))
    agent.until(lambda: label() == "Failed")
    node.gpus.throttle(1)
    held = node.gpus.remove("gpu 0")
    agent.until(lambda: agent.value("DCGM_FI_DEV_GPU_TEMP", UUID=FIRST) is None)
    node.gpus.set("gpu 0", **held)
    agent.until(lambda: seen() == ("True", {"dedicated"}))
    agent.until(lambda: label() is None)
    other = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"{name}-b"}}
    api.ok("POST", "/api/v1/nodes", other)
    try:
        patch = {**other, "status": {"conditions": []}}
        assert write(api_server, path, f"/api/v1/nodes/{name}-b/status", patch)[0] == 403
    finally:
        api.ok("DELETE", f"/api/v1/nodes/{name}-b")
