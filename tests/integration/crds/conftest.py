"""The real API server with our CRDs, and a namespace a test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.cluster import Cluster
from tests.integration.crds.client import Client, Kubectl

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def kubectl(api_server: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    cache = tmp_path_factory.mktemp("discovery")  # the usual one outlives the definitions that it knew
    return Kubectl((*api_server.kubectl_command, f"--cache-dir={cache}"))


@pytest.fixture(scope="session")
def api(api_server: Cluster, kubectl: Kubectl) -> Iterator[Client]:
    client = Client(api_server.kubeconfig)
    kubectl.run("apply", "--server-side", "--force-conflicts", "-k", str(ROOT / "crds"))
    kubectl.run(
        "wait", "--for=condition=Established", "--timeout=30s", "crd", "-l", "app.kubernetes.io/part-of=sentinel"
    )
    yield client
    client.close()


@pytest.fixture
def namespace(api: Client) -> Iterator[str]:
    name = f"crds-{uuid.uuid4().hex[:8]}"
    api.ok("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    api.ok("DELETE", f"/api/v1/namespaces/{name}")
