"""Fixtures for the real API server and for a cluster with nodes, shared by every worker of a test run."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_kind import KindCluster

from devcluster import images, providers
from devcluster.cluster import Cluster
from devcluster.sharing import shared

NODES = 2


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds --cluster, as `make test CLUSTER=…` gives it."""
    parser.addoption(
        "--cluster",
        default="auto",
        choices=providers.NAMES,
        help="where pods run: local (made here), kind, kubeconfig (an existing cluster), auto",
    )
    parser.addoption("--gateway", action="store_true", help="test the gateway too, which is built from source")
    once = parser.getgroup("once", "plans are done once, whatever goes wrong")
    once.addoption("--once-runs", type=int, default=8, help="how many runs, each with a seed of its own")
    once.addoption("--once-first", type=int, default=0, help="the first seed")
    once.addoption("--once-seed", type=int, default=None, help="this seed alone; its story is told (-s)")
    once.addoption("--once-at-once", type=int, default=8, help="how many runs at once")


@pytest.fixture(scope="session")
def api_server() -> Iterator[Cluster]:
    """Gives an API server without nodes, with the controller manager: one a test worker, gone when the worker ends."""
    name = f"api{os.getpid()}"
    with shared(name, lambda: Cluster.api_only(name=name, controller_manager=True)) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def cluster(
    request: pytest.FixtureRequest, testrun_uid: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[providers.AnyCluster]:
    """Gives the cluster with nodes and with our images, one for all workers of the run.

    With --keep-cluster (pytest-kind's option, which serves for every provider) it outlives the run, and the next run
    with that option finds it.
    """
    provider = providers.chosen(request.config.getoption("--cluster"))
    keep = bool(request.config.getoption("--keep-cluster"))
    name = "test" if keep else f"t{testrun_uid[:8]}"

    def bring_up() -> providers.AnyCluster:
        if provider == "kind":
            _create_kind(name, request.config, tmp_path_factory.mktemp("kind"))
        made = providers.open_cluster(provider, name=name, nodes=NODES, say=print)
        for image in images.IMAGES.values():
            made.load(images.build(image, print), image=image.reference)
        return made

    with contextlib.nullcontext(bring_up()) if keep else shared(name, bring_up) as chosen:
        yield chosen


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


def _create_kind(name: str, config: pytest.Config, folder: Path) -> None:
    """Creates the cluster by pytest-kind unless it exists, with the programs of the machine where it has them."""
    settings = folder / "kind.yaml"
    settings.write_text(providers.kind_config(NODES))
    kind, kubectl = (config.getoption(option) for option in ("kind_bin", "kind_kubectl_bin"))
    with contextlib.chdir(folder):  # it makes a folder where it stands
        KindCluster(
            providers.kind_name(name),
            kubeconfig=folder / "kubeconfig",
            image=config.getoption("kind_image"),
            kind_path=_path(kind or shutil.which("kind")),
            kubectl_path=_path(kubectl or shutil.which("kubectl")),
        ).create(settings)


def _path(name: str | None) -> Path | None:
    return Path(name).resolve() if name else None
