"""What is done to a cluster while it works: the leader killed, pods deleted, a node drained; and where things are."""

from __future__ import annotations

from devcluster.cluster import Cluster
from devcluster.processes import run
from tests.e2e.rollouts import BY_SERVICE, OF_MODEL, pods
from tests.e2e.world import Raw, World, eventually

OPERATOR = "sentinel-system"
STORE = ("app.kubernetes.io/name=seaweedfs", "object-store")
GATEWAY_PORT = 8000


def kill_leader(cluster: Cluster) -> Raw:
    """Ends the leading operator by SIGKILL; gives its pod as it was."""
    pod = leader(cluster)
    node = next(node for node in cluster.all_nodes if node.name == pod["spec"]["nodeName"])
    container = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
    ctr = ["ctr", f"--address={node.folder}/containerd.sock", "--namespace=k8s.io"]
    run([*ctr, "tasks", "kill", "--signal=SIGKILL", container])
    return pod


def await_restart(cluster: Cluster, killed: Raw) -> None:
    """Waits until the kubelet has noticed."""
    before, name = restarts(killed), killed["metadata"]["name"]
    eventually(lambda: restarts(cluster.get("pod", name, f"--namespace={OPERATOR}")) == before + 1, within=60)


def drain(cluster: Cluster, node: str) -> None:
    """Evicts everything from a node."""
    cluster.kubectl("drain", node, "--delete-emptydir-data", "--ignore-daemonsets", "--timeout=120s", timeout=150)


def node_without_store(cluster: Cluster) -> str:
    """Names a node that may be drained: without the store no pod could start."""
    kept = node_of(cluster, *STORE)
    return next(node.name for node in cluster.all_nodes if node.name != kept)


def node_of(cluster: Cluster, selector: str, namespace: str) -> str:
    """Names the node of a pod."""
    pod = cluster.get("pods", f"--namespace={namespace}", f"--selector={selector}")["items"][0]
    return str(pod["spec"]["nodeName"])


def leader(cluster: Cluster) -> Raw:
    """Gives the pod of the operator that holds the lease."""
    lease = cluster.get("lease", "sentinel-operator", f"--namespace={OPERATOR}")
    holder = str(lease["spec"]["holderIdentity"])
    found: list[Raw] = cluster.get("pods", f"--namespace={OPERATOR}")["items"]
    return next(pod for pod in found if holder.startswith(pod["metadata"]["name"]))


def restarts(pod: Raw) -> int:
    """Counts how often the pod's container was started again."""
    return int(pod["status"]["containerStatuses"][0]["restartCount"])


def pods_of(world: World, version: str) -> list[Raw]:
    """Gives the model's pods of the revision of a version, without those that go."""
    revisions = {
        each["metadata"]["labels"]["sentinel.dev/revision"]
        for each in world.list("deployments", OF_MODEL)
        if each["metadata"]["annotations"]["sentinel.dev/version"] == version
    }
    return [pod for pod in pods(world) if pod["metadata"]["labels"]["sentinel.dev/revision"] in revisions]


def is_ready(pod: Raw) -> bool:
    """Tells whether a pod answers."""
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))


def delete_ready(world: World, found: list[Raw]) -> None:
    """Deletes one of the pods that is ready, without waiting for its end."""
    pod = next(each for each in found if is_ready(each))
    world.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false")


def addresses(cluster: Cluster) -> tuple[str, ...]:
    """Gives the ways in which clients reach the model: by its Service, and by the gateway where there is one."""
    by_gateway = (f"kept={cluster.network.address(1)}:{GATEWAY_PORT}",) if cluster.gateway else ()
    return (*BY_SERVICE, *by_gateway)


def model(world: World, cluster: Cluster, *, version: str) -> Raw:
    """Gives the model with two pods, behind the gateway where there is one."""
    raw = world.model(version=version, replicas=2)
    if cluster.gateway:
        raw["spec"]["routing"] = {"provider": "Gateway", "gateway": {"parentRefs": [{"name": "models"}]}}
    return raw


def gateway() -> Raw:
    """Gives the Gateway that its route belongs to."""
    listener = {"name": "web", "port": GATEWAY_PORT, "protocol": "HTTP"}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "models"},
        "spec": {"gatewayClassName": "traefik", "listeners": [listener]},
    }


def version_of(model: Raw) -> str:
    """Gives the version that serves."""
    return str(model["status"]["stable"]["version"])
