"""A cluster as its users have it: the operator installed, an object store inside, signed models in the store."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from demo import install, objectstore
from demo.models.artifact import Index
from demo.models.build import build, recipes
from devcluster.locks import locked
from devcluster.paths import cache
from devcluster.providers import AnyCluster
from tests.e2e.world import MODEL, World

_VARIANTS = ("1.0.0", "1.1.0", "2.0.0-missing-feature", "2.0.0-truncated", "2.0.0-tampered")


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
    """Builds the demo's flow classifier, good versions and bad, signed."""
    with locked(tmp_path_factory.getbasetemp().parent / "models.lock"):
        return build(artifacts, wanted=[recipe for recipe in recipes(_VARIANTS) if recipe.name == MODEL])


@pytest.fixture(scope="session")
def installed(
    cluster: AnyCluster, artifacts: Path, index: Index, tmp_path_factory: pytest.TempPathFactory
) -> install.Store:
    """Installs the operator and the store, and fills the store: each version as signed, and again without signature.

    Every worker of a run asks for it, one after another; what the first has made, the others find.
    """
    with locked(tmp_path_factory.getbasetemp().parent / "installed.lock"):
        install.install_operator(cluster)
        store = install.install_store(cluster)
        _fill(cluster, store, artifacts, index)
    return store


def _fill(cluster: AnyCluster, store: install.Store, artifacts: Path, index: Index) -> None:
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


@pytest.fixture
def world(cluster: AnyCluster, installed: install.Store, artifacts: Path, index: Index, namespace: str) -> World:
    """Gives a namespace with the Secrets that a model names."""
    signing = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "model-signing", "namespace": namespace},
        "stringData": {"signing.pub": (artifacts / index.public_key).read_text()},
    }
    cluster.apply([objectstore.client_secret(namespace, installed.reader), signing])
    return World(cluster, namespace, index, installed)
