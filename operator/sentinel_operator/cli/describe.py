"""`describe`: reads an object and what belongs to it, and tells the whole story."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from sentinel_operator.api.kinds import SCAN_JOB, SENTRY_MODEL
from sentinel_operator.cli.cluster import Cluster, Where, cluster
from sentinel_operator.cli.grid import console, show
from sentinel_operator.cli.kinds import Target, target
from sentinel_operator.cli.outcome import Exit, Failed
from sentinel_operator.cli.pods import ready
from sentinel_operator.cli.standing import standing
from sentinel_operator.cli.story import Gathered, story
from sentinel_operator.core.names import Owner, as_selector
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.reconciler import PODS
from sentinel_operator.engine.errors import ApiError
from sentinel_operator.engine.resources import EVENTS, Resource

_TROUBLED_PODS = 5
"""Pods whose own events are read too: those of one revision tell the same story."""


def describe(wanted: str, where: Where) -> Exit:
    """Prints the story; gives NOT_READY unless the object is ready."""
    return asyncio.run(_describe(target(wanted), where))


async def _describe(wanted: Target, where: Where) -> Exit:
    async with cluster(where) as connected:
        gathered = await gather(connected, wanted)
    show(story(gathered, now=datetime.now(UTC)), console())
    return Exit.OK if standing(gathered.raw).ready == "True" else Exit.NOT_READY


async def gather(connected: Cluster, wanted: Target) -> Gathered:
    """Reads everything. The object itself must be readable; what else may not be read becomes a note."""
    raw = await connected.api.find(Resource.of_kind(wanted.kind), connected.namespace, wanted.name)
    if raw is None:
        where = f" in namespace {connected.namespace}" if wanted.kind.namespaced else ""
        raise Failed(f"{wanted.label} is not there{where}", Exit.NOT_READY)
    notes: list[str] = []
    pods: Sequence[Manifest] | None = ()
    if wanted.kind in {SENTRY_MODEL, SCAN_JOB}:
        pods = await _pods(connected, raw, notes)
    events = await _events(connected, raw, pods or (), notes)
    return Gathered(raw=raw, pods=pods, events=events, notes=tuple(notes))


async def _pods(connected: Cluster, raw: Manifest, notes: list[str]) -> list[Manifest] | None:
    metadata = raw["metadata"]
    owner = Owner(raw["apiVersion"], raw["kind"], metadata["namespace"], metadata["name"], metadata["uid"])
    selector = (("labelSelector", as_selector(owner.selector)),)
    try:
        found, _ = await connected.api.list(Resource.of_child(PODS), namespace=owner.namespace, query=selector)
    except ApiError as error:
        notes.append(f"the pods cannot be read: {error.message}")
        return None
    return found


async def _events(
    connected: Cluster, raw: Manifest, pods: Sequence[Manifest], notes: list[str]
) -> list[Manifest] | None:
    """Reads the events of the object, and of its first pods that are not ready."""
    troubled = [pod for pod in pods if not ready(pod) and not _ended(pod)][:_TROUBLED_PODS]
    try:
        lists = await asyncio.gather(*(_events_of(connected, each) for each in (raw, *troubled)))
    except ApiError as error:
        notes.append(f"the events cannot be read: {error.message}")
        return None
    return [event for each in lists for event in each]


def _ended(pod: Manifest) -> bool:
    return (pod.get("status") or {}).get("phase") in {"Failed", "Succeeded"}


async def _events_of(connected: Cluster, raw: Manifest) -> list[Manifest]:
    metadata = raw["metadata"]
    selector = (("fieldSelector", f"regarding.kind={raw['kind']},regarding.uid={metadata['uid']}"),)
    # Events about objects without a namespace lie in `default`.
    found, _ = await connected.api.list(EVENTS, namespace=metadata.get("namespace") or "default", query=selector)
    return found
