"""From a GPU's fault to a moved pod: the driver's library, the agent, NodeTelemetry, the model's status, its pods.

The GPUs are those of the fault kit: pods that ask for one are scheduled by the real kubelet, and what befalls a GPU is
said in a file, below the official binding of NVML.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from demo.install import roll_out
from demo.load import Load
from devcluster.cluster import Cluster
from devcluster.paths import REPOSITORY
from sentinel_faultkit.library import NAME, build
from tests.e2e.rollouts import BY_SERVICE, lossless, pod_names, replicas
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
    for node in apart_cluster.all_nodes:  # the next test has whole GPUs
        pod = _pod_on(apart_world, FAULTKIT, node.name)
        apart_cluster.kubectl(f"--namespace={FAULTKIT}", "exec", pod, "--", "rm", FAULT_FILE)
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
    load = _serving(world, replicas=2)
    before = load.tally()
    struck = _told(world, 2)[0]
    _strike(world, struck)
    eventually(lambda: _metric(world, struck), within=30)
    node = eventually(lambda: _failed(world, struck), within=30)
    assert node is not None
    assert node["lastXid"]["code"] == 79
    assert f"{world.namespace}/{struck['pod']}" in node["lastXid"]["pods"]
    event = eventually(lambda: _event(world, struck), within=30, otherwise=lambda: world.explain(MODEL))
    assert event is not None
    assert f"GPU {struck['uuid']} of node {struck['node']}: FatalXid (Xid 79)" in event["note"]
    _await_moved(world, struck, replicas=2)
    lossless(load, before)


def test_the_only_pod_leaves_a_failed_gpu_once_another_one_answers(
    agents: World, record_property: Callable[[str, object], None]
) -> None:
    """The pod is there for a while yet, so that here it can be seen how soon each station knows of the fault."""
    world = agents
    load = _serving(world, replicas=1)
    before = load.tally()
    struck = _told(world, 1)[0]
    with ThreadPoolExecutor(len(STATIONS)) as watchers:
        since = _strike(world, struck)
        seen = {name: watchers.submit(_when, partial(look, world, struck)) for name, look in STATIONS.items()}
    for name, moment in seen.items():
        seconds = round(moment.result() - since, 2)
        record_property(f"seconds from the Xid to {name}", seconds)
        print(f"{seconds:6.2f} s from the Xid to {name}")
    _await_moved(world, struck, replicas=1)
    eventually(lambda: sum(replicas(world).values()) == 1, within=120, otherwise=lambda: world.explain(MODEL))
    eventually(lambda: len(pod_names(world)) == 1, within=120, otherwise=lambda: world.explain(MODEL))
    lossless(load, before)


def _serving(world: World, *, replicas: int) -> Load:
    """Has a model serve on GPUs under requests."""
    eventually(lambda: _allocatable(world) == 4, within=60, otherwise=lambda: str(_allocatable(world)))
    raw = world.model(replicas=replicas)
    raw["spec"]["runtime"]["gpu"] = {"count": 1}
    world.apply(raw)
    world.await_ready()
    load = Load(world.cluster, world.namespace, MODEL, BY_SERVICE)
    load.start()
    return load


def _told(world: World, wanted: int) -> list[dict[str, Any]]:
    """Gives the GPUs that the status tells, all of them healthy."""
    return eventually(lambda: _gpus(world, wanted), within=60, otherwise=lambda: world.explain(MODEL)) or []


def _strike(world: World, struck: Raw) -> float:
    """Makes a fatal Xid befall a GPU; gives the moment, in Unix time, at which the file said so."""
    pod, index = _pod_on(world, FAULTKIT, struck["node"]), struck["uuid"].rpartition("-")[2]
    inside = (f"--namespace={FAULTKIT}", "exec", pod, "--")
    world.cluster.kubectl(*inside, "python", "-m", "sentinel_faultkit", "xid", FAULT_FILE, index, "79")
    return float(world.cluster.kubectl(*inside, "stat", "-c", "%.3Y", FAULT_FILE))


def _when(look: Callable[[], object]) -> float:
    eventually(look, within=60)
    return time.time()


def _await_moved(world: World, struck: Raw, *, replicas: int) -> None:
    """Waits until the pod has left, and the model is whole on other GPUs."""
    eventually(lambda: struck["pod"] not in pod_names(world), within=180, otherwise=lambda: world.explain(MODEL))
    world.await_ready(within=120)
    after = _told(world, replicas)
    assert struck["uuid"] not in {each["uuid"] for each in after}
    assert condition(world.get("sentrymodel", MODEL), "GPUHealthy")["status"] == "True"


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


def _metric(world: World, struck: Raw) -> bool:
    pod = _pod_on(world, AGENT, struck["node"])
    text = world.cluster.kubectl("get", "--raw", f"/api/v1/namespaces/{AGENT}/pods/{pod}:9400/proxy/metrics")
    lines = [line for line in text.splitlines() if line.startswith("sentinel_node_xid_total{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines if struck["uuid"] in line) >= 1


def _failed(world: World, struck: Raw) -> dict[str, Any] | None:
    devices = json.loads(world.cluster.kubectl("get", "nt", struck["node"], "-o", "json"))["status"]["devices"]
    return next((each for each in devices if each["uuid"] == struck["uuid"] and each["health"] == "Failed"), None)


def _in_status(world: World, struck: Raw) -> bool:
    told = world.get("sentrymodel", MODEL)["status"].get("gpu") or []
    return any(each["uuid"] == struck["uuid"] and each["health"] == "Failed" for each in told)


def _event(world: World, struck: Raw) -> Raw | None:
    found = json.loads(world.kubectl("get", "events.events.k8s.io", "-o", "json"))["items"]
    return next((each for each in found if each.get("reason") == "GPUFailed" and struck["pod"] in each["note"]), None)


STATIONS: dict[str, Callable[[World, Raw], object]] = {
    "the metrics": _metric,
    "the NodeTelemetry": _failed,
    "the model's status": _in_status,
    "an event": _event,
}
