"""Reads what a pass over a plan has to know of the cluster: asked for this very pass, not remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sentinel_operator.api.kinds import SENTRY_MODEL
from sentinel_operator.core.actionplan.reading import Read, needed
from sentinel_operator.core.actionplan.view import TargetView, spec_of
from sentinel_operator.core.names import KIND, NAME
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.core.targets import TargetKey
from sentinel_operator.engine.resources import NODES, Resource, ResourceTable
from sentinel_operator.engine.transport import Query

_NODES_LAST = 10.0
_AUTOSCALERS_LAST = 1.0
_AT_ONCE = 16


class Reads(Protocol):
    """What is needed of the API client."""

    async def find(self, resource: Resource, namespace: str, name: str, /) -> Manifest | None:
        """Reads one object; None where there is none."""

    async def list(
        self, resource: Resource, /, *, namespace: str = "", query: Query = ()
    ) -> tuple[list[Manifest], str]:
        """Lists everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was read."""

    targets: Mapping[TargetKey, TargetView] = field(default_factory=dict)
    nodes: Mapping[str, Manifest] = field(default_factory=dict)


class PlanReader:
    """Raises ApiError where it cannot tell. `priced` says whether there are prices, for which nodes are needed."""

    def __init__(
        self, api: Reads, table: ResourceTable, *, clock: Callable[[], float], priced: Callable[[], bool]
    ) -> None:
        self._api, self._table, self._clock, self._priced = api, table, clock, priced
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._nodes: dict[str, Manifest] = {}
        self._nodes_until = float("-inf")
        self._listing = asyncio.Lock()
        self._autoscaling: dict[str, tuple[float, list[Manifest]]] = {}

    async def read(self, plan: Manifest) -> Found:
        """Reads every target of a plan with what hangs on it."""
        wanted = needed(plan, priced=self._priced())
        touches_nodes = any(each.key.kind == "Node" for each in wanted)
        nodes = await self._all_nodes(remembered=not touches_nodes) if touches_nodes or self._priced() else {}
        scaled = await self._autoscalers(wanted) if _decides_scales(plan) else {}
        views = await asyncio.gather(*(self._view(each, scaled.get(each.key.namespace, ())) for each in wanted))
        targets = {each.key: view for each, view in zip(wanted, views, strict=True)}
        read_again = {key.name: view.raw for key, view in targets.items() if key.kind == "Node" and view.raw}
        return Found(targets=targets, nodes={**nodes, **read_again})

    async def _all_nodes(self, *, remembered: bool) -> dict[str, Manifest]:
        """Prices may be a few seconds old; what nodes are changed by may not."""
        if not remembered or self._clock() >= self._nodes_until:
            items = await self._listed(NODES)
            self._nodes = {each["metadata"]["name"]: each for each in items}
            self._nodes_until = self._clock() + _NODES_LAST
        return self._nodes

    async def _autoscalers(self, wanted: Sequence[Read]) -> dict[str, list[Manifest]]:
        namespaces = sorted({each.key.namespace for each in wanted if each.key.namespace})
        return {each: await self._autoscalers_of(each) for each in namespaces}

    async def _autoscalers_of(self, namespace: str) -> list[Manifest]:
        """Those who ask within a second share an answer."""
        async with self._listing:
            until, found = self._autoscaling.get(namespace, (float("-inf"), list[Manifest]()))
            if self._clock() >= until:
                self._autoscaling = {name: each for name, each in self._autoscaling.items() if each[0] > self._clock()}
                until = self._clock() + _AUTOSCALERS_LAST
                resource = self._resource("autoscaling/v2", "HorizontalPodAutoscaler")
                found = await self._listed(resource, namespace=namespace)
                self._autoscaling[namespace] = until, found
            return found

    async def _view(self, read: Read, autoscalers: Iterable[Manifest]) -> TargetView:
        async with self._slots:
            raw = await self._api.find(self._table.find(read.ref), read.ref.namespace, read.ref.name)
            if raw is None:
                return TargetView(raw=None)
            raw["metadata"].pop("managedFields", None)
            if read.key.kind == "Node":
                query = (("fieldSelector", f"spec.nodeName={read.key.name}"),)
                return TargetView(raw=raw, pods=tuple(await self._listed(self._resource("v1", "Pod"), query=query)))
            return await self._workload(read, raw, autoscalers)

    async def _workload(self, read: Read, raw: Manifest, autoscalers: Iterable[Manifest]) -> TargetView:
        selector, namespace = _selector(read, raw), read.key.namespace
        deployments: list[Manifest] = []
        revisions: list[Manifest] = []
        if read.deployments:
            found = await self._selected("apps/v1", "Deployment", namespace, selector)
            deployments = [each for each in found if _controller(each) == raw["metadata"]["uid"]]
        owners = {raw["metadata"]["uid"], *(each["metadata"]["uid"] for each in deployments)}
        if read.revisions or (deployments and read.pods):
            found = await self._selected("apps/v1", read.revisions or "ReplicaSet", namespace, selector)
            revisions = [each for each in found if _controller(each) in owners]
        owners |= {each["metadata"]["uid"] for each in revisions}
        pods = await self._selected("v1", "Pod", namespace, selector) if read.pods else []
        scaled = {(read.key.kind, read.key.name), *(("Deployment", each["metadata"]["name"]) for each in deployments)}
        return TargetView(
            raw=raw,
            pods=tuple(each for each in pods if _controller(each) in owners),
            revisions=tuple(revisions) if read.revisions else (),
            deployments=tuple(deployments),
            autoscaler=next((each["metadata"]["name"] for each in autoscalers if _scaled_by(each) in scaled), ""),
        )

    async def _selected(self, api_version: str, kind: str, namespace: str, selector: str) -> list[Manifest]:
        """Without a selector there is nothing that could be its own."""
        if not selector:
            return []
        query = (("labelSelector", selector),)
        return await self._listed(self._resource(api_version, kind), namespace=namespace, query=query)

    async def _listed(self, resource: Resource, *, namespace: str = "", query: Query = ()) -> list[Manifest]:
        items, _ = await self._api.list(resource, namespace=namespace, query=query)
        for each in items:
            each["metadata"].pop("managedFields", None)
        return items

    def _resource(self, api_version: str, kind: str) -> Resource:
        return self._table.find(ObjectRef(api_version, kind, "", ""))


def _decides_scales(plan: Manifest) -> bool:
    """Whether an autoscaler would set the number anew is asked before that is recorded, and not again after it."""
    status = plan.get("status")
    records = {each.get("id"): each for each in (status.get("decisions") or ())} if isinstance(status, dict) else {}
    spec = plan.get("spec")
    decisions = spec.get("decisions") if isinstance(spec, dict) else None
    found = [each for each in decisions if isinstance(each, dict)] if isinstance(decisions, list) else []
    return any(
        each.get("verb") == "scale" and records.get(each.get("id"), {}).get("state", "Pending") == "Pending"
        for each in found
    )


def _selector(read: Read, raw: Manifest) -> str:
    """Gives the label selector of what the workload looks after."""
    if read.key.kind == SENTRY_MODEL.kind:
        return f"{KIND}={SENTRY_MODEL.kind},{NAME}={read.key.name}"
    selector = spec_of(raw).get("selector") or {}
    equal = [f"{name}={value}" for name, value in sorted((selector.get("matchLabels") or {}).items())]
    return ",".join([*equal, *(_expression(each) for each in selector.get("matchExpressions") or ())])


def _expression(wanted: Mapping[str, object]) -> str:
    key, operator, values = wanted["key"], wanted["operator"], wanted.get("values")
    listed = ",".join(map(str, values)) if isinstance(values, list) else ""
    match operator:
        case "In":
            return f"{key} in ({listed})"
        case "NotIn":
            return f"{key} notin ({listed})"
        case "DoesNotExist":
            return f"!{key}"
        case _:
            return f"{key}"


def _controller(raw: Manifest) -> str:
    owners = raw["metadata"].get("ownerReferences") or ()
    return next((str(each["uid"]) for each in owners if each.get("controller")), "")


def _scaled_by(autoscaler: Manifest) -> tuple[str, str]:
    target = spec_of(autoscaler).get("scaleTargetRef") or {}
    return str(target.get("kind")), str(target.get("name"))
