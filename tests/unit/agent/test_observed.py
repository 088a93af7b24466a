"""What workers saw, put together: shares of a GPU, resets, what is forgotten, and what is told of what is old."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from sentinel_agent.gpu.reading import Identity, Library, Part, Reading, Work
from sentinel_agent.gpu.sampler import Round
from sentinel_agent.ledger import Ledger
from sentinel_agent.observed import Observed
from sentinel_agent.pods.allocation import Container
from sentinel_agent.pods.names import Names
from sentinel_agent.pods.ownership import Share, part_shares, shares

ONE, TWO = Container("a", "one", "c"), Container("b", "two", "c")
OWNERS = {101: ONE, 102: TWO}
WORKING = Library(state="Working")


def reading(**fields: Any) -> Reading:
    return Reading(identity=Identity(uuid="GPU-0", index=0, minor=3), **fields)


@pytest.mark.parametrize(
    ("seen", "allocations", "expected"),
    [
        (reading(), {}, ()),
        (reading(), {"GPU-0": (ONE,)}, (Share(container=ONE),)),
        (reading(), {"0": (ONE,)}, (Share(container=ONE),)),
        (reading(), {"nvidia3": (ONE,)}, (Share(container=ONE),)),
        (reading(gauges={"utilization": 40}), {"GPU-0": (ONE,)}, (Share(container=ONE, utilization=40),)),
        (
            reading(work=(Work(pid=101, memory=5, utilization=30.0), Work(pid=101, memory=5, utilization=20.0))),
            {"GPU-0": (ONE,)},
            (Share(container=ONE, utilization=50.0, memory=10),),
        ),
        (
            reading(gauges={"utilization": 40}, work=(Work(pid=101), Work(pid=999))),
            {},
            (Share(container=ONE),),
        ),
        (
            reading(work=(Work(pid=102, utilization=30.0),)),
            {"GPU-0": (ONE,)},
            (Share(container=ONE), Share(container=TWO, utilization=30.0)),
        ),
    ],
    ids=[
        "nobody",
        "given by uuid",
        "given by index",
        "given by device node",
        "alone, so all of it",
        "two processes",
        "somebody unknown works on it too",
        "one was given it, another works",
    ],
)
def test_who_is_on_a_gpu(seen: Reading, allocations: Any, expected: tuple[Share, ...]):
    assert shares(seen, allocations, OWNERS.get) == expected


def test_who_is_on_a_part():
    part, other = (Part(uuid=f"MIG-{number}", gpu_instance=number, compute_instance=0) for number in (1, 2))
    work = (Work(pid=101, memory=7, gpu_instance=1, compute_instance=0),)
    cut = reading(mig=True, parts=(part, other), work=work)
    allocations = {"MIG-2": (TWO,)}
    assert part_shares(cut, part, allocations, OWNERS.get) == (Share(container=ONE, memory=7),)
    assert part_shares(cut, other, allocations, OWNERS.get) == (Share(container=TWO),)
    assert {share.container for share in shares(cut, allocations, OWNERS.get)} == {ONE, TWO}


@pytest.fixture
def observed(tmp_path: Path) -> Observed:
    ledger = Ledger(None, boot_id="", now=time.time)
    return Observed(
        ledger,
        Names(tmp_path),
        proc=tmp_path,
        interval=1.0,
        fatal_hold=3600,
        forget=3600,
        expected=lambda: True,
    )


def take(observed: Observed, *readings: Reading, at: float) -> None:
    observed.take_round(Round(at=at, readings=readings, library=WORKING))


def test_what_is_busy_for_a_while_adds_up_and_a_pause_adds_little(observed: Observed):
    now = time.monotonic()
    for at in (0, 1, 2, 1000):
        take(observed, reading(gauges={"utilization": 50}), at=now - 1000 + at)
    totals = observed.picture(saved=False).totals.counters
    assert totals["busy_seconds", ("GPU-0",)] == pytest.approx(0.5 + 0.5 + 2.5)


def test_readings_that_are_old_are_not_told_as_new(observed: Observed):
    take(observed, reading(gauges={"utilization": 50}), at=time.monotonic() - 60)
    (seen,) = observed.picture(saved=False).gpus
    assert not seen.fresh
    assert seen.verdict.health == "Unknown"


def test_throttling_is_counted_once_each_time_it_begins(observed: Observed):
    now = time.monotonic()
    for at, reasons in ((0, ("HwSlowdown",)), (1, ("HwSlowdown",)), (2, ()), (10, ("HwSlowdown",))):
        take(observed, reading(gauges={"temperature": 1}, throttle=reasons), at=now - 10 + at)
    picture = observed.picture(saved=False)
    assert picture.totals.counters["throttle_events", ("GPU-0", "HwSlowdown")] == 2
    assert picture.gpus[0].verdict.reasons == ("HardwareSlowdown",)


def test_a_gpu_that_comes_back_after_the_driver_was_unloaded_has_been_reset(observed: Observed):
    now = time.monotonic()
    take(observed, reading(), at=now - 2)
    observed.heard_xid("GPU-0", 79)
    assert observed.picture(saved=False).gpus[0].verdict.reasons == ("FatalXid",)
    take(observed, reading(), at=now - 1)
    assert observed.picture(saved=False).gpus[0].verdict.reasons == ("FatalXid",)
    observed.library_failed(Library(state="DriverNotLoaded"))
    take(observed, reading(), at=now)
    assert observed.picture(saved=False).gpus[0].verdict.health == "Healthy"
    assert observed.picture(saved=False).totals.xids["GPU-0"].count == 1


def test_counters_of_pods_go_with_their_pods_and_those_of_the_gpu_stay(observed: Observed):
    now = time.monotonic()
    observed.take_allocations({"GPU-0": (ONE,)})
    for at in (0, 1):
        take(observed, reading(gauges={"utilization": 50}), at=now - 1 + at)
    observed.note("nvmlDeviceGetName", "Unknown")
    observed.tidy()
    assert ("pod_busy_seconds", ("GPU-0", "a", "one", "c")) in observed.picture(saved=False).totals.counters
    observed.take_allocations({})
    observed.tidy()
    left = {name for name, _ in observed.picture(saved=False).totals.counters}
    assert left == {"busy_seconds", "errors"}
