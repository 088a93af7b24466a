"""What the workers saw, put together: each puts in what it read, and a picture of the node at one moment comes out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sentinel_agent.gpu.accrual import Accrual
from sentinel_agent.gpu.health import Overall, Verdict, judge, overall
from sentinel_agent.gpu.reading import Identity, Library, Part, Reading
from sentinel_agent.gpu.sampler import Round
from sentinel_agent.gpu.xid import severity
from sentinel_agent.host.cgroups import PodUsage, owner
from sentinel_agent.host.proc import HostSample
from sentinel_agent.ledger import Befallen, Ledger, Totals
from sentinel_agent.pods.allocation import Allocations, Container
from sentinel_agent.pods.names import Names
from sentinel_agent.pods.ownership import Share, part_shares, shares

_LONGEST_STEP = 5.0
_REMEMBER = 30 * 86400.0
_STALE_ROUNDS, _STALE_SECONDS = 5, 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One GPU in the picture."""

    reading: Reading
    fresh: bool
    verdict: Verdict
    throttle: tuple[str, ...] = ()
    peak: float | None = None
    befallen: Befallen | None = None
    shares: tuple[Share, ...] = ()
    part_shares: Mapping[str, tuple[Share, ...]] = field(default_factory=dict)
    """By the uuid of the MIG device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The node at one moment."""

    library: Library
    gpus: tuple[Seen, ...]
    overall: Overall
    totals: Totals
    host: HostSample | None = None
    cpu_percent: Mapping[str, float] = field(default_factory=dict)
    pods: Mapping[tuple[str, str], PodUsage] = field(default_factory=dict)
    """By namespace and name."""
    kubelet_error: str = ""


