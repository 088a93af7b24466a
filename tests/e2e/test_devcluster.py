"""A local cluster with nodes is a real one, and nothing of it is left on the machine when it is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devcluster import images, pauseimage
from devcluster.cluster import Cluster
from devcluster.layout import Layout
from devcluster.node_settings import MOUNT_POINTS
from devcluster.processes import run
from devcluster.providers import remove
from tests.support.machine import eventually, processes_of, traces_of

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces are made by root alone"),
    pytest.mark.xdist_group("devcluster"),  # its clusters are one after another, and not two at a time
]

IMAGE = images.IMAGES["operator"]
PYTHON = "/opt/venv/bin/python"
_RESTRICTED = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


# Answers with the name of its pod, so that one sees who answered; ends at once when asked to.
_ANSWER = """
import http.server, os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{os.uname().nodename} asked by {self.client_address[0]}".encode())
print("serving", flush=True)
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""


def _app(name: str, *, replicas: int) -> list[object]:
    """Gives a Deployment of our image and its Service."""
    labels = {"app": name}
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels},
    }
    container = {
        "name": "app",
        "image": IMAGE.reference,
        "command": [PYTHON, "-c", _ANSWER],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        "securityContext": _RESTRICTED,
    }
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [container], "topologySpreadConstraints": [spread]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod}
    service = {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]}
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": service},
    ]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A place of this module's own for its clusters."""
    folder = tmp_path_factory.mktemp("s")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SENTINEL_STATE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def ours(state: Path) -> Iterator[Cluster]:
    """A cluster of this module's own with two nodes; at its end nothing of it may be left."""
    with Cluster.up(name="own", nodes=2, say=print) as cluster:
        cluster.load(images.build(IMAGE, print), image=IMAGE.reference)
        assert traces_of(cluster)
        yield cluster
    assert traces_of(cluster) == []
    assert list(state.iterdir()) == []


@pytest.fixture(scope="module")
def web(ours: Cluster) -> Cluster:
    """The cluster with a Deployment of two pods, a node each, and its Service."""
    ours.apply(_app("web", replicas=2))
    ours.kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    return ours


def _run(cluster: Cluster, pod: str, program: str) -> str:
    """Runs a Python program in a pod and gives what it printed."""
    return cluster.kubectl("exec", pod, "--", PYTHON, "-c", program).strip()


