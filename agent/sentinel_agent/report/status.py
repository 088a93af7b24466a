"""The status of the node's NodeTelemetry, from a picture of the node."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from sentinel_agent.gpu.reading import Part
from sentinel_agent.gpu.xid import severity
from sentinel_agent.ledger import Befallen
from sentinel_agent.observed import Picture, Seen
from sentinel_agent.pods.ownership import Share
from sentinel_operator.api.conditions import READY, Condition
from sentinel_operator.api.nodetelemetry import (
    GPU_HEALTHY,
    MAX_DEVICES,
    MAX_PODS,
    Device,
    DevicePod,
    Ecc,
    Host,
    LastXid,
    MigDevice,
    NodeTelemetryStatus,
    Nvml,
)

UidOf = Callable[[str, str], str]
Means = Mapping[str, float]
"""Mean utilisation of each GPU since the object was last written, by uuid."""


def moment(at: float) -> str:
    """Writes Unix time as Kubernetes does."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def status(
    picture: Picture,
    *,
    now: float,
    generation: int,
    means: Means,
    uid_of: UidOf,
    before: NodeTelemetryStatus | None,
) -> NodeTelemetryStatus:
    """Gives the whole status; conditions keep the time of their last transition from `before`."""
    return NodeTelemetryStatus(
        observed_generation=generation,
        observed_at=moment(now),
        gpus=len([seen for seen in picture.gpus if seen.reading.present]),
        nvml=Nvml(
            state=picture.library.state,
            driver_version=picture.library.driver_version,
            missing=list(picture.library.missing)[:64],
            hanging=picture.library.hanging,
        ),
        devices=[_device(seen, picture, means, uid_of) for seen in picture.gpus[:MAX_DEVICES]],
        host=_host(picture),
        conditions=[
            _condition(READY, "True", "Reporting", "the agent reports", now=now, generation=generation, before=before),
            _condition(
                GPU_HEALTHY,
                picture.overall.status,
                picture.overall.reason,
                picture.overall.message,
                now=now,
                generation=generation,
                before=before,
            ),
        ],
    )


def _condition(
    type_: str, told: str, reason: str, message: str, *, now: float, generation: int, before: NodeTelemetryStatus | None
) -> Condition:
    earlier = [each for each in (before.conditions if before else None) or () if each.type == type_]
    since = earlier[0].last_transition_time if earlier and earlier[0].status == told else moment(now)
    return Condition.model_validate(
        {
            "type": type_,
            "status": told,
            "observedGeneration": generation,
            "lastTransitionTime": since,
            "reason": reason,
            "message": message[:1024],
        }
    )


def _device(seen: Seen, picture: Picture, means: Means, uid_of: UidOf) -> Device:
    identity = seen.reading.identity
    gauges = seen.reading.gauges if seen.fresh else {}
    return Device(
        uuid=identity.uuid,
        index=identity.index,
        name=identity.name[:128],
        pci_bus_id=identity.pci_bus_id,
        health=seen.verdict.health,
        reasons=list(seen.verdict.reasons),
        utilization_percent=_percent(means.get(identity.uuid)) if seen.fresh else None,
        memory_used_bytes=_whole(gauges.get("memory_used")),
        memory_total_bytes=_whole(gauges.get("memory_total")),
        power_watts=_whole(gauges.get("power")),
        temperature_celsius=_whole(gauges.get("temperature")),
        throttle_reasons=list(seen.throttle),
        ecc=_ecc(picture, identity.uuid),
        last_xid=_last_xid(seen.befallen),
        mig=[_part(seen, part, uid_of) for part in seen.reading.parts],
        pods=_pods(seen.shares, uid_of),
    )


def _part(seen: Seen, part: Part, uid_of: UidOf) -> MigDevice:
    return MigDevice(
        uuid=part.uuid,
        profile=part.profile,
        gpu_instance=part.gpu_instance,
        memory_used_bytes=part.memory_used,
        memory_total_bytes=part.memory_total,
        pods=_pods(seen.part_shares.get(part.uuid, ()), uid_of),
    )


def _pods(shares: tuple[Share, ...], uid_of: UidOf) -> list[DevicePod]:
    return [
        DevicePod(
            namespace=share.container.namespace,
            name=share.container.pod,
            uid=uid_of(share.container.namespace, share.container.pod),
            container=share.container.container,
            utilization_percent=_percent(share.utilization),
            memory_used_bytes=share.memory,
        )
        for share in shares[:MAX_PODS]
    ]


def _ecc(picture: Picture, uuid: str) -> Ecc | None:
    counters = picture.totals.counters
    corrected = counters.get(("ecc_corrected_volatile", (uuid,)))
    uncorrected = counters.get(("ecc_uncorrected_volatile", (uuid,)))
    if corrected is None or uncorrected is None:
        return None
    return Ecc(corrected=int(corrected), uncorrected=int(uncorrected))


def _last_xid(befallen: Befallen | None) -> LastXid | None:
    if befallen is None:
        return None
    return LastXid(
        code=befallen.code,
        severity=severity(befallen.code),
        at=moment(befallen.at),
        count=befallen.count,
        pods=list(befallen.pods[:MAX_PODS]),
    )


def _host(picture: Picture) -> Host | None:
    host = picture.host
    if host is None or not host.memory_total:
        return None
    return Host(
        cpu_cores=host.cores,
        cpu_utilization_percent=_percent(picture.cpu_percent.get("all", 0.0)) or 0,
        memory_used_bytes=host.memory_total - host.memory_available,
        memory_total_bytes=host.memory_total,
    )


def _percent(value: float | None) -> int | None:
    return None if value is None or math.isnan(value) else max(0, min(100, round(value)))


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
