"""Readings of a process and of the API server's own request counters."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterable
from pathlib import Path

from devcluster.cluster import Cluster

_TICKS = os.sysconf("SC_CLK_TCK")
_WRITES = {"POST", "PUT", "PATCH", "APPLY", "DELETE"}
_REQUESTS = re.compile(r"^apiserver_request_total\{(?P<labels>[^}]*)\} (?P<count>\S+)$", re.MULTILINE)


def cpu_seconds(pid: int) -> float:
    """Gives the CPU time of a process so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_mib(pid: int) -> float:
    """Gives the resident memory of a process in MiB."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def percentile(values: Iterable[float], share: float) -> float:
    """Gives the value below which the share of all values lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def writes(metrics: str) -> float:
    """Sums the API server's counters of writing requests, but for leases: the leader renews its own all the time."""
    total = 0.0
    for found in _REQUESTS.finditer(metrics):
        labels = dict(re.findall(r'(\w+)="([^"]*)"', found["labels"]))
        if labels.get("verb") in _WRITES and labels.get("resource") != "leases":
            total += float(found["count"])
    return total


async def written_so_far(cluster: Cluster) -> float:
    """Reads the API server's counters now."""
    return writes(await asyncio.to_thread(cluster.kubectl, "get", "--raw", "/metrics"))
