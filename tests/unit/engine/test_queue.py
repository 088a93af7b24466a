"""The work queue keeps its promises, whatever the order of what happens."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from sentinel_operator.engine.queue import Lane, WorkQueue
from tests.support.clock import FakeTimers


class Report:
    """What the queue reported."""

    def __init__(self) -> None:
        self.depths: list[int] = []
        self.adds = 0
        self.retries = 0
        self.waits: list[float] = []

    def depth(self, count: int) -> None:
        self.depths.append(count)

    def added(self) -> None:
        self.adds += 1

    def retried(self) -> None:
        self.retries += 1

    def waited(self, seconds: float) -> None:
        self.waits.append(seconds)


class Middle(random.Random):
    """No jitter."""

    @override
    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


@pytest.fixture
def timers() -> FakeTimers:
    return FakeTimers()


@pytest.fixture
def report() -> Report:
    return Report()


@pytest.fixture
def queue(timers: FakeTimers, report: Report) -> WorkQueue[str]:
    return WorkQueue(timers=timers, metrics=report, rng=Middle())


async def taken(queue: WorkQueue[str]) -> str | None:
    """Takes a key that must be due now."""
    async with asyncio.timeout(1):
        return await queue.get()


async def test_a_key_added_twice_is_taken_once(queue: WorkQueue[str], report: Report) -> None:
    queue.add("a")
    queue.add("a")
    assert len(queue) == 1
    assert await taken(queue) == "a"
    assert len(queue) == 0
    assert report.adds == 1


async def test_a_key_changed_while_worked_on_runs_again_but_not_at_once(queue: WorkQueue[str]) -> None:
    queue.add("a")
    await taken(queue)
    queue.add("a")
    queue.add("a")
    assert len(queue) == 0, "never twice at once"
    queue.done("a")
    assert len(queue) == 1, "and never forgotten"
    assert await taken(queue) == "a"
    queue.done("a")
    assert len(queue) == 0


async def test_of_several_delays_the_earliest_wins(queue: WorkQueue[str], timers: FakeTimers) -> None:
    queue.add_after("a", 10)
    queue.add_after("a", 5)
    queue.add_after("a", 20)
    timers.advance(4.9)
    assert len(queue) == 0
    timers.advance(0.2)
    assert await taken(queue) == "a"
    queue.done("a")
    timers.advance(60)
    assert len(queue) == 0, "the later ones are superseded"


async def test_an_addition_supersedes_a_delayed_one(queue: WorkQueue[str], timers: FakeTimers) -> None:
    queue.add_after("a", 5)
    queue.add("a")
    await taken(queue)
    queue.done("a")
    timers.advance(60)
    assert len(queue) == 0


async def test_a_delay_that_runs_out_during_work_queues_afterwards(queue: WorkQueue[str], timers: FakeTimers) -> None:
    queue.add("a")
    await taken(queue)
    queue.add_after("a", 1)
    timers.advance(2)
    assert len(queue) == 0
    queue.done("a")
    assert len(queue) == 1


async def test_backoff_doubles_to_the_cap_and_starts_anew_after_success(
    queue: WorkQueue[str], timers: FakeTimers, report: Report
) -> None:
    delays = []
    for _ in range(12):
        delays.append(queue.retry("a"))
        timers.advance(delays[-1])
        await taken(queue)
        queue.done("a")
    assert delays[:4] == [0.5, 1.0, 2.0, 4.0]
    assert delays[-1] == 300.0
    assert report.retries == 12
    assert queue.failures("a") == 12
    queue.forget("a")
    assert queue.retry("a") == 0.5


def test_a_server_that_asks_for_more_time_gets_it(queue: WorkQueue[str]) -> None:
    assert queue.retry("a", at_least=7.0) == 7.0


def test_jitter_spreads_by_a_fifth(timers: FakeTimers, report: Report) -> None:
    queue: WorkQueue[int] = WorkQueue(timers=timers, metrics=report, rng=random.Random(1))
    delays = [queue.retry(key) for key in range(200)]
    assert 0.4 <= min(delays) < 0.45
    assert 0.55 < max(delays) <= 0.6


async def test_edits_overtake_resync_without_starving_it(queue: WorkQueue[str]) -> None:
    for number in range(20):
        queue.add(f"resync-{number}", Lane.RESYNC)
    for number in range(20):
        queue.add(f"edit-{number}")
    order = []
    for _ in range(16):
        key = await taken(queue)
        assert key is not None
        order.append(key.split("-")[0])
        queue.done(key)
    assert order.count("edit") == 14
    assert order.count("resync") == 2


async def test_an_edit_promotes_a_key_that_waits_for_resync(queue: WorkQueue[str]) -> None:
    queue.add("first", Lane.RESYNC)
    queue.add("second", Lane.RESYNC)
    queue.add("second", Lane.EDIT)
    assert [await taken(queue), await taken(queue)] == ["second", "first"]
    assert len(queue) == 0


async def test_shutting_down_wakes_workers_and_waits_for_those_at_work(queue: WorkQueue[str]) -> None:
    queue.add("a")
    await taken(queue)
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.shut_down()
    assert await waiting is None
    drained = asyncio.create_task(queue.drained())
    await asyncio.sleep(0)
    assert not drained.done()
    queue.done("a")
    async with asyncio.timeout(1):
        await drained
    queue.add("b")
    assert await taken(queue) is None


async def test_metrics_tell_depth_and_waiting_time(queue: WorkQueue[str], timers: FakeTimers, report: Report) -> None:
    queue.add("a")
    queue.add("b")
    timers.advance(3)
    await taken(queue)
    assert report.depths == [1, 2, 1]
    assert report.waits == [3.0]


class Book:
    """Takes keys and keeps account of who works on what, and of what is owed."""

    def __init__(self) -> None:
        self.timers = FakeTimers()
        self.queue: WorkQueue[int] = WorkQueue(timers=self.timers, metrics=Report(), rng=random.Random(0))
        self.working: set[int] = set()
        self.owed: set[int] = set()

    def step(self, step: str, key: int) -> None:
        match step:
            case "edit" | "resync":
                self.queue.add(key, Lane[step.upper()])
                self.owed.add(key)
            case "after":
                self.queue.add_after(key, 5.0)
                self.owed.add(key)
            case "time":
                self.timers.advance(2.0)
            case "done" if key in self.working:
                self.working.remove(key)
                self.queue.done(key)
            case "take" if len(self.queue):
                self.take()

    def take(self) -> None:
        getting = self.queue.get()
        with pytest.raises(StopIteration) as taken:
            getting.send(None)
        key = taken.value.value
        assert key not in self.working, "twice at once"
        self.working.add(key)
        self.owed.discard(key)


STEPS = st.sampled_from(["edit", "resync", "after", "take", "done", "time"])


@given(st.lists(st.tuples(STEPS, st.integers(0, 3)), max_size=80))
def test_no_key_runs_twice_at_once_and_none_is_lost(steps: list[tuple[str, int]]) -> None:
    book = Book()
    for step, key in steps:
        book.step(step, key)
    book.timers.advance(10.0)
    for key in tuple(book.working):
        book.step("done", key)
    while len(book.queue):
        book.take()
    assert not book.owed
