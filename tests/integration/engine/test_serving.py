"""Probes, metrics and the webhook, as the kubelet, Prometheus and the API server meet them."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.engine.errors import Terminal
from sentinel_operator.engine.resources import CRDS, SECRETS, VALIDATING_WEBHOOKS, Resource
from tests.support.eventually import eventually
from tests.support.faultproxy import Seen
from tests.support.replica import Replica
from tests.support.toy import TOY, crd, toy
from tests.support.toyworld import World, wanted

pytestmark = pytest.mark.integration

TOLD = (
    'sentinel_controller_reconcile_total{controller="Toy",result="changed"} 1.0',
    'sentinel_controller_reconciliations_total{result="changed"} 1.0',
    "sentinel_controller_reconciliation_queue_depth 0.0",
    'sentinel_controller_workqueue_depth{controller="Toy"} 0.0',
    "sentinel_controller_leader 1.0",
    'sentinel_controller_api_requests_total{code="201",kind="Deployment",verb="apply"} 1.0',
    'sentinel_controller_cache_objects{kind="Deployment"}',
)


async def get(replica: Replica, path: str) -> tuple[int, str]:
    """Asks one of its own endpoints."""
    assert replica.app is not None
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{replica.app.http_port}{path}") as response,
    ):
        return response.status, await response.text()


async def test_a_replica_is_ready_once_it_knows_everything(world: World) -> None:
    proxy = await world.proxy()
    proxy.block(lambda seen: seen.path.endswith("/configmaps"))
    replica = await world.replica(proxy)

    async def serves() -> bool:
        return replica.app is not None and replica.app.serving.is_set()

    await eventually(serves)
    assert await get(replica, "/healthz") == (200, "ok tasks\n")
    status, text = await get(replica, "/readyz")
    assert status == 503
    assert "failed caches synced" in text
    proxy.unblock()

    async def ready() -> bool:
        return (await get(replica, "/readyz"))[0] == 200

    await eventually(ready)


async def test_metrics_tell_what_happened(world: World) -> None:
    replica = await world.replica(await world.proxy())
    await world.make("bear")
    await world.settled("bear")

    async def told() -> bool:
        text = (await get(replica, "/metrics"))[1]
        assert [line for line in TOLD if line not in text] == []
        return True

    await eventually(told)


async def webhook(world: World, replicas: list[Replica]) -> Manifest:
    """Points the API server at the first replica, as a Service would at each of them."""

    async def serves() -> int:
        server = replicas[0].app.admission if replicas[0].app else None
        return server.port if server is not None and server.serving.is_set() else 0

    port = await eventually(serves)
    return {
        "apiVersion": VALIDATING_WEBHOOKS.api_version,
        "kind": VALIDATING_WEBHOOKS.kind,
        "metadata": {"name": world.namespace},
        "webhooks": [
            {
                "name": f"{TOY.plural}.{TOY.group}",
                "admissionReviewVersions": ["v1"],
                "clientConfig": {"url": f"https://127.0.0.1:{port}/validate-{TOY.plural}"},
                "rules": [
                    {
                        "apiGroups": [TOY.group],
                        "apiVersions": [TOY.version],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": [TOY.plural],
                    }
                ],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}},
                "failurePolicy": "Fail",
                "sideEffects": "None",
                "timeoutSeconds": 5,
            }
        ],
    }


async def test_the_webhook_refuses_and_warns_and_its_certificate_is_kept_by_the_operator(world: World) -> None:
    names: dict[str, Any] = {"webhook": True, "webhook_names": ("127.0.0.1",), "webhook_configuration": world.namespace}
    replicas = [await world.replica(await world.proxy(), validate=True, **names) for _ in range(2)]
    await world.api.apply(VALIDATING_WEBHOOKS, await webhook(world, replicas))
    try:

        async def trusted() -> bool:
            found = await world.api.get(VALIDATING_WEBHOOKS, "", world.namespace)
            secret = await world.api.get(SECRETS, world.namespace, "sentinel-webhook-tls")
            bundle = base64.b64decode(found["webhooks"][0]["clientConfig"].get("caBundle", ""))
            return bundle == base64.b64decode(secret["data"]["ca.crt"])

        await eventually(trusted)

        async def refused() -> str:
            with pytest.raises(Terminal) as refusal:
                await world.make("bear", color="black")
            return str(refusal.value) if "spec.color" in str(refusal.value) else ""

        message = await eventually(refused)
        assert "black is not for toys" in message
        await world.make("bear", color="pink")
        await world.settled("bear", color="pink")
    finally:
        ref = ObjectRef(VALIDATING_WEBHOOKS.api_version, VALIDATING_WEBHOOKS.kind, "", world.namespace)
        await world.api.delete(VALIDATING_WEBHOOKS, ref)


def lists_crds(seen: Seen) -> bool:
    """Tells what kopf asks once its first discovery is done."""
    return seen.path.endswith("/customresourcedefinitions")


@pytest.mark.parametrize("events", ["seen", "missed"])
async def test_a_replica_waits_for_its_crd_and_begins_when_that_comes(world: World, events: str) -> None:
    late = replace(TOY, group=f"{world.namespace}.sentinel.dev")
    proxy = await world.proxy()
    if events == "missed":
        proxy.block(lists_crds)
    replica = await world.replica(proxy, kind=late)

    async def discovered() -> bool:
        return any(lists_crds(request) for request in proxy.log)

    await eventually(discovered)
    assert "failed resources served" in (await get(replica, "/readyz"))[1]
    await world.api.apply(CRDS, crd(late))
    try:
        toys = Resource.of_kind(late)

        async def made() -> bool:
            return bool(await world.api.apply(toys, toy(world.namespace, "bear", late), field_manager="user"))

        await eventually(made)

        async def ready() -> bool:
            assert set(await world.children("bear")) == wanted("bear", "red")
            return (await get(replica, "/readyz"))[0] == 200

        await eventually(ready)
        await world.api.apply(toys, toy(world.namespace, "wolf", late), field_manager="user")

        async def watched() -> bool:
            return set(await world.children("wolf")) == wanted("wolf", "red")

        await eventually(watched)
    finally:
        await world.api.delete(CRDS, ObjectRef.of(crd(late)))
