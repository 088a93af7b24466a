"""Stands in for the nodes of a namespace where there are none: its pods become ready, unless they are held back.

Kubernetes' own controller publishes no endpoint for a pod without a node, so that is done here as well.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.reconciler import PODS
from sentinel_operator.engine.errors import ApiError
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.resources import Resource

POD_RESOURCE = Resource.of_child(PODS)
SERVICES = Resource("v1", "Service", "services")
SLICES = Resource("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
_PAUSE = 0.2


class ReadyPods:
    """Writes the status that kubelets would write. Scheduling, images and containers are not its business."""

    def __init__(self, api: KubeApi, namespace: str) -> None:
        self._api, self._namespace = api, namespace
        self._addresses = itertools.count(1)
        self._published: dict[str, Manifest] = {}
        self.held = False
        """While it is set no further pod becomes ready."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ReadyPods]:
        """Looks after the pods until the block ends."""
        task = asyncio.create_task(self._run())
        try:
            yield self
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            with suppress(ApiError):  # what is looked at may go meanwhile
                pods, _ = await self._api.list(POD_RESOURCE, namespace=self._namespace)
                await self._publish([pod for pod in pods if _ready(pod) and not _going(pod)])
                for pod in pods:
                    if not self.held and not _ready(pod) and not _going(pod):
                        await self._api.apply_status(POD_RESOURCE, self._made_ready(pod), field_manager="kubelet")
            await asyncio.sleep(_PAUSE)

    async def _publish(self, ready: list[Manifest]) -> None:
        services, _ = await self._api.list(SERVICES, namespace=self._namespace)
        for service in services:
            made = _slice(service, ready)
            if self._published.get(service["metadata"]["uid"]) != made:
                await self._api.apply(SLICES, made, field_manager="kubelet")
                self._published[service["metadata"]["uid"]] = made

    def _made_ready(self, pod: Manifest) -> Manifest:
        number = next(self._addresses)
        address = f"10.9.{number // 250}.{number % 250 + 1}"
        metadata = {key: pod["metadata"][key] for key in ("name", "namespace", "uid")}
        conditions = [{"type": type_, "status": "True"} for type_ in ("PodScheduled", "ContainersReady", "Ready")]
        status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": conditions}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status}


def _ready(pod: Manifest) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _going(pod: Manifest) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def _slice(service: Manifest, ready: list[Manifest]) -> Manifest:
    metadata, selector = service["metadata"], service["spec"]["selector"].items()
    owner = {
        "apiVersion": "v1",
        "kind": "Service",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }
    endpoints = [
        {
            "addresses": [pod["status"]["podIP"]],
            "conditions": {"ready": True},
            "targetRef": {"kind": "Pod", "namespace": metadata["namespace"], "name": pod["metadata"]["name"]},
        }
        for pod in sorted(ready, key=lambda each: str(each["metadata"]["name"]))
        if selector <= pod["metadata"]["labels"].items()
    ]
    return {
        "apiVersion": SLICES.api_version,
        "kind": SLICES.kind,
        "metadata": {
            "name": f"{metadata['name']}-ready",
            "namespace": metadata["namespace"],
            "labels": {**metadata["labels"], "kubernetes.io/service-name": metadata["name"]},
            "ownerReferences": [owner],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
    }
