"""The host by /proc and statvfs: processors, memory, network, disks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_IDLE, _IOWAIT = 3, 4
_GUEST = 8  # counted in user time already


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds since boot."""

    busy: float
    total: float


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system; bytes."""

    device: str
    total: int
    used: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes since the interface came up."""

    received: int
    sent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSample:
    """The host at one moment. What could not be read is empty, and is named in `failed`."""

    at: float
    cpus: Mapping[str, Cpu] = field(default_factory=dict)
    """By number; `all` is their sum."""
    memory_total: int = 0
    memory_available: int = 0
    network: Mapping[str, Traffic] = field(default_factory=dict)
    disks: Mapping[str, Disk] = field(default_factory=dict)
    uptime: float = 0.0
    failed: tuple[str, ...] = ()

    @property
    def cores(self) -> int:
        """Gives the number of processors."""
        return len([name for name in self.cpus if name != "all"])


def read_cpus(proc: Path) -> dict[str, Cpu]:
    """Reads how long each processor was busy; waiting for a disk is not being busy."""
    cpus = {}
    for line in (proc / "stat").read_text().splitlines():
        name, *times = line.split()
        if not name.startswith("cpu"):
            break
        ticks = [int(time) for time in times[:_GUEST]]
        total, idle = sum(ticks), ticks[_IDLE] + (ticks[_IOWAIT] if len(ticks) > _IOWAIT else 0)
        cpus[name.removeprefix("cpu") or "all"] = Cpu((total - idle) / _TICKS, total / _TICKS)
    return cpus


def read_memory(proc: Path) -> tuple[int, int]:
    """Reads total and available memory in bytes."""
    found = {}
    for line in (proc / "meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in ("MemTotal", "MemAvailable"):
            found[name] = int(rest.split()[0]) * 1024
    return found["MemTotal"], found["MemAvailable"]


def read_network(proc: Path) -> dict[str, Traffic]:
    """Reads the traffic of the host's interfaces: those of process 1, for the agent's own may be a pod's."""
    path = proc / "1" / "net" / "dev"
    text = (path if os.access(path, os.R_OK) else proc / "net" / "dev").read_text()
    traffic = {}
    for line in text.splitlines()[2:]:
        name, _, rest = line.partition(":")
        numbers = rest.split()
        traffic[name.strip()] = Traffic(int(numbers[0]), int(numbers[8]))
    return traffic


def read_disk(path: Path, mounts: Mapping[str, str]) -> Disk:
    """Reads the file system that a path lies on; used is what `df` calls used."""
    size = os.statvfs(path)
    total = size.f_blocks * size.f_frsize
    return Disk(mounts.get(str(path), ""), total, total - size.f_bfree * size.f_frsize)


def read_mounts(proc: Path) -> dict[str, str]:
    """Reads which device is mounted where, as the agent sees it."""
    lines = [line.split() for line in (proc / "self" / "mounts").read_text().splitlines()]
    return {line[1]: line[0] for line in lines}


def read_uptime(proc: Path) -> float:
    """Reads the seconds since boot."""
    return float((proc / "uptime").read_text().split()[0])


def boot_id(proc: Path) -> str:
    """Gives what is another after each boot; empty where the kernel does not tell."""
    try:
        return (proc / "sys" / "kernel" / "random" / "boot_id").read_text().strip()
    except OSError:
        return ""
