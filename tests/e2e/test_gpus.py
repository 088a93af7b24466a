"""From a GPU's fault to a moved pod: the driver's library, the agent, NodeTelemetry, the model's status, its pods.

The GPUs are those of the fault kit: pods that ask for one are scheduled by the real kubelet, and what befalls a GPU is
said in a file, below the official binding of NVML.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from demo.install import roll_out
from demo.load import Load
from devcluster.cluster import Cluster
from devcluster.paths import REPOSITORY
from sentinel_faultkit.library import NAME, build
from tests.e2e.rollouts import BY_SERVICE, lossless, pod_names
from tests.e2e.world import MODEL, Raw, World, condition, eventually

pytestmark = pytest.mark.xdist_group("apart")
AGENT, FAULTKIT = "sentinel-agent", "sentinel-faultkit"
LIBRARY = "/opt/nvml"
FAULT_FILE = "/run/sentinel-faultkit/gpus.ini"


@pytest.fixture
def agents(apart_world: World, apart_cluster: Cluster) -> Iterator[World]:
    """Gives each node two GPUs, and an agent whose NVML is the fault kit's."""
    library = base64.b64encode((build() / NAME).read_bytes()).decode()
    metadata = {"name": "nvml", "namespace": AGENT}
    apart_cluster.kubectl("apply", "-k", str(REPOSITORY / "manifests" / "faultkit"))
    roll_out(apart_cluster, f"daemonset/{FAULTKIT}", namespace=FAULTKIT)
    apart_cluster.kubectl("apply", "--server-side", "-k", str(REPOSITORY / "manifests" / "agent" / "base"))
    apart_cluster.apply(
        [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "binaryData": {NAME: library}}]
    )
    apart_cluster.kubectl(
        *("patch", f"daemonset/{AGENT}", f"--namespace={AGENT}", "--type=strategic", "-p", json.dumps(_faked()))
    )
    roll_out(apart_cluster, f"daemonset/{AGENT}", namespace=AGENT)
    yield apart_world
    for folder in ("agent/base", "faultkit"):
        apart_cluster.kubectl("delete", "--wait=true", "-k", str(REPOSITORY / "manifests" / folder), timeout=180.0)


def _faked() -> Raw:
    """The agent as it is where the driver is the fault kit's, and nothing may be left on the machine."""
    environment = [
        {"name": "LD_LIBRARY_PATH", "value": LIBRARY},
        {"name": "SENTINEL_FAULT_FILE", "value": FAULT_FILE},
    ]
    mounts = [
        {"name": "nvml", "mountPath": LIBRARY, "readOnly": True},
        {"name": "faults", "mountPath": "/run/sentinel-faultkit", "subPathExpr": "$(SENTINEL_NODE)"},
    ]
    volumes = [
        {"name": "nvml", "configMap": {"name": "nvml"}},
        {"name": "state", "hostPath": None, "emptyDir": {}},
        {"name": "faults", "hostPath": {"path": "/run/sentinel-faultkit", "type": "DirectoryOrCreate"}},
    ]
    container = {"name": "agent", "env": environment, "volumeMounts": mounts}
    return {"spec": {"template": {"spec": {"containers": [container], "volumes": volumes}}}}


def test_a_fatal_xid_is_seen_everywhere_and_its_pod_moves_without_a_failed_request(agents: World) -> None:
    world = agents
    eventually(lambda: _allocatable(world) == 4, within=60, otherwise=lambda: str(_allocatable(world)))
    raw = world.model(replicas=2)
    raw["spec"]["runtime"]["gpu"] = {"count": 1}
    world.apply(raw)
    world.await_ready()
    load = Load(world.cluster, world.namespace, MODEL, BY_SERVICE)
    load.start()
    before = load.tally()
    told = eventually(lambda: _gpus(world, 2), within=60, otherwise=lambda: world.explain(MODEL))
    assert {each["health"] for each in told} == {"Healthy"}
    assert condition(world.get("sentrymodel", MODEL), "GPUHealthy")["status"] == "True"

    struck = told[0]
    index = struck["uuid"].rpartition("-")[2]
    faultkit = _pod_on(world, FAULTKIT, struck["node"])
    world.cluster.kubectl(
        *(f"--namespace={FAULTKIT}", "exec", faultkit, "--", "python", "-m", "sentinel_faultkit"),
        *("xid", FAULT_FILE, index, "79"),
    )
    eventually(lambda: _metric(world, struck["node"], struck["uuid"]) >= 1, within=30)
    node = eventually(lambda: _failed(world, struck), within=30)
    assert node["lastXid"]["code"] == 79
    assert f"{world.namespace}/{struck['pod']}" in node["lastXid"]["pods"]
    event = eventually(lambda: _event(world), within=30, otherwise=lambda: world.explain(MODEL))
    assert f"GPU {struck['uuid']} of node {struck['node']}: FatalXid (Xid 79)" in event["note"]

    eventually(lambda: struck["pod"] not in pod_names(world), within=120, otherwise=lambda: world.explain(MODEL))
    world.await_ready(within=120)
    after = eventually(lambda: _gpus(world, 2), within=60, otherwise=lambda: world.explain(MODEL))
    assert struck["uuid"] not in {each["uuid"] for each in after}
    assert condition(world.get("sentrymodel", MODEL), "GPUHealthy")["status"] == "True"
    lossless(load, before)


def _allocatable(world: World) -> int:
    nodes = json.loads(world.cluster.kubectl("get", "nodes", "-o", "json"))["items"]
    return sum(int(node["status"]["allocatable"].get("nvidia.com/gpu", 0)) for node in nodes)


def _gpus(world: World, wanted: int) -> list[dict[str, Any]] | None:
    found = world.get("sentrymodel", MODEL).get("status", {}).get("gpu") or []
    healthy = condition(world.get("sentrymodel", MODEL), "GPUHealthy").get("status") == "True"
    return found if len(found) == wanted and healthy else None


def _pod_on(world: World, name: str, node: str) -> str:
    selector = f"app.kubernetes.io/name={name}"
    text = world.cluster.kubectl("get", "pods", f"--namespace={name}", "-l", selector, "-o", "json")
    return next(each["metadata"]["name"] for each in json.loads(text)["items"] if each["spec"]["nodeName"] == node)


def _metric(world: World, node: str, uuid: str) -> float:
    pod = _pod_on(world, AGENT, node)
    text = world.cluster.kubectl("get", "--raw", f"/api/v1/namespaces/{AGENT}/pods/{pod}:9400/proxy/metrics")
    lines = [line for line in text.splitlines() if line.startswith("sentinel_node_xid_total{") and uuid in line]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def _failed(world: World, struck: Raw) -> dict[str, Any] | None:
    devices = json.loads(world.cluster.kubectl("get", "nt", struck["node"], "-o", "json"))["status"]["devices"]
    return next((each for each in devices if each["uuid"] == struck["uuid"] and each["health"] == "Failed"), None)


def _event(world: World) -> Raw | None:
    text = world.kubectl("get", "events.events.k8s.io", "-o", "json")
    return next((each for each in json.loads(text)["items"] if each.get("reason") == "GPUFailed"), None)
