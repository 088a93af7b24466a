"""A cluster as its users have it: the operator installed, an object store inside, signed models in the store."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from demo import install, objectstore
from demo.load import Load
from demo.models.artifact import Index
from demo.models.build import build, recipes
from devcluster.cluster import Cluster
from devcluster.locks import locked
from devcluster.paths import cache
from devcluster.providers import AnyCluster
from devcluster.sharing import shared
from tests.e2e.faults import STORE, node_of
from tests.e2e.rollouts import BY_SERVICE, delivered
from tests.e2e.world import MODEL, World
from tests.support.cluster import fresh_namespace

_VARIANTS = ("1.0.0", "1.1.0", "2.0.0-missing-feature", "2.0.0-truncated", "2.0.0-tampered")
_MODELS = (MODEL, "scan-embedding", "scan-classifier")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """Gives the folder that the models are built in."""
    return cache("e2e-models")


@pytest.fixture(scope="session")
def index(artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Builds the demo's flow classifier, good versions and bad, and the models of a scan, signed."""
    with locked(tmp_path_factory.getbasetemp().parent / "models.lock"):
        return build(artifacts, wanted=[recipe for recipe in recipes(_VARIANTS) if recipe.name in _MODELS])


@pytest.fixture(scope="session")
def installed(
    cluster: AnyCluster, artifacts: Path, index: Index, tmp_path_factory: pytest.TempPathFactory
) -> install.Store:
    """Installs the operator and the store, and fills the store.

    Every worker of a run asks for it, one after another; what the first has made, the others find.
    """
    with locked(tmp_path_factory.getbasetemp().parent / "installed.lock"):
        return _install(cluster, artifacts, index)


@pytest.fixture
def world(cluster: AnyCluster, installed: install.Store, artifacts: Path, index: Index, namespace: str) -> World:
    """Gives a namespace with the Secrets that a model names."""
    return _furnished(World(cluster, namespace, index, installed), artifacts)


@pytest.fixture(scope="module")
def lasting_world(cluster: AnyCluster, installed: install.Store, artifacts: Path, index: Index) -> Iterator[World]:
    """Gives a world for all tests of a module, which are an xdist group of their own."""
    with fresh_namespace(cluster) as namespace:
        yield _furnished(World(cluster, namespace, index, installed), artifacts)


@pytest.fixture(scope="session")
def apart_cluster(request: pytest.FixtureRequest, testrun_uid: str) -> Iterator[Cluster]:
    """Gives a cluster made here for tests that disturb everything in it; they are the xdist group `apart`."""
    keep = bool(request.config.getoption("--keep-cluster"))
    gateway = bool(request.config.getoption("--gateway"))
    name = "testapart" if keep else f"a{testrun_uid[:8]}"

    def bring_up() -> Cluster:
        made = Cluster.up(name=name, nodes=2, gateway=gateway, say=print)
        install.bring_images(made, print)
        return made

    with contextlib.nullcontext(bring_up()) if keep else shared(name, bring_up) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def apart(apart_cluster: Cluster, artifacts: Path, index: Index) -> Iterator[World]:
    """Gives a namespace of that cluster, for all tests of the group."""
    store = _install(apart_cluster, artifacts, index)
    with fresh_namespace(apart_cluster) as namespace:
        yield _furnished(World(apart_cluster, namespace, index, store), artifacts)


@pytest.fixture
def apart_world(apart: World, apart_cluster: Cluster, artifacts: Path) -> Iterator[World]:
    """Gives a namespace of that cluster for one test."""
    with fresh_namespace(apart_cluster) as namespace:
        yield _furnished(replace(apart, namespace=namespace), artifacts)


@pytest.fixture(scope="session")
def planned_world(apart: World, apart_cluster: Cluster, artifacts: Path) -> Iterator[World]:
    """Gives a namespace of that cluster for all tests of plans."""
    with fresh_namespace(apart_cluster) as namespace:
        yield _furnished(replace(apart, namespace=namespace), artifacts)


@pytest.fixture(scope="session")
def planned_load(planned_world: World, apart_cluster: Cluster) -> Iterator[Load]:
    """Gives the client of a model there that serves with two pods."""
    planned_world.apply(delivered(planned_world, {"strategy": "RollingUpdate"}, version="1.0.0"))
    planned_world.await_ready()
    load = Load(planned_world.cluster, planned_world.namespace, MODEL, BY_SERVICE)
    # Beside the store: the other node is drained.
    load.start(node=node_of(apart_cluster, *STORE))
    yield load
    load.stop()


def _install(cluster: AnyCluster, artifacts: Path, index: Index) -> install.Store:
    """Fills the store with each version as signed, and again without signature."""
    install.install_operator(cluster)
    store = install.install_store(cluster)
    with install.store_forwarded(cluster) as endpoint:
        for entry in index.models:
            for prefix, leave_out in ((entry.path, ()), (f"unsigned/{entry.path}", ("model.sig",))):
                put = objectstore.upload(
                    endpoint=endpoint,
                    credentials=store.writer,
                    folder=artifacts / entry.path,
                    prefix=prefix,
                    leave_out=leave_out,
                )
                asyncio.run(put)
    return store


def _furnished(world: World, artifacts: Path) -> World:
    signing = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "model-signing"},
        "stringData": {"signing.pub": (artifacts / world.index.public_key).read_text()},
    }
    world.apply(objectstore.client_secret(world.namespace, world.store.reader), signing)
    return world
