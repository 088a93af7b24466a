"""Fixtures for the real API server and for a cluster with nodes, shared by every worker of a test run."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

import pytest

from devcluster import images, providers
from devcluster.cluster import Cluster

NAME = "test"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds --cluster, as `make test CLUSTER=…` gives it."""
    parser.addoption(
        "--cluster",
        default="auto",
        choices=providers.NAMES,
        help="where pods run: local (made here), kind, kubeconfig (an existing cluster), auto",
    )


@pytest.fixture(scope="session")
def api_server(worker_id: str) -> Iterator[Cluster]:
    """Gives an API server without nodes, with the controller manager: one a test worker."""
    with Cluster.api_only(name=f"api{worker_id.removeprefix('gw')}", controller_manager=True) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[providers.AnyCluster]:
    """Gives the cluster with nodes. Its tests share an xdist group, so that one worker brings it up once."""
    chosen = providers.open_cluster(request.config.getoption("--cluster"), name=NAME, nodes=2, say=print)
    try:
        for image in images.IMAGES.values():
            chosen.load(images.build(image, print), image=image.reference)
        yield chosen
    finally:
        if not request.config.getoption("--keep-cluster"):  # pytest-kind's option serves for every provider
            chosen.down()


@pytest.fixture
def namespace(cluster: providers.AnyCluster) -> Iterator[str]:
    """Gives a fresh namespace of the cluster with nodes, removed afterwards."""
    with fresh_namespace(cluster) as name:
        yield name


@contextlib.contextmanager
def fresh_namespace(cluster: providers.AnyCluster) -> Iterator[str]:
    """Makes a namespace under the restricted Pod Security level; deletes it without waiting."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}])
    try:
        yield name
    finally:
        cluster.kubectl("delete", "namespace", name, "--wait=false")
