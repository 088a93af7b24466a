"""On the real API server: whether there is room, of nodes and pods as they are, and what a rollout makes of it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.engine.capacity import Capacity
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.resources import NODES, Resource
from tests.support.eventually import eventually
from tests.support.modelsworld import MODELS, Models, model
from tests.support.readypods import POD_RESOURCE
from tests.support.toyworld import World

pytestmark = pytest.mark.integration

ACCELERATOR = "test.sentinel.dev/accelerator"
ACCOUNTS = Resource("v1", "ServiceAccount", "serviceaccounts")


async def a_node(api: KubeApi, name: str, **allocatable: str) -> None:
    """Makes a node that is ready and takes pods."""
    manifest = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
    await api.apply(NODES, manifest, field_manager="kubelet")
    amounts = {"cpu": "4", "memory": "8Gi", "pods": "110", **allocatable}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "it is"}
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    conditions = [{**ready, "lastHeartbeatTime": now, "lastTransitionTime": now}]
    status = {"capacity": amounts, "allocatable": amounts, "conditions": conditions}
    await api.apply_status(NODES, {**manifest, "status": status}, field_manager="kubelet")

    async def takes_pods() -> bool:
        """Until the node controller has seen that it is ready, a taint keeps pods away."""
        return not (await api.get(NODES, "", name))["spec"].get("taints")

    await eventually(takes_pods)


@pytest.fixture
async def node(world: World) -> AsyncIterator[str]:
    name = f"{world.namespace}-node"
    await a_node(world.api, name, **{ACCELERATOR: "1"})
    yield name
    await world.api.delete(NODES, ObjectRef("v1", "Node", "", name))


def a_pod(world: World, name: str, *, node: str = "", **limits: str) -> Manifest:
    container = {"name": "one", "image": "test.invalid/image:1", "resources": {"limits": limits}}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0, **({"nodeName": node} if node else {})}
    metadata = {"name": name, "namespace": world.namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


async def test_a_device_is_free_until_a_pod_on_its_node_has_it(world: World, node: str) -> None:
    wanted = a_pod(world, "wanted", **{ACCELERATOR: "1"})

    async def free() -> bool | None:
        return await Capacity(world.api, clock=time.monotonic).spare("wanted", wanted)

    async def account() -> bool:
        return bool(await world.api.get(ACCOUNTS, world.namespace, "default"))

    assert await free() is True
    await eventually(account)
    await world.api.create(POD_RESOURCE, a_pod(world, "first", node=node, **{ACCELERATOR: "1"}))
    assert await free() is False
    await world.api.delete(POD_RESOURCE, ObjectRef("v1", "Pod", world.namespace, "first"))

    async def free_again() -> bool:
        return await free() is True

    await eventually(free_again)


async def test_auto_begins_when_it_is_known_whether_there_is_room(models: Models, node: str) -> None:
    def asking(name: str, version: str, cpu: str) -> Manifest:
        raw: dict[str, Any] = model(models.namespace, name, version)
        raw["spec"]["rollout"] = {"strategy": "Auto"}
        # Other than the version: what running pods cannot load.
        raw["spec"]["pod"] = {"resources": {"requests": {"cpu": cpu}}, "annotations": {"for": version}}
        return raw

    await models.replica()
    names = {"small": "100m", "large": "100"}
    for name, cpu in names.items():
        await models.api.apply(MODELS, asking(name, "1.0.0", cpu), field_manager="user")
    await models.serve(list(names), "1.0.0")
    models.pods.held = True
    for name, cpu in names.items():
        await models.api.apply(MODELS, asking(name, "2.0.0", cpu), field_manager="user")

    async def begun() -> bool:
        statuses = [(await models.api.get(MODELS, models.namespace, name))["status"] for name in names]
        chosen = [each["rollout"]["strategy"] for each in statuses if each["rollout"].get("candidate")]
        assert chosen == ["Canary", "RollingUpdate"], statuses
        return True

    await eventually(begun)
