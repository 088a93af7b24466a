"""Sees everything that becomes of the targets, the plans and the lease of a run, version by version, beside the
operator: by watches that nothing disturbs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.cache import version_of
from sentinel_operator.engine.errors import ApiError
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.resources import LEASES, NODES, Resource
from tests.support.eventually import eventually
from tests.support.once.place import SETS, SPACE, SYSTEM, Place
from tests.support.plansworld import DEPLOYMENTS, PLANS


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an object, and when it was seen."""

    number: int
    raw: Manifest
    at: float
    gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A real change: another generation of a workload, or of a node whether it takes pods."""

    target: str
    version: int
    generation: int
    """Before it."""
    before: Manifest
    after: Manifest
    at: float

    def describe(self) -> str:
        """Says what is different."""
        return ", ".join(_differences(self.before["spec"], self.after["spec"])) or "the same"


@dataclass(slots=True)
class Witness:
    """What was seen, by kind and name."""

    place: Place
    lease: str
    seen: dict[tuple[str, str], list[Version]] = field(default_factory=dict)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watches until left. What is there already is the first version."""
        named = (("fieldSelector", f"metadata.name={self.lease}"),)
        selected: Any = self.place.selector
        watched: list[tuple[Resource, str, Any]] = [
            (DEPLOYMENTS, SPACE, selected),
            (SETS, SPACE, selected),
            (NODES, "", selected),
            (PLANS, SPACE, selected),
            (PLANS, SYSTEM, selected),
            (LEASES, SPACE, named),
        ]
        starts = [
            await self.place.api.list(resource, namespace=space, query=query) for resource, space, query in watched
        ]
        for items, _ in starts:
            for each in items:
                self._take("ADDED", each)
        tasks = [
            asyncio.create_task(self._follow(self.place.api, *each, version=version))
            for each, (_, version) in zip(watched, starts, strict=True)
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def caught_up(self) -> None:
        """Waits until everything that there is has been seen."""

        async def seen() -> bool:
            for resource, space in ((DEPLOYMENTS, SPACE), (SETS, SPACE), (NODES, ""), (PLANS, SPACE), (PLANS, SYSTEM)):
                for each in (await self.place.api.list(resource, namespace=space, query=self.place.selector))[0]:
                    known = self.of(each["kind"], self.place.short(each["metadata"]["name"]))
                    assert known, each["metadata"]["name"]
                    assert known[-1].number >= version_of(each), each["metadata"]["name"]
            return True

        await eventually(seen, within=20)

    def of(self, kind: str, name: str) -> list[Version]:
        """Gives every version of an object."""
        return self.seen.get((kind, name), [])

    @property
    def count(self) -> int:
        """Counts the versions of plans that were seen."""
        return sum(map(len, self.plans().values()))

    def plans(self) -> dict[str, list[Version]]:
        """Gives the versions of every plan."""
        return {name: versions for (kind, name), versions in self.seen.items() if kind == "ActionPlan"}

    def leases(self) -> list[Version]:
        """Gives every version of the lease."""
        return next((versions for (kind, _), versions in self.seen.items() if kind == "Lease"), [])

    def steps(self) -> Iterator[Step]:
        """Yields every change of every target."""
        for (kind, name), versions in self.seen.items():
            if kind in ("ActionPlan", "Lease"):
                continue
            for one, two in pairwise(versions):
                if _differ(kind, one.raw, two.raw) and not two.gone:
                    yield Step(
                        target=name,
                        version=two.number,
                        generation=int(one.raw["metadata"].get("generation") or 0),
                        before=one.raw,
                        after=two.raw,
                        at=two.at,
                    )

    async def _follow(self, api: KubeApi, resource: Resource, space: str, query: Any, *, version: str) -> None:
        while True:
            with suppress(ApiError):
                async for event in api.watch(
                    resource, resource_version=version, seconds=300, idle=400, namespace=space, query=query
                ):
                    raw = event["object"]
                    version = raw["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        self._take(event["type"], raw)
            await asyncio.sleep(0.05)

    def _take(self, type_: str, raw: Manifest) -> None:
        raw["metadata"].pop("managedFields", None)
        name = self.place.short(raw["metadata"]["name"])
        versions = self.seen.setdefault((raw["kind"], name), [])
        versions.append(Version(version_of(raw), raw, time.time(), gone=type_ == "DELETED"))


def _differ(kind: str, one: Manifest, two: Manifest) -> bool:
    if kind == "Node":
        return bool(one["spec"].get("unschedulable")) != bool(two["spec"].get("unschedulable"))
    return bool(one["metadata"]["generation"] != two["metadata"]["generation"])


def _differences(one: Any, two: Any, path: str = "") -> Iterator[str]:
    if isinstance(one, dict) and isinstance(two, dict):
        for key in sorted({*one, *two}):
            yield from _differences(one.get(key), two.get(key), f"{path}.{key}".lstrip("."))
    elif one != two:
        yield f"{path.rsplit('.', 1)[-1]} {two}"
