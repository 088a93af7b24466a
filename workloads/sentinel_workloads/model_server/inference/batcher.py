"""Requests that arrive together run together: no wait while the model is idle, a bounded one when it is not."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from sentinel_workloads.model_server.inference.pace import Pace
from sentinel_workloads.model_server.inference.work import State, Work
from sentinel_workloads.model_server.refusal import Cause, Refusal

LOG = logging.getLogger(__name__)
SWEEP_SECONDS = 0.1
RETRY_AFTER_SECONDS = 1.0


class Meter(Protocol):
    """What is told of each run."""

    def ran(self, works: list[Work], *, rows: int, seconds: float) -> None:
        """Counts a run of some works."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Most rows of a run, longest wait for company in seconds, most rows that wait."""

    max_size: int
    max_delay: float
    max_queue_rows: int


@dataclass(eq=False, slots=True)
class _Run:
    works: list[Work]
    rows: int
    began: float


class Batcher:
    """A queue before one model. Everything here happens on the loop, but the runs that go to threads.

    Works that came in the same turn of the loop run together; while runs are in threads the queue gathers, and the
    next run starts when one ends, or, while a thread is free, when the queue is full or its oldest has waited enough.
    """

    def __init__(self, run: Callable[[list[Work]], None], *, bounds: Bounds, pace: Pace, meter: Meter) -> None:
        self._run, self._bounds, self._pace, self._meter = run, bounds, pace, meter
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(pace.slots, thread_name_prefix="inference")
        self._queues: dict[Hashable, deque[Work]] = {}
        self._runs: set[_Run] = set()
        self._pumping = False
        self._late: asyncio.TimerHandle | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self.queued_rows = 0

    @property
    def oldest_run_seconds(self) -> float:
        """How long the longest run under way has taken: a run that never ends is a server that never answers."""
        now = self._loop.time()
        return max((now - run.began for run in self._runs), default=0.0)

    def submit(self, work: Work) -> None:
        """Queues a work; refuses when too many rows wait already."""
        if self.queued_rows and self.queued_rows + work.rows > self._bounds.max_queue_rows:
            raise Refusal(
                Cause.OVERLOADED,
                f"{self.queued_rows} rows wait already, the limit is {self._bounds.max_queue_rows}",
                retry_after=RETRY_AFTER_SECONDS,
            )
        work.enqueued = self._loop.time()
        queue = self._queues.get(work.key)
        if queue is None:
            queue = self._queues[work.key] = deque()
        queue.append(work)
        self.queued_rows += work.rows
        self._pump_soon()
        if self._sweep is None:
            self._sweep = self._loop.call_later(SWEEP_SECONDS, self._sweep_deadlines)

    def cancel(self, work: Work) -> None:
        """Drops a work whose client went away; a run under way goes on without it."""
        if work.state is State.QUEUED:
            self.queued_rows -= work.rows
        work.state = State.DONE

    def close(self) -> None:
        """Lets go of the threads, without waiting for a run that hangs."""
        for handle in (self._late, self._sweep):
            if handle is not None:
                handle.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _pump_soon(self) -> None:
        if not self._pumping:
            self._pumping = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._pumping = False
        while self.queued_rows:
            queue = self._oldest_queue()
            if queue[0].rows <= self._pace.inline_rows:
                self._run_here(self._take(queue, limit=min(self._bounds.max_size, self._pace.inline_rows)))
                if self.queued_rows:
                    self._pump_soon()  # Sockets first: who arrived meanwhile joins the next run.
                return
            if not self._may_start(queue[0]):
                return
            self._run_in_thread(self._take(queue, limit=self._bounds.max_size))

    def _may_start(self, oldest: Work) -> bool:
        if not self._runs:
            return True
        if len(self._runs) >= self._pace.slots:
            return False
        wait = oldest.enqueued + self._bounds.max_delay - self._loop.time()
        if wait <= 0 or self.queued_rows >= self._bounds.max_size:
            return True
        if self._late is None:
            self._late = self._loop.call_later(wait, self._on_late)
        return False

    def _on_late(self) -> None:
        self._late = None
        self._pump_soon()

    def _oldest_queue(self) -> deque[Work]:
        """Gives the queue whose head came first. Some queue holds a work that waits, or queued_rows would be 0."""
        oldest: deque[Work] | None = None
        for key, queue in list(self._queues.items()):
            while queue and queue[0].state is not State.QUEUED:
                queue.popleft()
            if not queue:
                del self._queues[key]
            elif oldest is None or queue[0].enqueued < oldest[0].enqueued:
                oldest = queue
        if oldest is None:
            raise AssertionError("rows are queued and no work is")
        return oldest

    def _take(self, queue: deque[Work], *, limit: int) -> list[Work]:
        works: list[Work] = []
        rows = 0
        while queue and (not works or rows + queue[0].rows <= limit):
            work = queue.popleft()
            if work.state is State.QUEUED:
                work.state = State.RUNNING
                works.append(work)
                rows += work.rows
        self.queued_rows -= rows
        return works

    def _run_here(self, works: list[Work]) -> None:
        self._finish(works, self._timed(works))

    def _run_in_thread(self, works: list[Work]) -> None:
        run = _Run(works, sum(work.rows for work in works), self._loop.time())
        self._runs.add(run)
        self._threads.submit(self._threaded, run)

    def _threaded(self, run: _Run) -> None:
        seconds = self._timed(run.works)
        self._loop.call_soon_threadsafe(self._ended, run, seconds)

    def _timed(self, works: list[Work]) -> float:
        """Runs, whatever comes of it: whoever has neither outputs nor error afterwards is told that it failed."""
        began = time.perf_counter()
        try:
            self._run(works)
        except Exception:
            LOG.exception("a run failed")
        return time.perf_counter() - began

    def _ended(self, run: _Run, seconds: float) -> None:
        self._runs.discard(run)
        self._pump_soon()
        self._finish(run.works, seconds)

    def _finish(self, works: list[Work], seconds: float) -> None:
        for work in works:
            if work.state is State.RUNNING:
                self._end(work)
        self._meter.ran(works, rows=sum(work.rows for work in works), seconds=seconds)

    def _end(self, work: Work) -> None:
        work.state = State.DONE
        if work.outputs is None and work.error is None:
            work.error = Refusal(Cause.FAILED, "the model failed")
        work.done(work)

    def _sweep_deadlines(self) -> None:
        """Answers what is past its deadline, queued or running. One timer for all: a timer each is dear."""
        now = self._loop.time()
        waiting = [work for queue in self._queues.values() for work in queue if work.state is State.QUEUED]
        running = [work for run in self._runs for work in run.works if work.state is State.RUNNING]
        for work in waiting + running:
            if work.deadline <= now:
                if work.state is State.QUEUED:
                    self.queued_rows -= work.rows
                work.error = Refusal(Cause.DEADLINE, "no answer within the time allowed")
                self._end(work)
        busy = self.queued_rows or self._runs
        self._sweep = self._loop.call_later(SWEEP_SECONDS, self._sweep_deadlines) if busy else None
