"""The agent: who works, who looks after them, and in which order they stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from itertools import chain

from sentinel_agent.config import Settings
from sentinel_agent.expose import dcgm, node
from sentinel_agent.expose.server import Server
from sentinel_agent.expose.text import Family, counter, gauge, render
from sentinel_agent.gpu.events import XidListener
from sentinel_agent.gpu.reading import STARTING, Library
from sentinel_agent.gpu.sampler import Sampler
from sentinel_agent.host import proc
from sentinel_agent.host.sampler import HostSampler
from sentinel_agent.ledger import Ledger
from sentinel_agent.observed import Observed, Picture
from sentinel_agent.pods.allocation import Kubelet, KubeletGone
from sentinel_agent.pods.names import Names
from sentinel_agent.report.api import Api
from sentinel_agent.report.reporter import Reporter
from sentinel_agent.workers import Beat, Worker

logger = logging.getLogger(__name__)

_LOOK_EVERY = 1.0
_SAVE_EVERY = 10.0
_STOP = 3.0
_SILENT = 60.0
"""How long nobody may have looked after the workers before the agent is taken for dead."""
_KUBELET_TIMEOUT = 5.0
_GPU_NUMBERS = ("0x10de",)
_DISPLAY = ("0x0300", "0x0302")


class Agent:
    """One agent. `start`, then `run` until `stop` is set, then `close`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stop = threading.Event()
        self.names = Names(settings.container_logs)
        if settings.state is not None:
            _make_room(settings)
        self.ledger = Ledger(settings.state, boot_id=proc.boot_id(settings.proc), now=time.time)
        self.observed = Observed(
            self.ledger,
            self.names,
            proc=settings.proc,
            interval=settings.interval,
            fatal_hold=settings.fatal_hold,
            forget=settings.forget,
            expected=self._expected,
        )
        self._has_gpu = settings.gpu == "required" or _nvidia_device(settings)
        self.reporter = Reporter(
            node=settings.node,
            open_api=lambda: Api.open(settings.kubeconfig),
            picture=lambda: self.observed.picture(saved=False),
            uid_of=self.names.uid,
            heartbeat=settings.heartbeat,
            least_gap=settings.least_gap,
            node_condition=settings.node_condition,
            taint=settings.taint,
        )
        self._kubelet = Kubelet(settings.kubelet_socket)
        self._listener: XidListener | None = None
        self.workers = self._workers()
        self._looked_at = time.monotonic()
        self.server = Server(
            host=settings.listen, port=settings.port, metrics=self.metrics, alive=self._alive, ready=self._ready
        )

    def start(self) -> None:
        """Begins to work and to answer."""
        if self.settings.gpu == "off":
            self.observed.library_failed(Library(state="LibraryNotFound"))
        for worker in self.workers:
            worker.start()
        self.server.start()
        logger.info("serving on port %d", self.server.port)

    def run(self) -> None:
        """Looks after the workers until it is stopped."""
        saved_at = time.monotonic()
        while not self.stop.wait(_LOOK_EVERY):
            self._looked_at = time.monotonic()
            for worker in self.workers:
                worker.check()
            if self._looked_at - saved_at > _SAVE_EVERY:
                saved_at = self._looked_at
                self.observed.tidy()
                self.ledger.save()

    def close(self) -> None:
        """Stops in order: no further work, then the counters on disk, then no further answers."""
        for worker in self.workers:
            worker.dismiss()
        until = time.monotonic() + _STOP
        left = [worker.name for worker in self.workers if not worker.join(max(0.0, until - time.monotonic()))]
        if left:
            logger.warning("left behind, for they hang: %s", ", ".join(left))
        self.ledger.save(durably=True)
        self._kubelet.close()
        self.server.close()

    def metrics(self) -> bytes:
        """Gives what Prometheus scrapes."""
        picture = self.observed.picture(saved=True)
        name = self.settings.node
        return render(chain(dcgm.families(picture, name), node.families(picture, name), self._own()))

    def _own(self) -> Iterator[Family]:
        labels = {"node": self.settings.node}
        alive = gauge("sentinel_node_worker_up", "1 while a worker of the agent works.")
        restarts = counter("sentinel_node_worker_restarts_total", "How often a worker was begun anew.")
        given_up = gauge("sentinel_node_worker_threads_given_up", "Threads whose call does not come back.")
        for worker in self.workers:
            standing = worker.standing
            alive.add(standing.alive, **labels, worker=worker.name)
            restarts.add(standing.restarts, **labels, worker=worker.name)
            given_up.add(standing.given_up, **labels, worker=worker.name)
        listening = gauge("sentinel_node_xid_listening", "GPUs whose Xid errors are heard of.")
        listening.add(self._listener.listening if self._listener else None, **labels)
        writes = counter("sentinel_node_report_writes_total", "Writes of the node's NodeTelemetry.")
        writes.add(self.reporter.writes, **labels)
        failures = counter("sentinel_node_report_failures_total", "Writes that the API server did not take.")
        failures.add(self.reporter.failures, **labels)
        state = counter("sentinel_node_state_failures_total", "Times that the counters could not be kept on disk.")
        state.add(self.ledger.failures, **labels)
        yield from (alive, restarts, given_up, listening, writes, failures, state)

    def _workers(self) -> list[Worker]:
        settings, observed = self.settings, self.observed
        host = HostSampler(
            proc_root=settings.proc,
            cgroup_root=settings.cgroups,
            disks=settings.disks,
            interval=settings.interval,
            slow_interval=settings.pods_interval,
            publish=observed.take_host,
            note=observed.note,
        )
        workers = [
            self._worker("host", host.work, hung=host.hung),
            self._worker("kubelet", self._ask_kubelet),
        ]
        if settings.gpu != "off":
            workers += self._gpu_workers()
        if settings.report:
            workers.append(self._worker("report", self.reporter.work, after=60.0))
        return workers

    def _gpu_workers(self) -> list[Worker]:
        settings, observed = self.settings, self.observed
        sampler = Sampler(
            interval=settings.interval,
            slow_interval=settings.slow_interval,
            known=observed.known,
            publish=observed.take_round,
            failed=observed.library_failed,
            note=observed.note,
        )
        self._listener = listener = XidListener(
            ready=sampler.opened.is_set, present=observed.present, heard=observed.heard_xid, note=observed.note
        )
        return [self._worker("nvml", sampler.work, hung=sampler.hung), self._worker("xid", listener.work)]

    def _worker(
        self,
        name: str,
        work: Callable[[Beat], None],
        *,
        hung: Callable[[str, str], None] | None = None,
        after: float = 0.0,
    ) -> Worker:
        return Worker(name, work, hang_after=after or self.settings.hang_after, hung=hung)

    def _ask_kubelet(self, beat: Beat) -> None:
        while beat.wanted:
            try:
                with beat.doing("kubelet"):
                    self.observed.take_allocations(self._kubelet.allocations(timeout=_KUBELET_TIMEOUT))
            except KubeletGone as error:
                self.observed.kubelet_failed(str(error))
                self.observed.note("kubelet", str(error))
            beat.pause(self.settings.pods_interval)

    def _expected(self) -> bool:
        return self._has_gpu or (self.settings.gpu != "off" and bool(self.observed.known()))

    def _alive(self) -> str:
        silent = time.monotonic() - self._looked_at
        return f"nobody has looked after the workers for {silent:.0f} s" if silent > _SILENT else ""

    def _ready(self) -> str:
        picture: Picture = self.observed.picture(saved=False)
        if picture.host is None:
            return "the host has not been read yet"
        return "the GPUs have not been read yet" if picture.library.state == STARTING else ""


def _make_room(settings: Settings) -> None:
    assert settings.state is not None  # noqa: S101 - for the type checker
    try:
        settings.state.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        logger.error("%s: %s", settings.state.parent, error)  # noqa: TRY400 - what, not where


def _nvidia_device(settings: Settings) -> bool:
    """Tells whether an NVIDIA GPU is on the bus, whatever the driver says."""
    for device in (settings.sys / "bus" / "pci" / "devices").glob("*"):
        try:
            vendor, kind = ((device / name).read_text().strip() for name in ("vendor", "class"))
        except OSError:
            continue
        if vendor in _GPU_NUMBERS and kind.startswith(_DISPLAY):
            return True
    return False
