"""What matters is told at once; a thousand nodes stay under forty writes a second, whatever their GPUs do."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest

from sentinel_agent.report.pace import Gist, Pace, gist
from sentinel_operator.api.nodetelemetry import Device, DevicePod, NodeTelemetryStatus


def pace(**settings: float) -> Pace:
    return Pace(**{"heartbeat": 30.0, "least_gap": 3.0, "spread": 0.5, **settings})


def writes(world: Callable[[float], Gist], *, seconds: int, rng: random.Random) -> list[float]:
    """Gives when one agent writes that looks each second."""
    chosen, began, times = pace(spread=rng.random()), rng.random(), []
    for second in range(seconds):
        now = began + second
        current = world(now)
        if chosen.due(now, current):
            chosen.written(now, current, spread=rng.random())
            times.append(now)
    return times


QUIET = Gist("healthy", 0)
WORLDS: dict[str, Callable[[float], Gist]] = {
    "nothing happens": lambda _: QUIET,
    "utilisation changes all the time": lambda now: Gist("healthy", int(now) % 5),
    "utilisation changes by the minute": lambda now: Gist("healthy", int(now / 60)),
    "utilisation changes right after each half minute": lambda now: Gist("healthy", int((now - 1) / 30)),
}


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS.keys())
def test_a_thousand_nodes_stay_under_forty_writes_a_second(world: Callable[[float], Gist]):
    rng, nodes, seconds = random.Random(1), 200, 600
    times = [time for _ in range(nodes) for time in writes(world, seconds=seconds, rng=rng) if time > 60]
    assert len(times) / (seconds - 60) * 1000 / nodes <= 40


def test_a_gpu_that_flickers_uses_up_its_allowance():
    times = writes(lambda now: Gist(int(now) % 2, 0), seconds=600, rng=random.Random(1))
    assert len([time for time in times if time > 120]) <= (600 - 120) / 20 + 5


def test_agents_that_begin_together_fall_out_of_step():
    rng = random.Random(1)
    times = [time for _ in range(200) for time in writes(lambda _: QUIET, seconds=200, rng=rng) if time > 60]
    busiest = max(sum(second <= time < second + 1 for time in times) for second in range(60, 200))
    assert busiest <= 4 * len(times) / 140


def test_it_is_never_silent_for_longer_than_the_heartbeat():
    times = writes(lambda _: QUIET, seconds=600, rng=random.Random(1))
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) <= 30 + 1


def test_what_matters_is_told_at_once_but_not_twice_within_seconds():
    chosen = pace()
    assert chosen.due(0, QUIET)
    chosen.written(0, QUIET, spread=0)
    assert not chosen.due(1, Gist("failed", 0)), "too soon"
    assert chosen.due(3, Gist("failed", 0))
    assert not chosen.due(3, Gist("healthy", 1)), "what drifts waits"


def status(**fields: object) -> NodeTelemetryStatus:
    device = {"uuid": "GPU-0", "index": 0, "health": "Healthy", **fields}
    return NodeTelemetryStatus(devices=[Device.model_validate(device)])


@pytest.mark.parametrize(
    "changed",
    [
        {"health": "Failed"},
        {"reasons": ["GpuLost"]},
        {"throttle_reasons": ["HwSlowdown"]},
        {"last_xid": {"code": 13, "severity": "Application", "at": "2026-01-01T00:00:00Z", "count": 1}},
        {"pods": [DevicePod(namespace="a", name="b")]},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_this_matters(changed: dict[str, object]):
    assert gist(status(**changed)).urgent != gist(status()).urgent


def test_this_only_drifts():
    idle, busy = gist(status(utilization_percent=0)), gist(status(utilization_percent=95))
    assert idle.urgent == busy.urgent
    assert idle.drifting != busy.drifting
    assert gist(status(utilization_percent=95)) == gist(status(utilization_percent=99, temperature_celsius=80))
