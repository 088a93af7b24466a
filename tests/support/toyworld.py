"""One namespace of the real API server with Toys in it, replicas that look after them, and proxies in between."""

from __future__ import annotations

import uuid
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from sentinel_operator.api.kinds import Kind
from sentinel_operator.app import Parts
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.resources import Resource
from tests.support.eventually import eventually
from tests.support.faultproxy import FaultProxy
from tests.support.replica import Replica, settings
from tests.support.toy import TOY, ToyReconciler, judge, toy

NAMESPACES = Resource("v1", "Namespace", "namespaces", namespaced=False)
TOYS = Resource.of_kind(TOY)
CHILDREN = tuple(Resource.of_child(each) for each in ToyReconciler.children if each.kind != "Pod")


class World:
    """One namespace, with what a user does in it."""

    def __init__(self, api: KubeApi, kubeconfig: Path, stack: AsyncExitStack) -> None:
        self.api, self.kubeconfig = api, kubeconfig
        self.namespace = f"t-{uuid.uuid4().hex[:10]}"
        self._stack = stack

    async def proxy(self) -> FaultProxy:
        """Opens a proxy of its own for a replica."""
        return await self._stack.enter_async_context(FaultProxy.open(self.kubeconfig))

    async def replica(self, proxy: FaultProxy, **changed: Any) -> Replica:
        """Starts a replica that reaches the API server through a proxy."""
        return await self.replica_as(proxy.kubeconfig(), **changed)

    async def replica_as(
        self, kubeconfig: Path, *, kind: Kind = TOY, validate: bool = False, **changed: Any
    ) -> Replica:
        """Starts a replica that reaches the API server as a kubeconfig says; `changed` are its settings."""
        parts = Parts([ToyReconciler(kind)], {kind.kind: judge} if validate else {})
        return await self._stack.enter_async_context(Replica(settings(kubeconfig, self.namespace, **changed), parts))

    async def make(self, name: str, **spec: Any) -> Manifest:
        """Creates or changes a Toy, as a user does."""
        return await self.api.apply(TOYS, toy(self.namespace, name, **spec), field_manager="user")

    async def toy(self, name: str) -> Manifest:
        return await self.api.get(TOYS, self.namespace, name)

    async def remove(self, name: str) -> None:
        ref = ObjectRef(TOY.api_version, TOY.kind, self.namespace, name)
        await self.api.delete(TOYS, ref)

    async def delete(self, child: Manifest) -> None:
        """Deletes a child, as somebody does by hand."""
        (resource,) = [each for each in CHILDREN if each.kind == child["kind"]]
        await self.api.delete(resource, ObjectRef.of(child))

    async def children(self, name: str) -> dict[tuple[str, str], Manifest]:
        """Gives everything that belongs to a Toy by its labels."""
        selector = (("labelSelector", f"sentinel.dev/kind={TOY.kind},sentinel.dev/name={name}"),)
        found: dict[tuple[str, str], Manifest] = {}
        for resource in CHILDREN:
            items, _ = await self.api.list(resource, namespace=self.namespace, query=selector)
            found |= {(each["kind"], each["metadata"]["name"]): each for each in items}
        return found

    async def settled(self, name: str, *, color: str = "red", within: float = 120.0) -> dict[tuple[str, str], Manifest]:
        """Waits until a Toy is made as its present spec asks; gives its children."""

        async def look() -> dict[tuple[str, str], Manifest]:
            raw = await self.toy(name)
            status = raw.get("status", {})
            assert status.get("observedGeneration") == raw["metadata"]["generation"], status
            assert status["conditions"][0]["status"] == "True", status
            children = await self.children(name)
            assert set(children) == wanted(name, color)
            return children

        return await eventually(look, within=within)


def wanted(name: str, color: str) -> set[tuple[str, str]]:
    """Names the children of a Toy."""
    kinds = ("Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount")
    return {("ConfigMap", f"{name}-{color}"), *((kind, name) for kind in kinds)}
