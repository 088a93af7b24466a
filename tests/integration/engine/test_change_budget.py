"""On the real API server: never more rollouts under way than the SentinelConfig allows, and all have their turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from sentinel_operator.api.kinds import SENTINEL_CONFIG, SENTRY_MODEL
from sentinel_operator.app import PARTS
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.resources import CRDS, Resource
from tests.support.eventually import eventually
from tests.support.readypods import ReadyPods
from tests.support.replica import SHORT_LEASE, Replica, settings
from tests.support.toyworld import World

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
MODELS, CONFIGS = Resource.of_kind(SENTRY_MODEL), Resource.of_kind(SENTINEL_CONFIG)
DEFAULT = ObjectRef(SENTINEL_CONFIG.api_version, SENTINEL_CONFIG.kind, "", "default")


class Models:
    """The models of a namespace, and all that their statuses ever said of rollouts."""

    def __init__(self, api: KubeApi, kubeconfig: Path, namespace: str) -> None:
        self.api, self.kubeconfig, self.namespace = api, kubeconfig, namespace
        self.pods = ReadyPods(api, namespace)
        self.under_way: set[str] = set()
        self.most = 0
        self.told: dict[str, set[str]] = {}
        self.serving: dict[str, str] = {}
        self.phases: dict[str, str] = {}
        self._stack = AsyncExitStack()

    async def replica(self, **changed: Any) -> Replica:
        chosen = settings(self.kubeconfig, self.namespace, **changed)
        return await self._stack.enter_async_context(Replica(chosen, PARTS))

    async def limit(self, **budget: int) -> None:
        """Sets the change budget, and waits until it is in force."""
        manifest = {"apiVersion": DEFAULT.api_version, "kind": DEFAULT.kind, "metadata": {"name": DEFAULT.name}}
        await self.api.apply(CONFIGS, {**manifest, "spec": {"changeBudget": budget}}, field_manager="user")

        async def in_force() -> bool:
            raw = await self.api.get(CONFIGS, "", DEFAULT.name)
            return bool(raw["status"].get("observedGeneration") == raw["metadata"]["generation"])

        await eventually(in_force)

    async def declare(self, names: list[str], version: str) -> None:
        for name in names:
            await self.api.apply(MODELS, model(self.namespace, name, version), field_manager="user")

    async def serve(self, names: list[str], version: str) -> None:
        async def all_serve() -> bool:
            assert {name: self.serving.get(name) for name in names} == dict.fromkeys(names, version)
            return not self.under_way

        await eventually(all_serve, within=120)

    async def waiting(self, names: list[str], *, beside: int) -> None:
        """Waits until so many are under way, and all others wait for the budget."""

        async def stand() -> bool:
            waiting = {name for name in names if self.phases.get(name) == "Waiting"}
            assert (len(self.under_way), len(waiting)) == (beside, len(names) - beside), (self.phases, self.told)
            return True

        await eventually(stand)

    async def watch(self) -> None:
        """Sees every status that is ever written."""
        version = await self.api.snapshot(MODELS)
        while True:
            events = self.api.watch(MODELS, namespace=self.namespace, resource_version=version, seconds=300, idle=330.0)
            async for event in events:
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self._seen(event["object"])

    def _seen(self, raw: Manifest) -> None:
        name, status = raw["metadata"]["name"], raw.get("status") or {}
        rollout = status.get("rollout") or {}
        if rollout.get("stable") and rollout.get("candidate"):
            self.under_way.add(name)
        else:
            self.under_way.discard(name)
        self.most = max(self.most, len(self.under_way))
        self.phases[name] = rollout.get("phase", "")
        self.serving[name] = (status.get("stable") or {}).get("version", "")
        if rollout.get("phase") == "Waiting":
            (ready,) = (each for each in status["conditions"] if each["type"] == "Ready")
            assert ready["reason"] == "WaitingForBudget"
            self.told.setdefault(name, set()).add(ready["message"])


def model(namespace: str, name: str, version: str) -> Manifest:
    return {
        "apiVersion": SENTRY_MODEL.api_version,
        "kind": SENTRY_MODEL.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "model": {"version": version, "source": {"objectStore": {"uri": f"s3://models/{name}/{version}/"}}},
            "schema": {"task": "TextClassification", "labels": ["a", "b"]},
            "rollout": {"strategy": "RollingUpdate"},
        },
    }


async def counted(replica: Replica, **expected: int) -> None:
    """Waits until its metrics give these numbers of rollouts."""

    async def found() -> bool:
        assert {state: replica.metric("rollouts", state=state) for state in expected} == expected
        return True

    await eventually(found)


@pytest.fixture
async def models(world: World) -> AsyncIterator[Models]:
    for kind in (SENTRY_MODEL, SENTINEL_CONFIG):
        text = (ROOT / "crds" / f"sentinel.dev_{kind.plural}.yaml").read_text()
        await world.api.apply(CRDS, yaml.safe_load(text))

    async def served() -> bool:
        found = {each["name"] for each in (await world.api.read_path(MODELS.base))["resources"]}
        return {SENTRY_MODEL.plural, SENTINEL_CONFIG.plural} <= found

    await eventually(served)
    made = Models(world.api, world.kubeconfig, world.namespace)
    watching = asyncio.create_task(made.watch())
    try:
        async with made.pods.running(), made._stack:
            yield made
            assert not watching.done(), "what was seen was wrong"
    finally:
        watching.cancel()
        items, _ = await world.api.list(MODELS, namespace=world.namespace)
        for each in items:
            await world.api.delete(MODELS, ObjectRef.of(each))
        await world.api.delete(CONFIGS, DEFAULT)


async def test_ten_changed_at_once_go_two_by_two_and_know_what_they_wait_for(models: Models) -> None:
    names = [f"m{number}" for number in range(10)]
    replica = await models.replica()
    await models.declare(names, "1.0.0")
    await models.serve(names, "1.0.0")
    assert models.most == 0, "the first rollout of all needs no slot"
    await models.limit(maxConcurrentRollouts=2)
    models.pods.held = True
    await models.declare(names, "2.0.0")
    await models.waiting(names, beside=2)
    limit = "spec.changeBudget.maxConcurrentRollouts of SentinelConfig default"
    said = f"waits for one of the 2 slots of the cluster ({limit}), taken by {models.namespace}/m"
    assert all(said in min(each) for each in models.told.values()), models.told
    await counted(replica, under_way=2, waiting_for_budget=8)
    models.pods.held = False
    await models.serve(names, "2.0.0")
    assert models.most == 2
    await counted(replica, under_way=0, waiting_for_budget=0)


async def test_the_next_leader_knows_every_slot_and_every_place(models: Models) -> None:
    names = [f"m{number}" for number in range(5)]
    leader = await models.replica(**SHORT_LEASE)
    await models.declare(names, "1.0.0")
    await models.serve(names, "1.0.0")
    await models.limit(maxConcurrentRollouts=2)
    standby = await models.replica(**SHORT_LEASE)
    models.pods.held = True
    await models.declare(names, "2.0.0")
    await models.waiting(names, beside=2)
    await leader.kill()
    models.pods.held = False

    async def leads() -> bool:
        return standby.leads

    await eventually(leads)
    await models.serve(names, "2.0.0")
    assert models.most == 2


async def test_a_freeze_holds_and_a_higher_limit_lets_the_next_begin_at_once(models: Models) -> None:
    names = [f"m{number}" for number in range(4)]
    await models.replica(resync=3600.0)
    await models.declare(names, "1.0.0")
    await models.serve(names, "1.0.0")
    await models.limit(maxConcurrentRollouts=0)
    models.pods.held = True
    await models.declare(names, "2.0.0")
    await models.waiting(names, beside=0)
    assert all("the end of the freeze of the cluster" in min(each) for each in models.told.values())
    await models.limit(maxConcurrentRollouts=1)
    await models.waiting(names, beside=1)
    await models.limit(maxConcurrentRollouts=5, perNamespace=3)
    await models.waiting(names, beside=3)
    assert any("slots of namespace" in said for each in models.told.values() for said in each)
    models.pods.held = False
    await models.serve(names, "2.0.0")
    assert models.most == 3
