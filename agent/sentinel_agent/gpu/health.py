"""How well a GPU is, and the node's GPUs together: decided from what was seen, and from nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sentinel_agent.gpu.reading import HANGING, STARTING, WORKING, Library, Reading
from sentinel_agent.gpu.throttle import HARDWARE
from sentinel_agent.gpu.xid import meaning
from sentinel_agent.ledger import Befallen
from sentinel_operator.api.conditions import Status
from sentinel_operator.api.nodetelemetry import Health

_WITHOUT_GPU = frozenset({"LibraryNotFound", "DriverNotLoaded"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """How well one GPU is, and every reason why it is not."""

    health: Health
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Overall:
    """How well the node's GPUs are, as a condition says it. `failed`: the node should not be given GPU work."""

    status: Status
    reason: str
    message: str
    failed: bool = False


def judge(
    reading: Reading, *, fresh: bool, throttle: Sequence[str], befallen: Befallen | None, now: float, fatal_hold: float
) -> Verdict:
    """Judges one GPU. `throttle` are the reasons of the last seconds, `now` is Unix time."""
    failed = {"Lost": ["GpuLost"], "Vanished": ["Vanished"], "Present": []}[reading.presence]
    if befallen is not None and befallen.fatal_at and now - befallen.fatal_at < fatal_hold:
        failed.append("FatalXid")
    if reading.gauges.get("remap_failed"):
        failed.append("RowRemapFailure")
    degraded = []
    if reading.counters.get("ecc_uncorrected_volatile"):
        degraded.append("UncorrectableEcc")
    if reading.gauges.get("remap_pending"):
        degraded.append("RowRemapPending")
    if HARDWARE & set(throttle):
        degraded.append("HardwareSlowdown")
    if failed:
        return Verdict("Failed", (*failed, *degraded))
    if not fresh:
        return Verdict("Unknown", ("NotRead",))
    return Verdict("Degraded", tuple(degraded)) if degraded else Verdict("Healthy")


def overall(
    library: Library, devices: Sequence[tuple[Reading, Verdict, Befallen | None]], *, expected: bool
) -> Overall:
    """Judges the node. `expected`: it is known to have GPUs, so that none is a fault."""
    if library.state == STARTING:
        return Overall(status="Unknown", reason="Starting", message="the GPUs have not been read yet")
    if library.state in _WITHOUT_GPU and not expected:
        return Overall(status="True", reason="NoGPU", message="no GPU has been seen on this node")
    if library.state not in (WORKING, HANGING):
        message = f"NVML does not work: {library.state}"
        return Overall(status="False", reason=library.state, message=message, failed=True)
    return _of_devices(library, devices, expected=expected)


def _of_devices(
    library: Library, devices: Sequence[tuple[Reading, Verdict, Befallen | None]], *, expected: bool
) -> Overall:
    told = [_told(*each) for each in devices if each[1].health != "Healthy"]
    if library.unidentified:
        told.append(f"{library.unidentified} lost before they were ever seen")
    if library.state == HANGING:
        message = "; ".join([f"{library.hanging} does not come back", *told])
        return Overall(status="False", reason="NvmlHanging", message=message, failed=True)
    found = {verdict.health for _, verdict, _ in devices}
    if "Failed" in found or library.unidentified:
        return Overall(status="False", reason="GPUFailed", message="; ".join(told), failed=True)
    if "Unknown" in found:
        return Overall(status="Unknown", reason="NotRead", message="; ".join(told))
    if "Degraded" in found:
        return Overall(status="False", reason="GPUDegraded", message="; ".join(told))
    if not devices:
        failed = expected
        return Overall(status="False" if failed else "True", reason="NoGPU", message="NVML finds no GPU", failed=failed)
    return Overall(status="True", reason="AllHealthy", message=f"{len(devices)} of {len(devices)} GPUs are healthy")


def _told(reading: Reading, verdict: Verdict, befallen: Befallen | None) -> str:
    reasons = [
        f"FatalXid: {meaning(befallen.fatal_code)}" if reason == "FatalXid" and befallen is not None else reason
        for reason in verdict.reasons
    ]
    return f"gpu{reading.identity.index} {reading.identity.uuid}: {', '.join(reasons)}"
