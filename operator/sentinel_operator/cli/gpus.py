"""`gpus`: the GPUs of the cluster as their nodes tell of them, how busy and how well, and who is on them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from pydantic import ValidationError
from rich.text import Text

from sentinel_operator.api.kinds import NODE_TELEMETRY
from sentinel_operator.api.nodetelemetry import Device, DevicePod, NodeTelemetryStatus
from sentinel_operator.cli.ages import age
from sentinel_operator.cli.cluster import Where, cluster
from sentinel_operator.cli.grid import Cell, clean, console, grid, show, styled
from sentinel_operator.cli.outcome import Exit
from sentinel_operator.core.conditions import parse_time
from sentinel_operator.core.gpu.join import STALE
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.resources import Resource

BAR = 10
_GIB = 1024**3
_STYLES = {"Healthy": "green", "Degraded": "yellow", "Failed": "red"}
_HEADINGS = ("NODE", "GPU", "NAME", "HEALTH", "BUSY", "MEMORY", "°C", "WATTS", "PODS")


def gpus(where: Where, *, node: str) -> Exit:
    """Prints the table; `node` limits it to one."""
    return asyncio.run(_gpus(where, node))


async def _gpus(where: Where, node: str) -> Exit:
    resource = Resource.of_kind(NODE_TELEMETRY)
    async with cluster(where) as connected:
        if node:
            one = await connected.api.find(resource, "", node)
            items = [one] if one is not None else []
        else:
            items, _ = await connected.api.list(resource)
    if not items:
        what = f"node {node} tells nothing of itself" if node else "no node tells anything of itself"
        print(f"{what}: does the agent run there? (manifests/agent)", file=sys.stderr)
        return Exit.NOT_READY if node else Exit.OK
    show(gpu_lines(items, now=datetime.now(UTC)), console())
    return Exit.OK


def gpu_lines(items: Sequence[Manifest], *, now: datetime) -> list[Text]:
    """Gives a row a GPU, and one for each further pod on it, by node; a node without GPUs has a row that says why."""
    rows: list[Sequence[Cell]] = [_HEADINGS]
    for raw in sorted(items, key=lambda each: str(each["metadata"]["name"])):
        rows.extend(_of_node(raw, now))
    return grid(rows)


def _of_node(raw: Manifest, now: datetime) -> Iterator[Sequence[Cell]]:
    name = raw["metadata"]["name"]
    try:
        status = NodeTelemetryStatus.model_validate(raw.get("status") or {})
    except ValidationError:
        yield name, "", "", styled("unreadable", "yellow")
        return
    observed = parse_time(status.observed_at) if status.observed_at else None
    stale = observed is None or now - observed > STALE
    silence = f"silent for {age(status.observed_at, now)}" if stale and status.observed_at else "silent"
    if not status.devices:
        state = status.nvml.state if status.nvml is not None else "not read"
        yield name, "-", "", styled(silence, "yellow") if stale else "", f"no GPU (NVML: {clean(state)})"
    for device in sorted(status.devices, key=lambda each: each.index):
        yield from _of_device(name, device, silence if stale else "")


def _of_device(node: str, device: Device, silence: str) -> Iterator[Sequence[Cell]]:
    there = [*device.pods, *(pod for part in device.mig for pod in part.pods)]
    pods = [_pod(each) for each in sorted(there, key=lambda each: (each.namespace, each.name))]
    yield (
        node,
        str(device.index),
        device.name,
        styled(silence, "yellow") if silence else _health(device),
        _busy(device.utilization_percent),
        _memory(device),
        _number(device.temperature_celsius),
        _number(device.power_watts),
        pods[0] if pods else "",
    )
    for pod in pods[1:]:
        yield ("", "", "", "", "", "", "", "", pod)


def _health(device: Device) -> Text:
    reasons = [*device.reasons, *(each for each in device.throttle_reasons if each not in device.reasons)]
    if device.last_xid is not None and "FatalXid" in reasons:
        reasons[reasons.index("FatalXid")] = f"Xid {device.last_xid.code}"
    told = f"{device.health} ({', '.join(reasons)})" if reasons else device.health
    return styled(told, _STYLES.get(device.health, "yellow"))


def _busy(percent: int | None) -> Text:
    if percent is None:
        return Text("-")
    full = round(percent / 100 * BAR)
    return Text(f"{'█' * full}{'░' * (BAR - full)} {percent:3d} %")


def _memory(device: Device) -> str:
    if device.memory_used_bytes is None or device.memory_total_bytes is None:
        return "-"
    return f"{device.memory_used_bytes / _GIB:.1f} of {device.memory_total_bytes / _GIB:.0f} GiB"


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _pod(pod: DevicePod) -> str:
    share = f" ({pod.utilization_percent} %)" if pod.utilization_percent is not None else ""
    return f"{pod.namespace}/{pod.name}{share}"
