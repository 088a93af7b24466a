"""SentryModels in a namespace of the real API server: what a user declares, and all that their statuses ever say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from sentinel_operator.api.kinds import SENTINEL_CONFIG, SENTRY_MODEL
from sentinel_operator.app import PARTS
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.resources import CRDS, Resource
from tests.support.eventually import eventually
from tests.support.readypods import ReadyPods
from tests.support.replica import Replica, settings
from tests.support.toyworld import World

ROOT = Path(__file__).parents[2]
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


@asynccontextmanager
async def opened(world: World) -> AsyncIterator[Models]:
    """Gives the models of a namespace; at the end neither they nor settings of the cluster are left."""
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