class Observed:
    """Takes what the workers saw, each in its own thread, and gives the picture of it."""

    def __init__(
        self,
        ledger: Ledger,
        names: Names,
        *,
        proc: Path,
        interval: float,
        fatal_hold: float,
        forget: float,
        expected: Callable[[], bool],
        now: Callable[[], float] = time.time,
    ) -> None:
        self.ledger, self._names, self._proc = ledger, names, proc
        self._interval, self._fatal_hold, self._forget = interval, fatal_hold, forget
        self._expected, self._now = expected, now
        self._lock = threading.Lock()
        self._round: Round | None = None
        self._library = Library()
        self._accrual = Accrual(ledger, interval=interval)
        self._owners: dict[int, Container] = {}
        self._allocations: Allocations = {}
        self._kubelet_error = ""
        self._host: HostSample | None = None
        self._cpu_percent: Mapping[str, float] = {}
        self._usage: Mapping[str, PodUsage] = {}

    # ------------------------------------------------------------------------------------- what workers put in

    def known(self) -> dict[str, Identity]:
        """Gives the GPUs that were seen and are not forgotten yet."""
        return self.ledger.seen(within=self._forget)

    def present(self) -> frozenset[str]:
        """Gives the GPUs that are there."""
        latest = self._round
        return frozenset(each.identity.uuid for each in latest.readings if each.present) if latest else frozenset()

    def note(self, function: str, error: str) -> None:
        """Counts a failure of NVML, or of a file of the host."""
        self.ledger.add("errors", (function, error), 1)

    def library_failed(self, library: Library) -> None:
        """Takes that NVML does not answer; who comes back after a driver was unloaded has been reset."""
        with self._lock:
            self._library = library
            if library.state in ("DriverNotLoaded", "Uninitialized"):
                self._accrual.absent(self.known())

    def take_round(self, latest: Round) -> None:
        """Takes a round of readings, and adds up what only adding up can tell."""
        with self._lock:
            before = self._round
            step = latest.at - before.at if before else 0.0
            step = min(step, max(_LONGEST_STEP, 5 * self._interval))  # what a pause hid, nobody knows
            pids = {work.pid for reading in latest.readings for work in reading.work}
            self._owners = {pid: held for pid, held in self._owners.items() if pid in pids}
            for reading in latest.readings:
                if reading.present:
                    on_it = shares(reading, self._allocations, self._owner_of)
                    self._accrual.take(reading, on_it, at=latest.at, step=step)
                else:
                    self._accrual.absent([reading.identity.uuid])
            self._round, self._library = latest, latest.library

    def heard_xid(self, uuid: str, code: int) -> None:
        """Takes an Xid: counted and on disk when this comes back."""
        with self._lock:
            found = [each for each in (self._round.readings if self._round else ()) if each.identity.uuid == uuid]
            on_it = shares(found[0], self._allocations, self._owner_of) if found else ()
        pods = sorted({(share.container.namespace, share.container.pod) for share in on_it})
        level = severity(code)
        # Among several pods on the GPU, NVML does not say whose doing it was.
        namespace, pod = pods[0] if len(pods) == 1 else ("", "")
        key = ("xid", (uuid, str(code), level, namespace, pod))
        told = tuple(f"{each[0]}/{each[1]}" for each in pods)
        self.ledger.befall(uuid, code=code, fatal=level == "Fatal", pods=told, counted=[key])

    def take_allocations(self, allocations: Allocations) -> None:
        """Takes who was given which device."""
        with self._lock:
            self._allocations, self._kubelet_error = allocations, ""

    def kubelet_failed(self, why: str) -> None:
        """Takes that the kubelet did not answer; what it said last holds on."""
        with self._lock:
            self._kubelet_error = why

    def take_host(self, sample: HostSample, usage: Mapping[str, PodUsage]) -> None:
        """Takes a look at the host."""
        with self._lock:
            self._cpu_percent = _percent(self._host, sample) or self._cpu_percent
            self._host, self._usage = sample, usage

    def tidy(self) -> None:
        """Forgets the counters of pods that have ended, and of GPUs that nobody has seen for a month."""
        with self._lock:
            given = {(each.namespace, each.pod) for owners in self._allocations.values() for each in owners}
            working = {(each.namespace, each.pod) for each in self._owners.values()}
        gpus = self.ledger.seen(within=_REMEMBER)

        def keep(name: str, labels: tuple[str, ...]) -> bool:
            if name == "errors" or labels[0] == "":
                return True
            if name == "pod_busy_seconds" and labels[1:3] not in given | working:
                return bool(self._names.uid(labels[1], labels[2]))
            return labels[0] in gpus

        self.ledger.prune(keep)

    # ------------------------------------------------------------------------------------- what comes out

    def picture(self, *, saved: bool) -> Picture:
        """Gives the node as it is now; with `saved` its counters are on disk when this comes back."""
        totals = self.ledger.totals(saved=saved)
        with self._lock:
            monotonic, latest = time.monotonic(), self._round
            fresh = latest is not None and self._is_fresh(latest, monotonic)
            gpus = (
                tuple(self._see(reading, totals, monotonic, fresh=fresh) for reading in latest.readings)
                if latest is not None
                else self._unread(totals)
            )
            judged = [(each.reading, each.verdict, each.befallen) for each in gpus]
            return Picture(
                library=self._library,
                gpus=gpus,
                overall=overall(self._library, judged, expected=self._expected()),
                totals=totals,
                host=self._host,
                cpu_percent=self._cpu_percent,
                pods={name: used for uid, used in self._usage.items() if (name := self._names.pod(uid))},
                kubelet_error=self._kubelet_error,
            )

    def _is_fresh(self, latest: Round, monotonic: float) -> bool:
        stale = max(_STALE_SECONDS, _STALE_ROUNDS * self._interval)
        return latest.library.state == self._library.state and monotonic - latest.at < stale

    def _unread(self, totals: Totals) -> tuple[Seen, ...]:
        """Those of before the agent's start, while none has been read since."""
        return tuple(
            self._see(Reading(identity=identity), totals, 0.0, fresh=False) for identity in self.known().values()
        )

    def _see(self, reading: Reading, totals: Totals, monotonic: float, *, fresh: bool) -> Seen:
        uuid = reading.identity.uuid
        throttle = self._accrual.throttle(uuid, at=monotonic)
        befallen = totals.xids.get(uuid)
        return Seen(
            reading=reading,
            fresh=fresh and reading.present,
            verdict=judge(
                reading,
                fresh=fresh,
                throttle=throttle,
                befallen=befallen,
                now=self._now(),
                fatal_hold=self._fatal_hold,
            ),
            throttle=throttle,
            peak=self._accrual.peak(uuid),
            befallen=befallen,
            shares=shares(reading, self._allocations, self._owner_of),
            part_shares=self._of_parts(reading),
        )

    def _of_parts(self, reading: Reading) -> dict[str, tuple[Share, ...]]:
        def of(part: Part) -> tuple[Share, ...]:
            return part_shares(reading, part, self._allocations, self._owner_of)

        return {part.uuid: of(part) for part in reading.parts}

    def _owner_of(self, pid: int) -> Container | None:
        held = self._owners.get(pid)
        if held is None:
            found = owner(self._proc, pid)
            held = self._names.of(found) if found else None
            if held is not None and held.container:
                self._owners[pid] = held
        return held


def _percent(before: HostSample | None, now: HostSample) -> dict[str, float]:
    if before is None:
        return {}
    found = {}
    for name, cpu in now.cpus.items():
        earlier = before.cpus.get(name)
        if earlier is not None and cpu.total > earlier.total:
            busy = (cpu.busy - earlier.busy) / (cpu.total - earlier.total)
            found[name] = max(0.0, min(100.0, 100 * busy))
    return found
