"""What one look at a GPU found. What NVML does not tell is None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

MIB = 2**20
STARTING, WORKING, HANGING = "Starting", "Working", "Hanging"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which GPU it is; the same as long as the GPU is there."""

    uuid: str
    index: int
    name: str = ""
    pci_bus_id: str = ""
    minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One process on a GPU, or on a part of it."""

    pid: int
    memory: int | None = None
    """Bytes."""
    utilization: float | None = None
    """Percent of the GPU."""
    gpu_instance: int | None = None
    compute_instance: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One MIG device."""

    uuid: str
    profile: str = ""
    gpu_instance: int | None = None
    compute_instance: int | None = None
    memory_used: int | None = None
    memory_total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One GPU at one moment. Units are NVML's made whole: bytes, watts, megahertz, percent, degrees Celsius."""

    identity: Identity
    presence: Literal["Present", "Lost", "Vanished"] = "Present"
    gauges: Mapping[str, float] = field(default_factory=dict)
    """By name: utilization, memory_utilization, memory_used, power, temperature, sm_clock …"""
    counters: Mapping[str, float] = field(default_factory=dict)
    """As the device counts, from its own beginning: energy, ecc_corrected, pcie_replay …"""
    throttle: tuple[str, ...] = ()
    work: tuple[Work, ...] = ()
    mig: bool = False
    parts: tuple[Part, ...] = ()

    @property
    def present(self) -> bool:
        """Tells whether it could be read."""
        return self.presence == "Present"


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """How far NVML answers."""

    state: str = STARTING
    driver_version: str = ""
    missing: tuple[str, ...] = ()
    hanging: str = ""
    unidentified: int = 0
    """GPUs that are lost and were never seen before: nothing says which they are."""
