"""Whatever happens to pods, nodes, the operator or the API server: no request is lost, what is declared comes true.

One model serves all along, and one client asks it all along: by its Service, over kept and new connections and over
gRPC, and by a gateway where there is one.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pytest

from demo.load import Load
from devcluster.cluster import Cluster
from devcluster.processes import run
from tests.e2e.world import MODEL, Raw, World, eventually

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces are made by root alone"),
    pytest.mark.xdist_group("apart"),
]

GATEWAY_PORT = 8000
OF_MODEL = f"sentinel.dev/name={MODEL}"
OPERATOR = "sentinel-system"


@pytest.fixture(scope="module")
def load(apart: World, apart_cluster: Cluster) -> Iterator[Load]:
    """Gives the client of a model that serves with two pods."""
    clients = [f"kept={MODEL}:8080", f"fresh={MODEL}:8080", f"rpc={MODEL}:8081"]
    if apart_cluster.gateway:
        apart.apply(_gateway())
        clients.append(f"kept={apart_cluster.network.address(1)}:{GATEWAY_PORT}")
    apart.apply(_model(apart, apart_cluster, version="1.0.0"))
    apart.await_ready()
    load = Load(apart.cluster, apart.namespace, MODEL, tuple(clients))
    # Beside the store: the other node is drained.
    load.start(node=_node_of(apart_cluster, "app.kubernetes.io/name=seaweedfs", "object-store"))
    yield load
    load.stop()


@contextmanager
def _pod_deleted(world: World, _: Cluster) -> Iterator[None]:
    pod = next(each for each in _pods(world) if _is_ready(each))
    world.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false")
    yield


@contextmanager
def _node_drained(_: World, cluster: Cluster) -> Iterator[None]:
    kept = _node_of(cluster, "app.kubernetes.io/name=seaweedfs", "object-store")
    drained = next(node.name for node in cluster.all_nodes if node.name != kept)
    try:
        cluster.kubectl("drain", drained, "--delete-emptydir-data", "--timeout=120s", timeout=150)
        yield
    finally:
        cluster.kubectl("uncordon", drained)


@contextmanager
def _leader_killed(_: World, cluster: Cluster) -> Iterator[None]:
    leader = _leader(cluster)
    before = _restarts(leader)
    node = next(node for node in cluster.all_nodes if node.name == leader["spec"]["nodeName"])
    container = leader["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
    ctr = ["ctr", f"--address={node.folder}/containerd.sock", "--namespace=k8s.io"]
    run([*ctr, "tasks", "kill", "--signal=SIGKILL", container])
    yield
    name = leader["metadata"]["name"]
    assert _restarts(cluster.get("pod", name, f"--namespace={OPERATOR}")) == before + 1


DISTURBANCES: dict[str, Callable[[World, Cluster], AbstractContextManager[None]]] = {
    "undisturbed": lambda *_: nullcontext(),
    "a pod is deleted": _pod_deleted,
    "a node is drained": _node_drained,
    "the leading operator is killed": _leader_killed,
}


@pytest.mark.parametrize("disturb", DISTURBANCES.values(), ids=DISTURBANCES)
def test_a_rolling_update_loses_no_request(
    load: Load,
    apart: World,
    apart_cluster: Cluster,
    disturb: Callable[[World, Cluster], AbstractContextManager[None]],
) -> None:
    was = _version(apart.await_ready())
    will = "1.1.0" if was == "1.0.0" else "1.0.0"
    load.await_only(was)
    before = load.tally()

    apart.apply(_model(apart, apart_cluster, version=will))
    eventually(lambda: _pods_of(apart, will), within=60)
    with disturb(apart, apart_cluster):
        assert _version(apart.await_ready(within=180)) == will

    load.await_only(will)
    during = load.tally().since(before)
    assert during.failures == ()
    assert during.failed == 0
    assert set(during.versions) == {was, will}
    assert set(during.clients) == set(load.clients)


def test_requests_by_the_gateway_reach_the_model(load: Load, apart: World, apart_cluster: Cluster) -> None:
    if not apart_cluster.gateway:
        pytest.skip("asked for with --gateway, since it builds the data plane from source")
    parents = eventually(lambda: apart.get("httproute", MODEL).get("status", {}).get("parents"), within=30)
    accepted = [one["status"] for parent in parents for one in parent["conditions"] if one["type"] == "Accepted"]
    assert accepted == ["True"]
    client = next(each for each in load.clients if each.endswith(f":{GATEWAY_PORT}"))
    before = load.tally()
    eventually(lambda: load.tally().since(before).clients.get(client, 0) > 20, within=60)


def test_models_serve_while_the_api_server_is_away(load: Load, apart: World, apart_cluster: Cluster) -> None:
    was = _version(apart.await_ready())
    address, before = load.address(), load.tally()

    apart_cluster.processes.signal("apiserver", signal.SIGKILL)
    try:
        eventually(lambda: not apart_cluster.processes.alive("apiserver"), within=10)
        away = load.tally_at(address)
        eventually(lambda: sum(load.tally_at(address).since(away).versions.values()) > 500, within=60)
        assert not apart_cluster.processes.alive("apiserver")
    finally:
        apart_cluster.control_plane.start_apiserver()
        apart_cluster.control_plane.await_ready()

    will = "1.1.0" if was == "1.0.0" else "1.0.0"
    apart.apply(_model(apart, apart_cluster, version=will))
    assert _version(apart.await_ready(within=180)) == will
    load.await_only(will)
    assert load.tally().since(before).failures == ()


def _model(world: World, cluster: Cluster, *, version: str) -> Raw:
    raw = world.model(version=version, replicas=2)
    if cluster.gateway:
        raw["spec"]["routing"] = {"provider": "Gateway", "gateway": {"parentRefs": [{"name": "models"}]}}
    return raw


def _gateway() -> Raw:
    listener = {"name": "web", "port": GATEWAY_PORT, "protocol": "HTTP"}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "models"},
        "spec": {"gatewayClassName": "traefik", "listeners": [listener]},
    }


def _version(model: Raw) -> str:
    return str(model["status"]["stable"]["version"])


def _pods(world: World) -> list[Raw]:
    return [pod for pod in world.list("pods", OF_MODEL) if "deletionTimestamp" not in pod["metadata"]]


def _pods_of(world: World, version: str) -> list[Raw]:
    """Gives the pods of the revision of a version."""
    revisions = {
        each["metadata"]["labels"]["sentinel.dev/revision"]
        for each in world.list("deployments", OF_MODEL)
        if each["metadata"]["annotations"]["sentinel.dev/version"] == version
    }
    return [pod for pod in _pods(world) if pod["metadata"]["labels"]["sentinel.dev/revision"] in revisions]


def _is_ready(pod: Raw) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))


def _node_of(cluster: Cluster, selector: str, namespace: str) -> str:
    pod = cluster.get("pods", f"--namespace={namespace}", f"--selector={selector}")["items"][0]
    return str(pod["spec"]["nodeName"])


def _leader(cluster: Cluster) -> Raw:
    """Gives the pod of the operator that holds the lease."""
    lease = cluster.get("lease", "sentinel-operator", f"--namespace={OPERATOR}")
    holder = str(lease["spec"]["holderIdentity"])
    found: list[Raw] = cluster.get("pods", f"--namespace={OPERATOR}")["items"]
    return next(pod for pod in found if holder.startswith(pod["metadata"]["name"]))


def _restarts(pod: Raw) -> int:
    return int(pod["status"]["containerStatuses"][0]["restartCount"])
