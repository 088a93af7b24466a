"""Two hundred plans created at once: how long the webhook takes for each, by itself and behind the API server."""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace

import aiohttp
import orjson

from benchmarks.operator.measure import cpu_seconds, percentile
from benchmarks.operator.process import Running, free_port, running
from benchmarks.plans.stage import PLANS, allow, client, plan
from devcluster.cluster import Cluster
from sentinel_operator.api.kinds import ACTION_PLAN
from sentinel_operator.config import Settings
from sentinel_operator.core.actionplan.stamps import REQUESTED_BY, written
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.core.policy.facts import Identity
from sentinel_operator.crdgen.webhooks import mutating_configuration, webhook_configuration
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.resources import MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS
from sentinel_operator.hooks.admission import path_of, stamping_path_of

AT_ONCE, POLICIES = 200, 100
BY = Identity(username="kubernetes-admin", groups=frozenset({"system:masters", "system:authenticated"}))
_CALLS = re.compile(
    r"^apiserver_admission_webhook_admission_duration_seconds_(sum|count)\{[^}]*\} (\S+)$", re.MULTILINE
)


async def webhook(cluster: Cluster, api: KubeApi, *, rounds: int) -> dict[str, float]:
    """Gives the figures of both ways, by name."""
    await allow(api, namespace="default", count=POLICIES)
    port = free_port()
    flags = ["--webhook=true", "--webhook-host=127.0.0.1", "--webhook-names=127.0.0.1", f"--webhook-port={port}"]
    await _configure(api, port)
    async with running(cluster.kubeconfig, *flags) as started:
        trust = await _bundle(api)
        figures = await _alone(started, trust, port, rounds)
        figures |= await _behind(cluster, started, rounds)
    for resource in (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS):
        await api.delete(resource, replace(_REF, kind=resource.kind))
    return figures


async def _alone(started: Running, trust: str, port: int, rounds: int) -> dict[str, float]:
    """As many clients as there are plans, each with its own connection over TLS, all at the same moment."""
    context = ssl.create_default_context(cadata=trust)
    connector = aiohttp.TCPConnector(ssl=context, limit=AT_ONCE)
    figures: dict[str, float] = {}
    async with aiohttp.ClientSession(connector=connector) as http:

        def asks(path: str, index: int, *, stamped: bool) -> Callable[[], Awaitable[None]]:
            body = orjson.dumps(_review(index, stamped=stamped))

            async def ask() -> None:
                async with http.post(f"https://127.0.0.1:{port}{path}", data=body) as response:
                    answer = orjson.loads(await response.read())
                    if not answer["response"]["allowed"]:
                        raise RuntimeError(f"refused: {answer['response']}")

            return ask

        for name, path, stamped in (
            ("stamp", stamping_path_of(ACTION_PLAN), False),
            ("validate", path_of(ACTION_PLAN), True),
        ):
            asked = [asks(path, index, stamped=stamped) for index in range(AT_ONCE)]
            await _at_once(asked)
            busy, taken = cpu_seconds(started.pid), list[float]()
            for _ in range(rounds):
                taken += await _at_once(asked)
            figures[f"webhook: {name} at 200 at once p50, ms"] = percentile(taken, 0.50) * 1000
            figures[f"webhook: {name} at 200 at once p99, ms"] = percentile(taken, 0.99) * 1000
            figures[f"webhook: CPU of a {name}, ms"] = (cpu_seconds(started.pid) - busy) * 1000 / len(taken)
    figures["webhook at 200 at once p99, ms"] = max(
        figures[f"webhook: {name} at 200 at once p99, ms"] for name in ("stamp", "validate")
    )
    return figures


