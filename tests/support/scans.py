"""ScanJobs in a namespace of the real API server: the Job controller is Kubernetes' own, and how pods end is what a
test says, as their kubelet would write it."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from sentinel_operator.api.base import Model
from sentinel_operator.api.kinds import SCAN_JOB, SENTINEL_CONFIG, SENTRY_MODEL
from sentinel_operator.api.scanning import Progress, ScanFailure
from sentinel_operator.app import PARTS
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.engine.resources import CRDS, Resource
from tests.support.eventually import eventually
from tests.support.readypods import POD_RESOURCE
from tests.support.replica import SHORT_LEASE, Replica, settings
from tests.support.scanworld import INDEX, a_scan
from tests.support.toyworld import World

ROOT = Path(__file__).parents[2]
SCANS, JOBS = Resource.of_kind(SCAN_JOB), Resource("batch/v1", "Job", "jobs")
NAME = "tickets"
CHILDREN = (
    JOBS,
    POD_RESOURCE,
    Resource("v1", "ConfigMap", "configmaps"),
    Resource("v1", "ServiceAccount", "serviceaccounts"),
    Resource("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
)


class Scans:
    """One ScanJob in a namespace."""

    def __init__(self, world: World, stack: AsyncExitStack) -> None:
        self.world, self.api, self.namespace, self._stack = world, world.api, world.namespace, stack
        self.ref = ObjectRef(SCAN_JOB.api_version, SCAN_JOB.kind, self.namespace, NAME)

    async def replica(self) -> Replica:
        chosen = settings(self.world.kubeconfig, self.namespace, **SHORT_LEASE)
        return await self._stack.enter_async_context(Replica(chosen, PARTS))

    async def declare(self, **spec: Any) -> Manifest:
        raw = a_scan(NAME, **spec)
        metadata = {"name": NAME, "namespace": self.namespace}
        return await self.api.apply(SCANS, {**raw, "metadata": metadata}, field_manager="user")

    async def edit(self, **spec: Any) -> None:
        await self.api.patch(SCANS, self.ref, {"spec": spec}, field_manager="user")

    async def status(self) -> Manifest:
        found: Manifest = (await self.api.get(SCANS, self.namespace, NAME)).get("status") or {}
        return found

    async def reaches(self, phase: str, reason: str = "", **shards: int) -> Manifest:
        """Waits for a phase, and the reason and the numbers of shards that are told with it."""

        async def look() -> Manifest:
            status = await self.status()
            ready = next(each for each in status.get("conditions") or [{}] if each.get("type") in {"Ready", None})
            assert (status.get("phase"), reason or ready.get("reason")) == (phase, ready.get("reason")), ready
            told = status.get("shards") or {}
            assert {name: told.get(name) for name in shards} == shards
            return status

        return await eventually(look)

    async def job(self, step: str) -> Manifest:
        async def look() -> Manifest | None:
            return await self.api.find(JOBS, self.namespace, f"{NAME}-{step}")

        found = await eventually(look)
        assert found is not None
        return found

    async def pod(self, step: str, index: int = 0) -> Manifest:
        """Waits for the pod that works on an index, whose container is then running."""
        address = f"127.77.{random.randrange(1, 250)}.{random.randrange(1, 250)}"

        async def look() -> Manifest | None:
            for pod in await self.pods(step):
                told = pod["metadata"].get("annotations") or {}
                if told.get(INDEX, "0") == str(index) and _lives(pod):
                    return pod
            return None

        pod = await eventually(look)
        assert pod is not None
        status = pod.get("status") or {}
        if status.get("phase") != "Running":
            container = _container({"running": {"startedAt": "2025-03-01T12:00:00Z"}}, ready=True)
            told = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "containerStatuses": [container]}
            return await self._write(pod, told)
        return pod

    async def pods(self, step: str) -> list[Manifest]:
        selector = (("labelSelector", f"batch.kubernetes.io/job-name={NAME}-{step}"),)
        return (await self.api.list(POD_RESOURCE, namespace=self.namespace, query=selector))[0]

    async def succeed(self, step: str, outcome: Model, index: int = 0) -> None:
        await self._end(await self.pod(step, index), 0, outcome.model_dump_json(by_alias=True))

    async def fail(self, step: str, code: int, failure: ScanFailure | None = None, index: int = 0) -> None:
        said = failure.model_dump_json(by_alias=True) if failure is not None else ""
        await self._end(await self.pod(step, index), code, said)

    async def left(self) -> set[str]:
        """Names everything that bears the labels of the ScanJob."""
        selector = (("labelSelector", f"sentinel.dev/kind=ScanJob,sentinel.dev/name={NAME}"),)
        lists = [(each, await self.api.list(each, namespace=self.namespace, query=selector)) for each in CHILDREN]
        return {f"{resource.kind}/{raw['metadata']['name']}" for resource, (items, _) in lists for raw in items}

    async def _end(self, pod: Manifest, code: int, message: str) -> None:
        ended = {"exitCode": code, "message": message, "reason": "Error" if code else "Completed"}
        state = {"terminated": {**ended, "containerID": "containerd://1"}}
        phase = "Failed" if code else "Succeeded"
        await self._write(pod, {"phase": phase, "containerStatuses": [_container(state, ready=False)]})

    async def _write(self, pod: Manifest, status: Manifest) -> Manifest:
        metadata = {key: pod["metadata"][key] for key in ("name", "namespace", "uid")}
        manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status}
        return await self.api.apply_status(POD_RESOURCE, manifest, field_manager="kubelet")


@asynccontextmanager
async def opened(world: World) -> AsyncIterator[Scans]:
    """Gives the scene; at the end nothing of it is left."""
    for kind in (SCAN_JOB, SENTRY_MODEL, SENTINEL_CONFIG):
        text = (ROOT / "crds" / f"sentinel.dev_{kind.plural}.yaml").read_text()
        await world.api.apply(CRDS, yaml.safe_load(text))

    async def served() -> bool:
        found = {each["name"] for each in (await world.api.read_path(SCANS.base))["resources"]}
        return {SCAN_JOB.plural, SENTRY_MODEL.plural, SENTINEL_CONFIG.plural} <= found

    await eventually(served)
    async with AsyncExitStack() as stack:
        made = Scans(world, stack)
        yield made
        await world.api.delete(SCANS, made.ref)


@asynccontextmanager
async def answering(pod: Manifest, progress: Progress) -> AsyncIterator[list[int]]:
    """Answers at a pod's address how far it is; gives the list of the times that it was asked."""
    asked: list[int] = []

    async def answer(_: web.Request) -> web.Response:
        asked.append(len(asked))
        return web.Response(text=progress.model_dump_json(by_alias=True), content_type="application/json")

    application = web.Application()
    application.add_routes([web.get("/progress", answer)])
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, pod["status"]["podIP"], 9090).start()
        yield asked
    finally:
        await runner.cleanup()


def _lives(pod: Manifest) -> bool:
    phase = (pod.get("status") or {}).get("phase", "Pending")
    return phase in {"Pending", "Running"} and not pod["metadata"].get("deletionTimestamp")


def _container(state: Manifest, *, ready: bool) -> Manifest:
    return {
        "name": "scan", "image": "scan:1", "imageID": "", "restartCount": 0, "ready": ready, "state": state,
    }  # fmt: skip
