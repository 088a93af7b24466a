"""The thread that reads the host: processors each interval, pods and disks now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

from sentinel_agent.host import cgroups, proc
from sentinel_agent.host.cgroups import PodUsage
from sentinel_agent.host.proc import Disk, HostSample
from sentinel_agent.workers import Beat

T = TypeVar("T")
U = TypeVar("U")
Note = Callable[[str, str], None]
Publish = Callable[[HostSample, Mapping[str, PodUsage]], None]


class HostSampler:
    """Reads the host. A file that cannot be read, or a disk that hangs, costs what it tells and nothing else."""

    def __init__(
        self,
        *,
        proc_root: Path,
        cgroup_root: Path,
        disks: tuple[Path, ...],
        interval: float,
        slow_interval: float,
        publish: Publish,
        note: Note,
    ) -> None:
        self._proc, self._cgroups, self._disks = proc_root, cgroup_root, disks
        self._interval, self._slow_interval = interval, slow_interval
        self._publish, self._note = publish, note
        self._failed: list[str] = []
        self._suspects: set[str] = set()

    def hung(self, what: str, about: str) -> None:
        """Takes note that a reading does not come back: the next thread goes on without it."""
        del about
        self._suspects.add(what)

    def work(self, beat: Beat) -> None:
        """Goes on until it is no longer wanted."""
        slow_at, due = 0.0, time.monotonic()
        usage: Mapping[str, PodUsage] = {}
        disks: dict[str, Disk] = {}
        while beat.wanted:
            now = time.monotonic()
            self._failed = []
            sample = self._sample(beat, now, disks)
            if now >= slow_at:
                slow_at = now + self._slow_interval
                usage = self._try(beat, "cgroups", lambda: cgroups.pods(self._cgroups, self._proc), {})
                disks = self._read_disks(beat)
                sample = self._sample(beat, now, disks)
            if beat.wanted:
                self._publish(sample, usage)
            due = max(due + self._interval, time.monotonic())
            beat.pause(due - time.monotonic())

    def _sample(self, beat: Beat, now: float, disks: Mapping[str, Disk]) -> HostSample:
        total, available = self._try(beat, "memory", lambda: proc.read_memory(self._proc), (0, 0))
        return HostSample(
            at=now,
            cpus=self._try(beat, "cpu", lambda: proc.read_cpus(self._proc), {}),
            memory_total=total,
            memory_available=available,
            network=self._try(beat, "network", lambda: proc.read_network(self._proc), {}),
            disks=disks,
            uptime=self._try(beat, "uptime", lambda: proc.read_uptime(self._proc), 0.0),
            failed=tuple(self._failed),
        )

    def _read_disks(self, beat: Beat) -> dict[str, Disk]:
        nothing: dict[str, str] = {}
        mounts = self._try(beat, "mounts", lambda: proc.read_mounts(self._proc), nothing)
        found = {}
        for path in self._disks:
            disk = self._try(beat, f"disk {path}", partial(proc.read_disk, path, mounts), None)
            if disk is not None:
                found[str(path)] = disk
        return found

    def _try(self, beat: Beat, what: str, read: Callable[[], T], otherwise: U) -> T | U:
        if what in self._suspects:
            self._failed.append(what)
            return otherwise
        try:
            with beat.doing(what):
                return read()
        except (OSError, ValueError, KeyError, IndexError) as error:
            self._note(what, type(error).__name__)
            self._failed.append(what)
            return otherwise
        finally:
            if not beat.wanted:  # it hung, and has come back
                self._suspects.discard(what)
