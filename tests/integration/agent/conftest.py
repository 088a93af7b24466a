"""A node with an agent on it, and the API server with what the agent needs there."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devcluster.cluster import Cluster
from sentinel_faultkit import library
from tests.integration.crds.client import Client, Kubectl
from tests.support.agentnode import Node, Running

ROOT = Path(__file__).parents[3]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node with two idle GPUs."""
    made = Node.make(tmp_path, gpus=2)
    yield made
    made.kubelet.stop()


Start = Callable[..., Running]


@pytest.fixture
def start(node: Node) -> Iterator[Start]:
    """Starts an agent on the node; each is stopped at the end."""
    running: list[Running] = []

    def begin(*, folder: Path | None = None, **environment: str) -> Running:
        given = {f"SENTINEL_{name.upper()}": value for name, value in environment.items()}
        running.append(Running(node, given, folder=folder or library.build()))
        return running[-1]

    yield begin
    for each in running:
        each.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def kubectl(api_server: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """kubectl on the API server with our definitions and the agent's manifests."""
    cache = tmp_path_factory.mktemp("discovery")
    made = Kubectl((*api_server.kubectl_command, f"--cache-dir={cache}"))
    made.run("apply", "--server-side", "--force-conflicts", "-k", str(ROOT / "crds"))
    made.run("wait", "--for=condition=Established", "--timeout=30s", "crd", "-l", "app.kubernetes.io/part-of=sentinel")
    made.run("apply", "--server-side", "--force-conflicts", "-k", str(ROOT / "manifests" / "agent" / "base"))
    made.run("delete", "daemonset", "sentinel-agent", "-n", "sentinel-agent")  # its pods are the tests' own
    return made


@pytest.fixture(scope="module")
def api(api_server: Cluster, kubectl: Kubectl) -> Iterator[Client]:
    """The API server as its administrator."""
    client = Client(api_server.kubeconfig)
    yield client
    client.close()