def _pods(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """Gives the pods that are to stay, by name."""
    found = cluster.get("pods", "--selector=app=web")["items"]
    return {pod["metadata"]["name"]: pod for pod in found if "deletionTimestamp" not in pod["metadata"]}


def test_pods_of_a_deployment_of_ours_are_ready_on_every_node(web: Cluster):
    assert {pod["spec"]["nodeName"] for pod in _pods(web).values()} == {"node-1", "node-2"}


def test_pods_are_heard_in_their_logs(web: Cluster):
    for pod in _pods(web):
        assert web.kubectl("logs", pod).startswith("serving\n")


@pytest.mark.parametrize("name", ["web", "web.default.svc.cluster.local", "kubernetes.default.svc"])
def test_names_of_services_resolve(web: Cluster, name: str):
    service, _, _ = name.partition(".")

    address = _run(web, "deployment/web", f"import socket; print(socket.gethostbyname('{name}'))")

    assert address == web.get("service", service)["spec"]["clusterIP"]


def test_a_service_reaches_the_pods_of_every_node(web: Cluster):
    pods = _pods(web)
    ask = (
        "from urllib.request import urlopen; "
        "print(*(urlopen('http://web').read().decode() for _ in range(60)), sep='\\n')"
    )

    answers = _run(web, next(iter(pods)), ask).splitlines()

    assert {answer.split()[0] for answer in answers} == set(pods)


def test_a_pod_of_another_node_sees_the_address_of_the_pod_that_asks(web: Cluster):
    one, other = _pods(web).values()
    url = f"http://{other['status']['podIP']}:8080/"

    answer = _run(web, one["metadata"]["name"], f"from urllib.request import urlopen; print(urlopen('{url}').read())")

    assert f"asked by {one['status']['podIP']}" in answer


def test_the_machine_reaches_pods_directly(web: Cluster):
    for pod in _pods(web).values():
        assert _answer(f"http://{pod['status']['podIP']}:8080/").split()[0] == pod["metadata"]["name"]


def test_a_node_that_is_drained_gives_its_pods_to_the_other(web: Cluster):
    web.kubectl("drain", "node-2", "--ignore-daemonsets", "--timeout=60s")
    web.kubectl("rollout", "status", "deployment/web", "--timeout=60s")

    assert {pod["spec"]["nodeName"] for pod in _pods(web).values()} == {"node-1"}
    web.kubectl("uncordon", "node-2")


def test_nodes_have_folders_and_settings_of_their_own(ours: Cluster):
    children = Path(f"/proc/{ours.processes.pid('node-1')}/task/{ours.processes.pid('node-1')}/children")
    mounts = Path(f"/proc/{children.read_text().split()[0]}/mounts").read_text()
    points = [line.split()[1] for line in mounts.splitlines()]

    assert {"/run", "/proc/sys/vm/overcommit_memory", *MOUNT_POINTS} <= set(points)
    assert (ours.all_nodes[0].folder / "own/var/lib/kubelet/pods").exists()


def test_the_image_that_was_brought_last_is_the_one_that_runs(ours: Cluster, tmp_path: Path):
    def digest() -> str:
        node = ours.all_nodes[0]
        listed = run(["ctr", f"--address={node.folder}/containerd.sock", "--namespace=k8s.io", "images", "ls"])
        return next(line.split()[2] for line in listed.splitlines() if line.startswith(pauseimage.NAME))

    before = digest()
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
        pauseimage.write(tmp_path / name, tmp_path / f"{name}.tar")
    seen = []
    for name in ("one", "two", "one", "one"):
        ours.load(tmp_path / f"{name}.tar", image=pauseimage.NAME)
        seen.append(digest())

    assert seen[0] == seen[2] == seen[3]
    assert len({before, *seen}) == 3


@pytest.mark.parametrize("until", ["cluster.json", "node-1/start.sh", "processes/etcd.json", "processes/dns.json"])
def test_what_a_killed_command_has_left_is_cleared(state: Path, until: str):
    command = subprocess.Popen([sys.executable, "-m", "devcluster", "up", "--provider=local", "--name=killed"])
    eventually((state / "killed" / until).exists)
    command.kill()
    command.wait()
    half = Layout.find("killed")
    assert half is not None

    remove("killed")

    assert traces_of(half) == []


def test_one_that_lost_a_node_is_brought_up_anew(state: Path):
    with Cluster.up(name="lost", nodes=1) as cluster:
        cluster.processes.signal("node-1", signal.SIGKILL)
        eventually(lambda: not cluster.healthy())
        left = processes_of(cluster.folder)

        again = Cluster.up(name="lost", nodes=1)

        assert again.healthy()
        assert not [process for process in left if process.alive()]
    assert traces_of(again) == []


def test_a_gateway_divides_requests_by_weight(request: pytest.FixtureRequest, state: Path):
    if not request.config.getoption("--gateway"):
        pytest.skip("asked for with --gateway, since it builds the data plane from source")
    with Cluster.up(name="gate", nodes=1, gateway=True, say=print) as cluster:
        cluster.load(images.build(IMAGE, print), image=IMAGE.reference)
        for name in ("stable", "canary"):
            cluster.apply(_app(name, replicas=1))
            cluster.kubectl("rollout", "status", f"deployment/{name}", "--timeout=90s")
        cluster.apply([_gateway(), _route(stable=90, canary=10)])
        url = f"http://{cluster.network.address(1)}:8000/"
        eventually(lambda: _is_answered(url))

        assert _counts(url, 200) == {"stable": 180, "canary": 20}

        cluster.apply([_route(stable=50, canary=50)])
        eventually(lambda: _counts(url, 20) == {"stable": 10, "canary": 10})
    assert traces_of(cluster) == []


def _gateway() -> object:
    spec = {"gatewayClassName": "traefik", "listeners": [{"name": "web", "port": 8000, "protocol": "HTTP"}]}
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "g"}, "spec": spec}


def _route(**weights: int) -> object:
    backends = [{"name": name, "port": 80, "weight": weight} for name, weight in weights.items()]
    spec = {"parentRefs": [{"name": "g"}], "rules": [{"backendRefs": backends}]}
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "r"}, "spec": spec}


def _answer(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def _is_answered(url: str) -> bool:
    try:
        return bool(_answer(url))
    except OSError:
        return False


def _counts(url: str, requests: int) -> Counter[str]:
    """Gives how many requests each Deployment answered."""
    return Counter(_answer(url).partition("-")[0] for _ in range(requests))
