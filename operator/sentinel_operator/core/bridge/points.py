"""What the cluster itself says, as points: nodes by their agents, models by their own status."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeGuard

from sentinel_operator.core.conditions import parse_time
from sentinel_operator.core.plan import Manifest

_STALE = timedelta(minutes=2)
"""An agent writes every half minute: what is older is not of now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One observation. `ts` is Unix time in milliseconds."""

    name: str
    value: float
    labels: Mapping[str, str]
    ts: int


def milliseconds(moment: datetime) -> int:
    """Gives a moment as brains count it."""
    return int(moment.timestamp() * 1000)


def of_node(raw: Manifest, now: datetime) -> Iterator[Point]:
    """Yields what the agent of a node saw there: percentages of its CPU, its memory and each of its GPUs, of the time
    at which they were seen. Nothing of an agent that is silent."""
    status = raw.get("status") or {}
    seen = parse_time(str(status.get("observedAt") or "-"))
    if seen is None or not now - _STALE <= seen <= now + _STALE:
        return
    ts, labels = milliseconds(seen), {"node": raw["metadata"]["name"]}
    host = status.get("host") or {}
    if _is_number(host.get("cpuUtilizationPercent")):
        yield Point(name="node_cpu_usage", value=float(host["cpuUtilizationPercent"]), labels=labels, ts=ts)
    used, total = host.get("memoryUsedBytes"), host.get("memoryTotalBytes")
    if _is_number(used) and _is_number(total) and total:
        yield Point(name="node_memory_usage", value=100.0 * used / total, labels=labels, ts=ts)
    for device in status.get("devices") or ():
        if _is_number(device.get("utilizationPercent")):
            of_device = {**labels, "gpu": str(device.get("index", "")), "uuid": str(device.get("uuid", ""))}
            value = float(device["utilizationPercent"])
            yield Point(name="node_gpu_utilization", value=value, labels=of_device, ts=ts)


def of_model(raw: Manifest, now: datetime) -> Iterator[Point]:
    """Yields how a SentryModel is doing: how many pods are wanted and ready, whether it is as declared, the share of
    the requests that a new revision gets, and what the analysis of a rollout has measured of it."""
    metadata, status = raw["metadata"], raw.get("status") or {}
    labels = {"workload": metadata["name"], "namespace": metadata.get("namespace", ""), "kind": "SentryModel"}
    ts = milliseconds(now)

    def point(name: str, value: Any, **more: str) -> Iterator[Point]:
        if _is_number(value):
            yield Point(name=name, value=float(value), labels={**labels, **more}, ts=ts)

    yield from point("deployment_replicas_available", status.get("readyReplicas"))
    yield from point("deployment_replicas_desired", (raw.get("spec") or {}).get("replicas", status.get("replicas")))
    yield from point("workload_ready", _ready(status))
    canary = status.get("canary") or {}
    yield from point("workload_canary_weight", canary.get("weight"), revision=str(canary.get("revision", "")))
    analysis = (status.get("rollout") or {}).get("analysis") or {}
    for metric in analysis.get("metrics") or ():
        name = f"workload_{str(metric.get('name', '')).replace('-', '_')}"
        yield from point(name, metric.get("value"), revision=str(canary.get("revision", "")))
        yield from point(name, metric.get("baseline"), revision=str((status.get("stable") or {}).get("revision", "")))
    for gpu in status.get("gpu") or ():
        of_gpu = {key: str(gpu.get(key, "")) for key in ("node", "pod", "uuid")}
        yield from point("workload_gpu_utilization", gpu.get("utilizationPercent"), **of_gpu)


def _ready(status: Manifest) -> int | None:
    said = [each.get("status") for each in status.get("conditions") or () if each.get("type") == "Ready"]
    return int(said[0] == "True") if said else None


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
