"""The real API server with our CRDs, and a namespace a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devcluster.cluster import Cluster
from sentinel_operator.core.plan import ObjectRef
from sentinel_operator.engine.access import Access, Source
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.metrics import Metrics
from sentinel_operator.engine.transport import Limits, Transport
from tests.integration.cli.world import MODELS, NAMESPACES, World
from tests.support.eventually import eventually

CRDS = Path(__file__).parents[3] / "crds"


@pytest.fixture(scope="session")
def served(api_server: Cluster) -> Cluster:
    api_server.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(CRDS))
    return api_server


@pytest.fixture
async def world(served: Cluster) -> AsyncIterator[World]:
    access = await Access.open(Source(served.kubeconfig))
    made = World(KubeApi(Transport(access, metrics=Metrics(), limits=Limits())), served.kubeconfig)
    await eventually(lambda: made.api.list(MODELS))
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": made.namespace}}
    await made.api.create(NAMESPACES, namespace)
    try:
        yield made
    finally:
        await made.api.delete(NAMESPACES, ObjectRef("v1", "Namespace", "", made.namespace))
        await access.close()