async def _behind(cluster: Cluster, started: Running, rounds: int) -> dict[str, float]:
    """The API server asks twice for each creation: who made it, and whether it is right. Nothing of it is kept: what is
    measured is admission, not the carrying out of plans."""
    async with client(cluster.kubeconfig, at_once=AT_ONCE) as api:

        def creates(index: int) -> Callable[[], Awaitable[None]]:
            raw = plan(index, namespace="default", target=index, by=BY.username, stamped=False)
            path = PLANS.collection("default")

            async def create() -> None:
                await api._write(PLANS, "POST", path, raw, query=(("dryRun", "All"),))

            return create

        asked = [creates(index) for index in range(AT_ONCE)]
        await _at_once(asked)
        before, busy, taken = await _calls(cluster), cpu_seconds(started.pid), list[float]()
        for _ in range(rounds):
            taken += await _at_once(asked)
        after, spent = await _calls(cluster), cpu_seconds(started.pid) - busy
    return {
        "created at 200 at once p50, ms": percentile(taken, 0.50) * 1000,
        "created at 200 at once p99, ms": percentile(taken, 0.99) * 1000,
        "created: a call of the webhook as the API server sees it, mean, ms": (after[0] - before[0])
        * 1000
        / max(1, after[1] - before[1]),
        "created: webhook's CPU, ms": spent * 1000 / len(taken),
    }


async def _at_once(asked: list[Callable[[], Awaitable[None]]]) -> list[float]:
    """Gives how long each took, of all that began at the same moment."""

    async def timed(ask: Callable[[], Awaitable[None]]) -> float:
        began = time.perf_counter()
        await ask()
        return time.perf_counter() - began

    return list(await asyncio.gather(*map(timed, asked)))


async def _calls(cluster: Cluster) -> tuple[float, float]:
    """Gives the seconds that calls of webhooks took so far, and their number."""
    text = await asyncio.to_thread(cluster.kubectl, "get", "--raw", "/metrics")
    found = {"sum": 0.0, "count": 0.0}
    for name, value in _CALLS.findall(text):
        found[name] += float(value)
    return found["sum"], found["count"]


_SETTINGS = Settings(webhook_configuration="sentinel-operator")
_REF = ObjectRef("", "", "", _SETTINGS.webhook_configuration)


async def _configure(api: KubeApi, port: int) -> None:
    for make, resource in ((webhook_configuration, VALIDATING_WEBHOOKS), (mutating_configuration, MUTATING_WEBHOOKS)):
        made = make([ACTION_PLAN], _SETTINGS)
        for hook in made["webhooks"]:
            hook["clientConfig"] = {"url": f"https://127.0.0.1:{port}{hook['clientConfig']['service']['path']}"}
        await api.apply(resource, made)


async def _bundle(api: KubeApi) -> str:
    """Waits until the API server is told whom to trust; gives it."""
    async with asyncio.timeout(60):
        while True:
            bundles = [
                hook["clientConfig"].get("caBundle")
                for resource in (VALIDATING_WEBHOOKS, MUTATING_WEBHOOKS)
                for hook in (await api.get(resource, "", _SETTINGS.webhook_configuration))["webhooks"]
            ]
            if all(bundles):
                return base64.b64decode(bundles[0]).decode()
            await asyncio.sleep(0.2)


def _review(index: int, *, stamped: bool) -> Manifest:
    """Gives what the API server would post for a creation."""
    raw = plan(index, namespace="default", target=index, by=BY.username, stamped=False)
    metadata = {"uid": str(uuid.uuid4()), "creationTimestamp": "2026-01-30T12:00:00Z", "generation": 1}
    raw["metadata"] |= {**metadata, **({"annotations": {REQUESTED_BY: written(BY)}} if stamped else {})}
    kind = {"group": ACTION_PLAN.group, "version": ACTION_PLAN.version, "kind": ACTION_PLAN.kind}
    resource = {"group": ACTION_PLAN.group, "version": ACTION_PLAN.version, "resource": ACTION_PLAN.plural}
    request = {
        "uid": str(uuid.uuid4()),
        "kind": kind,
        "resource": resource,
        "requestKind": kind,
        "requestResource": resource,
        "name": raw["metadata"]["name"],
        "namespace": "default",
        "operation": "CREATE",
        "userInfo": {"username": BY.username, "groups": sorted(BY.groups)},
        "object": raw,
        "oldObject": None,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    }
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
