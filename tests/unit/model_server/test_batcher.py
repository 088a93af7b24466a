"""The queue before the model: everyone gets their own answer, in bounded time, and a failure stays with its cause."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import numpy as np
import pytest

from sentinel_workloads.model_server.inference.batcher import Batcher, Bounds
from sentinel_workloads.model_server.inference.pace import Pace, available_cpus
from sentinel_workloads.model_server.inference.work import State, Work
from sentinel_workloads.model_server.refusal import Cause, Refusal

INLINE = Pace(inline_rows=1000, slots=1, row_seconds=0.0)
ONE_THREAD = Pace(inline_rows=0, slots=1, row_seconds=1.0)
TWO_THREADS = Pace(inline_rows=0, slots=2, row_seconds=1.0)


class Seen:
    """A meter that remembers the sizes of runs."""

    def __init__(self) -> None:
        self.runs: list[int] = []

    def ran(self, works: list[Work], *, rows: int, seconds: float) -> None:
        self.runs.append(rows)


class Model:
    """Doubles its input; may be held until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.started = threading.Semaphore(0)

    def run(self, works: list[Work]) -> None:
        self.started.release()
        assert self.go.wait(30)
        for work in works:
            work.outputs = [work.feeds["x"] * 2]

    async def has_started(self, runs: int = 1) -> None:
        for _ in range(runs):
            assert await asyncio.to_thread(self.started.acquire, timeout=30)


def a_batcher(run: Callable[[list[Work]], None], pace: Pace, *, seen: Seen | None = None, **bounds) -> Batcher:
    defaults = {"max_size": 8, "max_delay": 60.0, "max_queue_rows": 100}
    return Batcher(run, bounds=Bounds(**{**defaults, **bounds}), pace=pace, meter=seen or Seen())


def put(batcher: Batcher, value: float, *, rows: int = 1, key=None, within: float = 60.0):
    """Submits a work; its future becomes the work when it is done."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Work] = loop.create_future()
    feeds = {"x": np.full((rows, 1), value)}
    work = Work(feeds, rows=rows, key=key, deadline=loop.time() + within, done=future.set_result)
    batcher.submit(work)
    return work, future


async def settle() -> None:
    """Lets what is scheduled on the loop happen."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("pace", [INLINE, ONE_THREAD, TWO_THREADS], ids=["inline", "one thread", "two threads"])
async def test_everyone_gets_their_own_answer(pace: Pace):
    batcher = a_batcher(Model().run, pace, max_queue_rows=10_000)
    done = [put(batcher, value)[1] for value in range(500)]
    works = await asyncio.gather(*done)
    assert [work.outputs[0][0, 0] for work in works] == [2 * value for value in range(500)]
    assert batcher.queued_rows == 0
    batcher.close()


async def test_what_arrives_in_one_turn_runs_together_up_to_the_limit():
    seen = Seen()
    batcher = a_batcher(Model().run, INLINE, seen=seen)
    await asyncio.gather(*[put(batcher, value)[1] for value in range(20)])
    assert seen.runs == [8, 8, 4]
    batcher.close()


async def test_a_lone_request_does_not_wait_for_company():
    model, seen = Model(), Seen()
    batcher = a_batcher(model.run, ONE_THREAD, seen=seen, max_delay=3600.0)
    await asyncio.wait_for(put(batcher, 1)[1], 30)
    assert seen.runs == [1]
    batcher.close()


async def test_the_queue_gathers_while_a_run_is_under_way():
    model, seen = Model(), Seen()
    batcher = a_batcher(model.run, ONE_THREAD, seen=seen)
    model.go.clear()
    first = put(batcher, 0)[1]
    await model.has_started()
    rest = [put(batcher, value)[1] for value in range(5)]
    await settle()
    assert batcher.queued_rows == 5
    model.go.set()
    await asyncio.gather(first, *rest)
    assert seen.runs == [1, 5]
    batcher.close()


