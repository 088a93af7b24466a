"""A namespace a test on the real API server."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from sentinel_operator.core.plan import ObjectRef
from sentinel_operator.engine.access import Access, Source
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.metrics import Metrics
from sentinel_operator.engine.resources import CRDS
from sentinel_operator.engine.transport import Limits, Transport
from tests.support.eventually import eventually
from tests.support.modelsworld import Models, opened
from tests.support.toy import TOY, crd
from tests.support.toyworld import NAMESPACES, TOYS, World


@pytest.fixture(scope="session")
def kubeconfig(request: pytest.FixtureRequest) -> Path:
    """Gives the administrator's kubeconfig of the run's own API server, or of the one that the environment names."""
    given = os.environ.get("SENTINEL_TEST_KUBECONFIG")
    if given:
        return Path(given)
    found: Path = request.getfixturevalue("api_server").kubeconfig
    return found


@pytest.fixture
async def api(kubeconfig: Path) -> AsyncIterator[KubeApi]:
    access = await Access.open(Source(kubeconfig))
    made = KubeApi(Transport(access, metrics=Metrics(), limits=Limits()))
    await made.apply(CRDS, crd())

    async def served() -> bool:
        return any(each["name"] == TOY.plural for each in (await made.read_path(TOYS.base))["resources"])

    await eventually(served)
    yield made
    await access.close()


@pytest.fixture
async def world(api: KubeApi, kubeconfig: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        made = World(api, kubeconfig, stack)
        await api.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": made.namespace}})
        yield made
    items, _ = await api.list(TOYS, namespace=made.namespace)
    for each in items:
        await made.remove(each["metadata"]["name"])
    await api.delete(NAMESPACES, ObjectRef("v1", "Namespace", "", made.namespace))


@pytest.fixture
async def models(world: World) -> AsyncIterator[Models]:
    async with opened(world) as made:
        yield made
