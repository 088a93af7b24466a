"""Patience: full jitter under a cap, and a deadline that counts from the last progress."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_operator.api.serving import ExitCode, Retry
from sentinel_workloads.objectstore.failures import Failure, TransientError
from sentinel_workloads.objectstore.retry import Patience, persistently

FAULT = TransientError("connection refused", field="spec.x")


@dataclass
class Time:
    """A clock that goes on only when something sleeps."""

    now: float = 100.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def patience(time: Time, share: float = 1.0, **bounds: float) -> Patience:
    return Patience(Retry(**bounds), clock=time, sleep=time.sleep, draw=lambda low, high: low + (high - low) * share)


async def test_waits_double_up_to_the_cap() -> None:
    time = Time()
    waiting = patience(time, deadline_seconds=100, initial_seconds=0.5, max_seconds=10)
    for _ in range(8):
        await waiting.wait(FAULT)
    assert time.slept == [0.5, 1, 2, 4, 8, 10, 10, 10]


@given(share=st.floats(0.2, 1), deadline=st.floats(0, 100), initial=st.floats(0.1, 5), cap=st.floats(1, 30))
async def test_it_ends_exactly_at_the_deadline(share: float, deadline: float, initial: float, cap: float) -> None:
    time = Time()
    waiting = patience(time, share, deadline_seconds=deadline, initial_seconds=initial, max_seconds=cap)

    async def attempt() -> None:
        raise FAULT

    with pytest.raises(Failure) as raised:
        await persistently(attempt, waiting)
    assert raised.value.code is ExitCode.StorageUnreachable
    assert raised.value.field == "spec.x"
    assert "connection refused" in raised.value.message
    assert sum(time.slept) == pytest.approx(deadline)
    assert all(0 <= wait <= cap for wait in time.slept)


async def test_progress_starts_the_deadline_and_the_waits_again() -> None:
    time = Time()
    waiting = patience(time, deadline_seconds=3, initial_seconds=1, max_seconds=10)
    for _ in range(20):
        await waiting.wait(FAULT)
        waiting.progress()
    assert time.slept == [1] * 20


async def test_an_attempt_is_repeated_only_for_faults_that_may_pass() -> None:
    time, answers = Time(), [FAULT, FAULT, Failure(ExitCode.NotFound, "spec.y", "gone")]

    async def attempt() -> None:
        raise answers.pop(0)

    with pytest.raises(Failure) as raised:
        await persistently(attempt, patience(time))
    assert raised.value.code is ExitCode.NotFound
    assert len(time.slept) == 2
