"""Readings of a process and of the API server's own request counters."""

from __future__ import annotations

import asyncio
import os
import re
from collections import Counter
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


def writes(metrics: str) -> Counter[str]:
    """Sums the API server's counters of writing requests, by resource or resource/subresource."""
    total: Counter[str] = Counter()
    for found in _REQUESTS.finditer(metrics):
        labels = dict(re.findall(r'(\w+)="([^"]*)"', found["labels"]))
        if labels.get("verb") in _WRITES:
            total["/".join(filter(None, (labels.get("resource"), labels.get("subresource"))))] += int(found["count"])
    return total


async def written_by_resource(cluster: Cluster) -> Counter[str]:
    """Reads the API server's counters now, but for leases: the leader renews its own all the time."""
    found = writes(await asyncio.to_thread(cluster.kubectl, "get", "--raw", "/metrics"))
    del found["leases"]
    return found


async def written_so_far(cluster: Cluster) -> int:
    """Reads the API server's counters now, all resources together."""
    return (await written_by_resource(cluster)).total()