async def test_a_free_thread_starts_when_the_queue_is_full_or_its_oldest_waited_enough():
    for bounds, rows in (({"max_size": 4}, 4), ({"max_delay": 0.01}, 1)):
        model, seen = Model(), Seen()
        batcher = a_batcher(model.run, TWO_THREADS, seen=seen, **bounds)
        model.go.clear()
        first = put(batcher, 0)[1]
        await model.has_started()
        rest = [put(batcher, value)[1] for value in range(rows)]
        await model.has_started()
        assert batcher.queued_rows == 0
        model.go.set()
        await asyncio.gather(first, *rest)
        batcher.close()


async def test_only_works_of_one_key_run_together_and_the_oldest_goes_first():
    model, seen = Model(), Seen()
    order: list[float] = []

    def run(works: list[Work]) -> None:
        assert len({work.key for work in works}) == 1
        order.extend(float(work.feeds["x"][0, 0]) for work in works)
        model.run(works)

    batcher = a_batcher(run, INLINE, seen=seen)
    await asyncio.gather(*[put(batcher, value, key=value % 2)[1] for value in range(6)])
    assert order == [0, 2, 4, 1, 3, 5]
    assert seen.runs == [3, 3]
    batcher.close()


async def test_a_request_of_more_rows_than_a_batch_runs_alone():
    seen = Seen()
    batcher = a_batcher(Model().run, INLINE, seen=seen)
    await asyncio.gather(put(batcher, 1)[1], put(batcher, 2, rows=30)[1], put(batcher, 3)[1])
    assert seen.runs == [1, 30, 1]
    batcher.close()


async def test_too_many_rows_are_refused_and_come_again_later():
    model = Model()
    batcher = a_batcher(model.run, ONE_THREAD, max_queue_rows=3)
    model.go.clear()
    first = put(batcher, 0)[1]
    await model.has_started()
    waiting = [put(batcher, value)[1] for value in range(3)]
    with pytest.raises(Refusal) as refused:
        put(batcher, 9)
    assert refused.value.cause is Cause.OVERLOADED
    assert refused.value.retry_after > 0
    model.go.set()
    await asyncio.gather(first, *waiting)
    assert (await put(batcher, 9)[1]).outputs[0][0, 0] == 18
    batcher.close()


async def test_a_deadline_holds_in_the_queue_and_in_a_run():
    model = Model()
    batcher = a_batcher(model.run, ONE_THREAD)
    model.go.clear()
    running, in_run = put(batcher, 0, within=0.05)
    await model.has_started()
    _, queued = put(batcher, 1, within=0.05)
    for work in await asyncio.gather(in_run, queued):
        assert work.error is not None
        assert work.error.cause is Cause.DEADLINE
    assert batcher.queued_rows == 0
    assert batcher.oldest_run_seconds > 0
    model.go.set()
    assert (await put(batcher, 2)[1]).outputs[0][0, 0] == 4
    assert running.state is State.DONE
    batcher.close()


async def test_who_went_away_is_dropped_from_the_queue():
    model, seen = Model(), Seen()
    batcher = a_batcher(model.run, ONE_THREAD, seen=seen)
    model.go.clear()
    first = put(batcher, 0)[1]
    await model.has_started()
    gone, never = put(batcher, 1)
    _, stays = put(batcher, 2)
    batcher.cancel(gone)
    assert batcher.queued_rows == 1
    model.go.set()
    await asyncio.gather(first, stays)
    await settle()
    assert seen.runs == [1, 1]
    assert not never.done()
    batcher.close()


async def test_a_defect_of_a_run_is_an_answer_too():
    def run(works: list[Work]) -> None:
        raise RuntimeError("a defect")

    for pace in (INLINE, ONE_THREAD):
        batcher = a_batcher(run, pace)
        work = await asyncio.wait_for(put(batcher, 1)[1], 30)
        assert work.error is not None
        assert work.error.cause is Cause.FAILED
        batcher.close()


@pytest.mark.parametrize(
    ("text", "cpus"), [("150000 100000", 1.5), ("max 100000", None), ("", None)], ids=["quota", "no quota", "empty"]
)
def test_a_container_counts_the_cpus_of_its_quota(tmp_path, text: str, cpus: float | None):
    quota = tmp_path / "cpu.max"
    quota.write_text(text)
    everything = available_cpus(tmp_path / "missing")
    assert available_cpus(quota) == (everything if cpus is None else min(cpus, everything))
