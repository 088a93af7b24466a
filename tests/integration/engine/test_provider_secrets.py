"""On the real API server: a provider gets the value of a Secret that is meant for it; it is told nowhere else."""

from __future__ import annotations

import base64
import json
import logging
import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from devcluster.cluster import Cluster
from sentinel_operator.api.pod import SecretKeyRef
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.engine import runtime
from sentinel_operator.engine.access import Access, Source
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.measure.fault import CannotMeasure
from sentinel_operator.engine.measure.fetch import anywhere
from sentinel_operator.engine.measure.measurer import Measurer
from sentinel_operator.engine.measure.secrets import ApiSecrets
from sentinel_operator.engine.metrics import Metrics
from sentinel_operator.engine.resources import EVENTS, SECRETS
from sentinel_operator.engine.transport import Limits, Transport
from tests.integration.crds.client import Kubectl
from tests.integration.engine.test_asking_and_jobs import PAUSE, Scene, declared, only
from tests.integration.measure.scene import serving
from tests.support.eventually import eventually
from tests.support.toyworld import World

pytestmark = pytest.mark.integration

MANIFESTS = Path(__file__).parents[3] / "manifests"
VALUE = "s3cr3t-t0ken-of-the-provider"
LABELLED = {"sentinel.dev/analysis": "true"}


def secret(namespace: str, name: str = "sentinel-analysis", **metadata: Any) -> Manifest:
    data = {"token": base64.b64encode(f"{VALUE}\n".encode()).decode()}
    return {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace, **metadata},
        "data": data,
    }  # fmt: skip


# ---------------------------------------------------------------------------------------------- its rights


@pytest.fixture
async def operator_api(world: World, api_server: Cluster, tmp_path: Path) -> AsyncIterator[tuple[KubeApi, Kubectl]]:
    """The API as the operator's account under the shipped roles, and kubectl as an administrator's."""
    kubectl = Kubectl(tuple(api_server.kubectl_command))
    for name in ("namespace.yaml", "service-account.yaml", "generated/operator-roles.yaml"):
        kubectl.run("apply", "--server-side", "--force-conflicts", "-f", str(MANIFESTS / "base" / name))
    token = kubectl.run("create", "token", "sentinel-operator", "-n", "sentinel-system").strip()
    config = yaml.safe_load(world.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    path = tmp_path / "account.conf"
    path.write_text(yaml.safe_dump(config))
    access = await Access.open(Source(path))
    yield KubeApi(Transport(access, metrics=Metrics(), limits=Limits())), kubectl
    await access.close()


def of_a_team(namespace: str, folder: Path) -> Path:
    """Writes what a team adds to the kustomization of its namespace."""
    folder.mkdir()
    component = os.path.relpath(MANIFESTS / "components/provider-secrets", folder)
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({"namespace": namespace, "components": [component]}))
    return folder


async def test_one_secret_is_within_reach_by_the_component_and_no_other(
    world: World, operator_api: tuple[KubeApi, Kubectl], tmp_path: Path
) -> None:
    api, kubectl = operator_api

    async def said(name: str = "sentinel-analysis") -> str:
        """What is read, or why it is not."""
        reader = ApiSecrets(api, clock=lambda: 0.0)
        try:
            return await reader(world.namespace, SecretKeyRef(name=name, key="token"), host="provider")
        except CannotMeasure as error:
            return str(error)

    for name in ("sentinel-analysis", "other"):
        await world.api.apply(SECRETS, secret(world.namespace, name), field_manager="user")
    assert "the operator may not read Secret" in await said(), "not by default"

    kubectl.run("apply", "--server-side", "-k", str(of_a_team(world.namespace, tmp_path / "team")))

    async def unlabelled() -> bool:
        return 'does not bear the label sentinel.dev/analysis: "true"' in await said()

    await eventually(unlabelled)
    await world.api.apply(SECRETS, secret(world.namespace, labels=LABELLED), field_manager="user")
    assert (await said()).strip() == VALUE
    assert "may not read" in await said("other")
    ref = ObjectRef("v1", "Secret", world.namespace, "sentinel-analysis")
    await world.api.delete(SECRETS, ref)
    assert await said() == f"Secret {world.namespace}/sentinel-analysis does not exist"


# ---------------------------------------------------------------------------------------------- where it goes


@pytest.fixture
async def scene(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    """Providers are on this node's own addresses, which an operator does not ask."""
    monkeypatch.setattr(runtime, "Measurer", partial(Measurer, allowed=anywhere))
    monkeypatch.setattr(runtime, "ApiSecrets", partial(ApiSecrets, lifetime=0.0))
    async with declared(world) as made:
        yield made


class Provider:
    """A Prometheus that repeats what it was sent for as long as it is told to."""

    def __init__(self) -> None:
        self.echoes = True
        self.got: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.got.append(request.headers.get("Authorization", ""))
        if self.echoes:
            error = {"status": "error", "errorType": "bad_data", "error": f"who is {self.got[-1]}?"}
            return web.json_response(error, status=422)
        data = {"resultType": "scalar", "result": [0, "0.5"]}
        return web.json_response({"status": "success", "data": data})


async def message(scene: Scene) -> str:
    analysis = (await scene.rollout()).get("analysis") or {}
    return str(only(analysis.get("metrics") or []).get("message", ""))


async def test_it_reaches_the_provider_and_is_told_nowhere(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    api, namespace, provider = scene.api, scene.world.namespace, Provider()
    reference = {"name": "sentinel-analysis", "key": "token"}

    async def tells(words: str) -> None:
        async def look() -> bool:
            found = await message(scene)
            assert words in found, found
            return True

        await eventually(look)

    async with serving(provider.handle) as url:
        prometheus = {"address": url, "query": "up", "authorization": {"secretRef": reference}}
        metric = {"name": "query", "prometheus": prometheus, "max": 1, "count": 1, "consecutiveErrorLimit": 100}
        steps: list[Manifest] = [{"analysis": {"metrics": [metric]}}, *PAUSE]
        hosts = {"sentinel.dev/analysis-hosts": "prometheus.monitoring:9090"}
        await api.apply(SECRETS, secret(namespace, labels=LABELLED, annotations=hosts), field_manager="user")
        await scene.replica()
        await scene.begun(steps)
        await tells("prometheus.authorization.secretRef: Secret")
        await tells("does not name 127.0.0.1:")
        assert not provider.got, "nobody has got it so far"
        await api.apply(SECRETS, secret(namespace, labels=LABELLED), field_manager="user")
        await tells("its answer is not told, for it repeats a Secret")
        provider.echoes = False
        await scene.reaches(1, "Paused")
    assert set(provider.got) == {f"Bearer {VALUE}"}
    events, _ = await api.list(EVENTS, namespace=namespace)
    told = json.dumps([await scene.raw(), events]) + caplog.text
    assert VALUE not in told
    assert base64.b64encode(VALUE.encode()).decode().rstrip("=") not in told


async def test_one_that_is_not_there_is_never_held_against_the_revision(scene: Scene) -> None:
    header = {"name": "X-Key", "secretRef": {"name": "sentinel-analysis", "key": "token"}}
    page = {"url": "http://127.0.0.1:9/score", "headers": [header]}
    metric = {"name": "page", "web": page, "max": 1, "consecutiveErrorLimit": 0}
    await scene.replica()
    await scene.begun([{"analysis": {"metrics": [metric]}}, *PAUSE])
    await scene.reaches(0, "AnalysisError", "web.headers[0].secretRef: Secret")
    await scene.verdict("Pending")
