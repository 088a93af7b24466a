"""The real API server with our CRDs, and a namespace a test."""

from __future__ import annotations

import os
import shlex
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.crds.client import Client, Kubectl

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    kubeconfig = Path(os.environ["SENTINEL_TEST_KUBECONFIG"])
    cache = tmp_path_factory.mktemp("discovery")  # the usual one outlives the definitions that it knew
    return Kubectl(
        (*shlex.split(os.environ["SENTINEL_TEST_KUBECTL"]), f"--kubeconfig={kubeconfig}", f"--cache-dir={cache}")
    )


@pytest.fixture(scope="session")
def api(kubectl: Kubectl) -> Iterator[Client]:
    client = Client(Path(os.environ["SENTINEL_TEST_KUBECONFIG"]))
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
