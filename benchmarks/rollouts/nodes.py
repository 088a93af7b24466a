"""A stand-in for what a cluster does about Deployments and Services: pods that are ready at once, and EndpointSlices.

Nothing runs. What the operator observes is written to the API server as the controllers and kubelets would write it,
by as few requests as they need, so that the figures are those of the operator and not of a cluster around it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from sentinel_operator.core.names import MANAGED_BY, NAME, OPERATOR, REVISION
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.engine.cache import ObjectCache
from sentinel_operator.engine.errors import ApiError
from sentinel_operator.engine.informer import Informer
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.metrics import Metrics
from sentinel_operator.engine.queue import WorkQueue
from sentinel_operator.engine.resources import Resource
from sentinel_operator.engine.transport import Query

DEPLOYMENTS = Resource("apps/v1", "Deployment", "deployments")
SERVICES = Resource("v1", "Service", "services")
PODS = Resource("v1", "Pod", "pods")
SLICES = Resource("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
OURS = (("labelSelector", f"{MANAGED_BY}={OPERATOR}"),)
_WORKERS = 8


async def follow(api: KubeApi, resource: Resource, seen: Callable[[Manifest], None], *, query: Query = ()) -> None:
    """Reports every change of every object until it is cancelled, whatever becomes of the watch."""
    metrics, rng = Metrics(), random.Random(1)
    await Informer(api, resource, cache=ObjectCache(), changed=seen, metrics=metrics, rng=rng, query=query).run()


@dataclass(slots=True)
class _Model:
    """What is declared for one model, and what stands for it."""

    deployments: dict[str, Manifest] = field(default_factory=dict)
    service: Manifest = field(default_factory=dict)
    pods: dict[str, list[Manifest]] = field(default_factory=lambda: defaultdict(list))
    endpoints: tuple[str, ...] | None = None


def _nowhere(_: int) -> Manifest:
    return {}


class Nodes:
    """Follows one namespace until it is cancelled. `place` gives what more there is to the spec of the pod with a
    number: its node, where that matters; a pod on one ends only by a kubelet."""

    def __init__(self, api: KubeApi, namespace: str, *, place: Callable[[int], Manifest] = _nowhere) -> None:
        self._api, self._namespace, self._place = api, namespace, place
        self._models: dict[str, _Model] = defaultdict(_Model)
        self._numbers = itertools.count(1)
        loop = asyncio.get_running_loop()
        self._queue: WorkQueue[str] = WorkQueue(timers=loop, metrics=Metrics().queue("nodes"), rng=random.Random(1))

    async def run(self) -> None:
        """Never returns."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(DEPLOYMENTS))
            group.create_task(self._follow(SERVICES))
            for _ in range(_WORKERS):
                group.create_task(self._work())

    async def _follow(self, resource: Resource) -> None:
        await follow(self._api, resource, self._seen, query=OURS)

    def _seen(self, item: Manifest) -> None:
        if item["metadata"]["namespace"] != self._namespace:
            return
        name = item["metadata"]["labels"][NAME]
        if item["kind"] == "Deployment":
            self._models[name].deployments[item["metadata"]["labels"][REVISION]] = item
        elif item["metadata"]["name"] == name:
            self._models[name].service = item
        self._queue.add(name)

    async def _work(self) -> None:
        while (name := await self._queue.get()) is not None:
            try:
                await self._settle(self._models[name])
                self._queue.forget(name)
            except ApiError:
                self._queue.retry(name)
            finally:
                self._queue.done(name)

    async def _settle(self, model: _Model) -> None:
        for revision, deployment in list(model.deployments.items()):
            pods, wanted = model.pods[revision], int(deployment["spec"].get("replicas", 1))
            while len(pods) < wanted:
                pods.append(await self._start(deployment))
            while len(pods) > wanted:
                await self._api.delete(PODS, ObjectRef.of(pods[-1]))
                pods.pop()
        await self._publish(model)

    async def _start(self, deployment: Manifest) -> Manifest:
        """Makes a pod, without a node unless it is placed, and says that it is ready."""
        number, owner = next(self._numbers), deployment["metadata"]["name"]
        metadata = {
            "name": f"{owner}-abc-{number:06}",
            "namespace": self._namespace,
            "labels": deployment["spec"]["template"]["metadata"]["labels"],
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": f"{owner}-abc",
                    "uid": deployment["metadata"]["uid"],
                    "controller": True,
                }
            ],
        }
        template = deployment["spec"]["template"]["spec"]
        spec = {
            "serviceAccountName": template["serviceAccountName"],
            "automountServiceAccountToken": False,
            "initContainers": [{"name": "fetch", "image": "fetch"}],
            "containers": [{"name": "server", "image": "server"}],
            **self._place(number),
        }
        pod = await self._api.create(PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": metadata["name"], "namespace": self._namespace}}
        await self._api.apply_status(PODS, {**body, "status": _ready(deployment, number)}, field_manager="nodes")
        return pod

    async def _publish(self, model: _Model) -> None:
        if not model.service:
            return
        selector = model.service["spec"]["selector"].items()
        pods = [pod for pods in model.pods.values() for pod in pods if selector <= pod["metadata"]["labels"].items()]
        names = tuple(sorted(pod["metadata"]["name"] for pod in pods))
        if names != model.endpoints:
            await self._api.apply(SLICES, _slice(model.service, names), field_manager="nodes")
            model.endpoints = names


def _address(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _ready(deployment: Manifest, number: int) -> Manifest:
    digest = deployment["metadata"]["annotations"]["sentinel.dev/model-digest"]
    told = json.dumps({"verification": {"digest": digest, "at": "2025-03-01T12:00:01Z"}})
    ended = {"exitCode": 0, "message": told, "finishedAt": "2025-03-01T12:00:01Z", "reason": "Completed"}
    common = {"image": "", "imageID": "", "restartCount": 0, "ready": True}
    return {
        "phase": "Running",
        "podIP": _address(number),
        "podIPs": [{"ip": _address(number)}],
        "conditions": [{"type": type_, "status": "True"} for type_ in ("PodScheduled", "Initialized", "Ready")],
        "initContainerStatuses": [{**common, "name": "fetch", "state": {"terminated": ended}}],
        "containerStatuses": [{**common, "name": "server", "state": {"running": {}}}],
    }


def _slice(service: Manifest, names: tuple[str, ...]) -> Manifest:
    metadata = service["metadata"]
    owner = {"apiVersion": "v1", "kind": "Service", "name": metadata["name"], "uid": metadata["uid"]}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": {**metadata["labels"], "kubernetes.io/service-name": metadata["name"]},
            "ownerReferences": [{**owner, "controller": True}],
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": [
            {
                "addresses": [_address(int(name.rpartition("-")[2]))],
                "conditions": {"ready": True},
                "targetRef": {"kind": "Pod", "name": name, "namespace": metadata["namespace"]},
            }
            for name in names
        ],
    }
