"""Pods by their cgroups, v2 or v1, whichever driver made them: what they used, and whose a process is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_POD = re.compile(
    r"pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?(?:/|$)"
)
_CONTAINER = re.compile(r"(?:^|/)(?:[a-z-]+-)?([0-9a-f]{64})(?:\.scope)?(?:/|$)")
_KUBEPODS = re.compile(r":/((?:[^/\n]+/)*?(?:kubelet-)?kubepods(?:\.slice)?)/")
_MICRO, _NANO = 1e-6, 1e-9
_ROOTS = ("kubepods.slice", "kubepods", "kubelet.slice/kubelet-kubepods.slice", "kubelet/kubepods")
_DEPTH = 3
"""Of the pods below a root: the class of service, then the pod."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a process is."""

    pod_uid: str
    container_id: str


@dataclass(frozen=True, slots=True)
class PodUsage:
    """What a pod used: seconds of processor time since it began, bytes of memory now."""

    cpu_seconds: float
    memory: int


def owner(proc: Path, pid: int) -> Owner | None:
    """Tells whose a process is; None where it is no pod's, or is gone."""
    try:
        text = (proc / str(pid) / "cgroup").read_text()
    except OSError:
        return None
    for line in text.splitlines():
        found = _POD.search(line)
        if found:
            container = _CONTAINER.search(line)
            return Owner(found[1].replace("_", "-"), container[1] if container else "")
    return None


def pods(root: Path, proc: Path) -> dict[str, PodUsage]:
    """Reads the use of every pod, by its uid."""
    usage: dict[str, PodUsage] = {}
    unified = (root / "cgroup.controllers").exists()
    base = root if unified else root / "memory"
    for relative, uid in _pod_folders(base, _own_root(proc)):
        try:
            used = _unified(base / relative) if unified else _split(root, relative)
        except (OSError, ValueError, KeyError):
            continue  # it ended between the two looks
        usage[uid] = used
    return usage


def _own_root(proc: Path) -> str:
    """Gives where the kubelet put this pod itself, and so all pods; empty where the agent cannot see that."""
    try:
        text = (proc / "self" / "cgroup").read_text()
    except OSError:
        return ""
    found = _KUBEPODS.search(text)
    return found[1] if found else ""


def _pod_folders(base: Path, own: str) -> Iterator[tuple[str, str]]:
    for name in dict.fromkeys((own, *_ROOTS)):
        if name and (base / name).is_dir():
            yield from _below(base, name, _DEPTH)


def _below(base: Path, relative: str, depth: int) -> Iterator[tuple[str, str]]:
    try:
        entries = [entry.name for entry in os.scandir(base / relative) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for name in entries:
        path = f"{relative}/{name}"
        found = _POD.search(name)
        if found:
            yield path, found[1].replace("_", "-")
        elif depth > 1:
            yield from _below(base, path, depth - 1)


def _unified(folder: Path) -> PodUsage:
    stat = dict(line.split() for line in (folder / "cpu.stat").read_text().splitlines())
    return PodUsage(int(stat["usage_usec"]) * _MICRO, int((folder / "memory.current").read_text()))


def _split(root: Path, relative: str) -> PodUsage:
    cpu = root / "cpuacct" / relative / "cpuacct.usage"
    memory = root / "memory" / relative / "memory.usage_in_bytes"
    return PodUsage(int(cpu.read_text()) * _NANO, int(memory.read_text()))
