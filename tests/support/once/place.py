"""Where a run takes place: workloads, a node and policies of its own in namespaces that it shares with other runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from sentinel_operator.api.kinds import ACTION_POLICY
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.engine.errors import ApiError, Conflict, NotFound
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.resources import NODES, Resource
from tests.support.eventually import eventually
from tests.support.plansworld import DEPLOYMENTS, PLANS, POLICIES
from tests.support.readypods import POD_RESOURCE
from tests.support.toyworld import NAMESPACES

SPACE, SYSTEM = "once", "sentinel-system"
LABEL = "once"
SETS = Resource("apps/v1", "StatefulSet", "statefulsets")
NODELESS = {"web": 2, "idle": 0, "set": 1, "stopped": 0, "rolled": 0, "kept": 0, "slow": 0}
"""Workloads, and how many replicas they begin with."""
_READY = [{"type": each, "status": "True"} for each in ("PodScheduled", "ContainersReady", "Ready")]


@dataclass(frozen=True, slots=True)
class Meter:
    """Where `right` and `wrong` are measured."""

    url: str

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[Meter]:
        """Answers until left."""

        async def answer(request: web.Request) -> web.Response:
            return web.json_response(1 if request.path == "/wrong" else 0)

        app = web.Application()
        app.router.add_get("/{what}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield cls(f"http://127.0.0.1:{runner.addresses[0][1]}")
        finally:
            await runner.cleanup()

    def verify(self, what: str) -> Manifest:
        """Gives a verification that is passed, or not."""
        metric = {"name": what, "web": {"url": f"{self.url}/{what}"}, "max": 0.5, "interval": "1s"}
        return {"metrics": [metric], "timeout": "30s"}


class Place:
    """The objects of one run. `full` gives the name under which the cluster knows what a story calls by a short one."""

    def __init__(self, api: KubeApi, run: str) -> None:
        self.api, self.run = api, run
        self.labels = {LABEL: run}
        self.selector = (("labelSelector", f"{LABEL}={run}"),)

    def full(self, name: str) -> str:
        """Names an object of the run."""
        return f"{name}-{self.run}"

    def short(self, name: str) -> str:
        """Names it as the story does."""
        return name.removesuffix(f"-{self.run}")

    async def make(self, wanted: Iterable[str]) -> None:
        """Makes the targets, and waits until they are as they are to be."""
        wanted = {*wanted, "web"}
        if wanted & {"node", "moved"}:
            await self._node(busy="node" in wanted)
        plain = sorted(wanted & NODELESS.keys())
        await asyncio.gather(*(self._workload(each, NODELESS[each]) for each in plain))
        if "moved" in wanted:
            await self._workload("moved", 2)
            await self._bind("moved")
        if "rolled" in wanted:
            await self._again("rolled")
        if "kept" in wanted:
            await self._policy("kept", {"type": "Quota", "quota": {"maxReplicas": 5}})
        if "slow" in wanted:
            await self._policy("slow", {"type": "RateLimit", "rateLimit": {"maxPerMinute": 1, "scope": "Workload"}})

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Stands in for the nodes; at the end nothing of the run is left."""
        kubelet = asyncio.create_task(self._kubelet())
        try:
            yield
        finally:
            kubelet.cancel()
            with suppress(asyncio.CancelledError):
                await kubelet
            await self._clear()

    async def live(self, name: str) -> Manifest:
        """Reads a target."""
        return await self.api.get(resource_of(name), "" if name == "node" else SPACE, self.full(name))

    # -------------------------------------------------------------------------------- making

    async def _workload(self, name: str, replicas: int) -> None:
        full, resource = self.full(name), resource_of(name)
        labels = {**self.labels, "app": full}
        pod: Manifest = {
            "containers": [{"name": "main", "image": "registry.test/web:1"}],
            "terminationGracePeriodSeconds": 0,
        }
        spec: Manifest = {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": full}},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        }
        if name == "set":
            spec |= {"serviceName": full, "podManagementPolicy": "Parallel"}
        metadata = {"name": full, "namespace": SPACE, "labels": {**self.labels, "called": name}}
        await self.api.create(
            resource,
            {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, "spec": spec},
        )
        await eventually(self._settled(name, replicas))

    def _settled(self, name: str, replicas: int) -> Callable[[], Coroutine[Any, Any, bool]]:
        async def settled() -> bool:
            raw = await self.live(name)
            status = raw.get("status") or {}
            seen = status.get("observedGeneration") == raw["metadata"]["generation"]
            return seen and (status.get("readyReplicas") or 0) == replicas == (status.get("updatedReplicas") or 0)

        return settled

    async def _again(self, name: str) -> None:
        """Gives a Deployment a second revision."""
        raw = await self.live(name)
        raw["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.test/web:2"
        await self.api.replace(DEPLOYMENTS, raw)
        revision = "deployment.kubernetes.io/revision"

        async def second() -> bool:
            return (await self.live(name))["metadata"].get("annotations", {}).get(revision) == "2"

        await eventually(second)

    async def _node(self, *, busy: bool) -> None:
        node = self.full("node")
        await self.api.create(
            NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node, "labels": self.labels}}
        )
        for number in range(2 if busy else 0):
            name = self.full(f"alone-{number}")
            spec = {"nodeName": node, "containers": [{"name": "main", "image": "registry.test/web:1"}]}
            pod = {"apiVersion": "v1", "kind": "Pod", "spec": {**spec, "terminationGracePeriodSeconds": 0}}
            await self.api.create(
                POD_RESOURCE, {**pod, "metadata": {"name": name, "namespace": SPACE, "labels": self.labels}}
            )

    async def _bind(self, name: str) -> None:
        """Puts the pods that are there on the node; later ones stay without."""
        app = (("labelSelector", f"app={self.full(name)}"),)
        target = {"apiVersion": "v1", "kind": "Node", "name": self.full("node")}
        for pod in (await self.api.list(POD_RESOURCE, namespace=SPACE, query=app))[0]:
            ref = ObjectRef.of(pod)
            body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": ref.name}, "target": target}
            await self.api.create_under(POD_RESOURCE, ref, "binding", body)

    async def _policy(self, name: str, rule: Manifest) -> None:
        """One with a selector by labels: such are not compiled, so they never meet other runs."""
        metadata = {"name": self.full(name), "labels": self.labels}
        selector = {"labels": {**self.labels, "called": name}}
        body = {"apiVersion": ACTION_POLICY.api_version, "kind": ACTION_POLICY.kind, "metadata": metadata}
        await self.api.create(POLICIES, {**body, "spec": {"selector": selector, "rules": [rule]}})

    # -------------------------------------------------------------------------------- keeping

    async def _kubelet(self) -> None:
        version, ready = "0", set[str]()
        while True:
            with suppress(ApiError):
                async for event in self.api.watch(
                    POD_RESOURCE, resource_version=version, seconds=300, idle=400, namespace=SPACE, query=self.selector
                ):
                    pod = event["object"]
                    uid, going = pod["metadata"].get("uid"), pod["metadata"].get("deletionTimestamp")
                    if event["type"] in ("ADDED", "MODIFIED") and uid not in ready and not going:
                        with suppress(NotFound, Conflict):  # otherwise all pods are looked at again
                            await self._make_ready(pod)
                            ready.add(uid)
            await asyncio.sleep(0.1)

    async def _make_ready(self, pod: Manifest) -> None:
        metadata = {key: pod["metadata"][key] for key in ("name", "namespace", "uid")}
        status = {"phase": "Running", "conditions": _READY}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status}
        await self.api.apply_status(POD_RESOURCE, body, field_manager="kubelet")

    async def _clear(self) -> None:
        for resource, namespaces in (
            (PLANS, (SPACE, SYSTEM)),
            (POLICIES, ("",)),
            (DEPLOYMENTS, (SPACE,)),
            (SETS, (SPACE,)),
            (POD_RESOURCE, (SPACE,)),
            (NODES, ("",)),
        ):
            for namespace in namespaces:
                with suppress(ApiError):
                    await _clear_all(self.api, resource, namespace, self.selector)


def resource_of(name: str) -> Resource:
    """Tells what a target is."""
    return {"node": NODES, "set": SETS}.get(name, DEPLOYMENTS)


async def _clear_all(api: KubeApi, resource: Resource, namespace: str, selector: tuple[tuple[str, str], ...]) -> None:
    """Deletes everything with a label."""
    for each in (await api.list(resource, namespace=namespace, query=selector))[0]:
        metadata = each["metadata"]
        with suppress(ApiError):
            ref = ObjectRef(resource.api_version, resource.kind, metadata.get("namespace", ""), metadata["name"])
            await api.delete(resource, ref)


async def spaces(api: KubeApi) -> None:
    """Makes the namespaces that all runs share."""
    for name in (SPACE, SYSTEM):
        with suppress(Conflict):
            await api.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    async def ready() -> bool:
        """A pod can be made there once the controller manager has made the service account."""
        found = await api.find(Resource("v1", "ServiceAccount", "serviceaccounts"), SPACE, "default")
        return found is not None

    await eventually(ready)
