"""Which GPUs pods are on, and how those are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sentinel_operator.api.nodetelemetry import Device, DevicePod, Health, NodeTelemetryStatus
from sentinel_operator.core.conditions import parse_time
from sentinel_operator.core.plan import Manifest

STALE = timedelta(seconds=120)
"""Agents write every half minute at the latest: what is this old says nothing of now."""
_BUSY_STEP = 10
_MEMORY_STEP = 256 * 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class PodGpu:
    """One GPU, or part of one, that a pod is on."""

    node: str
    pod: str
    pod_uid: str
    uuid: str
    """Of the part, where the device is cut up by MIG."""
    health: Health
    """Of the whole device; Unknown where the node has said nothing for too long."""
    reasons: tuple[str, ...] = ()
    utilization: int | None = None
    """Percent, by this pod where NVML tells that, else of the device."""
    memory_used: int | None = None
    """Bytes, likewise."""
    throttled: bool = False
    ecc_errors: int | None = None
    """Uncorrected ones."""
    xid: int | None = None
    """The newest."""
    observed_at: datetime | None = None

    @property
    def trouble(self) -> str:
        """Says what is wrong in a few words."""
        told = ", ".join(self.reasons) or self.health
        return f"{told} (Xid {self.xid})" if self.xid is not None and "FatalXid" in self.reasons else told


def pod_gpus(
    pods: Iterable[Manifest], telemetry: Mapping[str, NodeTelemetryStatus], *, now: datetime
) -> tuple[PodGpu, ...]:
    """Gives the GPUs of pods, by what the pods' nodes tell; `telemetry` is by node."""
    found: list[PodGpu] = []
    for pod in pods:
        node = (pod.get("spec") or {}).get("nodeName") or ""
        status = telemetry.get(node)
        if status is not None:
            found.extend(_of_pod(pod, node, status, now))
    return tuple(sorted(found, key=lambda each: (each.pod, each.uuid)))


def judged(status: NodeTelemetryStatus) -> object:
    """Gives what of a node's telemetry makes a difference at once, to be compared: all but how busy it is."""
    return tuple(
        (
            device.uuid,
            device.health,
            tuple(device.reasons),
            tuple(device.throttle_reasons),
            (device.last_xid.code, device.last_xid.count) if device.last_xid is not None else None,
            device.ecc.uncorrected if device.ecc is not None else None,
            tuple(sorted(pods_on(device))),
        )
        for device in sorted(status.devices, key=lambda each: each.uuid)
    )


def busyness(status: NodeTelemetryStatus) -> dict[tuple[str, str], object]:
    """Gives how busy the GPUs of each pod of a node are, to be compared, in the steps in which that is told."""
    found: dict[tuple[str, str], list[object]] = defaultdict(list)
    for device in status.devices:
        parts = [(device.uuid, device.pods), *((part.uuid, part.pods) for part in device.mig)]
        for uuid, there in parts:
            for each in there:
                busy = each.utilization_percent
                percent = stepped_percent(device.utilization_percent if busy is None else busy)
                found[each.namespace, each.name].append((uuid, percent, stepped_bytes(each.memory_used_bytes)))
    return {pod: sorted(told, key=repr) for pod, told in found.items()}


def stepped_percent(value: int | None) -> int | None:
    """Rounds, so that what hardly changed is told as it was."""
    return _stepped(value, _BUSY_STEP)


def stepped_bytes(value: int | None) -> int | None:
    """Rounds, so that what hardly changed is told as it was."""
    return _stepped(value, _MEMORY_STEP)


def pods_on(device: Device) -> set[tuple[str, str]]:
    """Names the pods on a device or on its parts, by namespace and name."""
    everyone = (*device.pods, *(pod for part in device.mig for pod in part.pods))
    return {(each.namespace, each.name) for each in everyone}


def _of_pod(pod: Manifest, node: str, status: NodeTelemetryStatus, now: datetime) -> Iterator[PodGpu]:
    metadata = pod["metadata"]
    observed = parse_time(status.observed_at) if status.observed_at else None
    stale = observed is None or now - observed > STALE
    for device in status.devices:
        parts = [(device.uuid, device.pods), *((part.uuid, part.pods) for part in device.mig)]
        for uuid, there in parts:
            mine = [each for each in there if _is(each, metadata)]
            if mine:
                yield PodGpu(
                    node=node,
                    pod=metadata["name"],
                    pod_uid=metadata.get("uid", ""),
                    uuid=uuid,
                    health="Unknown" if stale else device.health,
                    reasons=("Stale",) if stale else tuple(device.reasons),
                    utilization=_sum(each.utilization_percent for each in mine) or device.utilization_percent,
                    memory_used=_sum(each.memory_used_bytes for each in mine),
                    throttled=bool(device.throttle_reasons) and not stale,
                    ecc_errors=device.ecc.uncorrected if device.ecc is not None else None,
                    xid=device.last_xid.code if device.last_xid is not None else None,
                    observed_at=observed,
                )


def _is(told: DevicePod, metadata: Manifest) -> bool:
    """A namesake that was there before is another pod, where the node has seen the difference."""
    named = (told.namespace, told.name) == (metadata.get("namespace", ""), metadata["name"])
    return named and told.uid in {"", metadata.get("uid", "")}


def _stepped(value: int | None, step: int) -> int | None:
    return None if value is None else round(value / step) * step


def _sum(values: Iterable[int | None]) -> int | None:
    known = [each for each in values if each is not None]
    return sum(known) if known else None
