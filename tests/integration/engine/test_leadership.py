"""Of two replicas one works, the other takes over, and neither ever works in the other's time."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.resources import LEASES
from tests.support.eventually import eventually
from tests.support.faultproxy import FaultProxy, Seen, writes
from tests.support.replica import SHORT_LEASE
from tests.support.toyworld import World

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
LEASE = "sentinel-operator"


def written(proxy: FaultProxy) -> int:
    return sum(map(writes, proxy.log))


async def lease(world: World) -> Manifest:
    spec: Manifest = (await world.api.get(LEASES, world.namespace, LEASE))["spec"]
    return spec


async def test_one_of_two_works_and_the_other_takes_over_when_it_stops(world: World) -> None:
    first, second = await world.proxy(), await world.proxy()
    leader = await world.replica(first)

    async def leads() -> bool:
        return leader.leads

    await eventually(leads)
    standby = await world.replica(second)
    await world.make("bear")
    await world.settled("bear")

    async def watches() -> bool:
        return bool(standby.known("Toy"))

    await eventually(watches)
    assert written(second) == 0, "and does nothing else"

    await world.make("doll")
    assert await leader.stop() == 0
    await world.make("kite")
    for name in ("bear", "doll", "kite"):
        await world.settled(name)
    assert written(first) + written(second) == 3 * 8, "nothing was done twice"
    assert (await lease(world))["leaseTransitions"] == 1


async def test_a_killed_leaders_work_is_taken_over(world: World) -> None:
    first, second = await world.proxy(), await world.proxy()
    leader = await world.replica(first, **SHORT_LEASE)
    await world.make("bear")
    await world.settled("bear")
    standby = await world.replica(second, **SHORT_LEASE)
    await leader.kill()
    await world.make("bear", color="blue")
    await world.settled("bear", color="blue")
    assert standby.leads
    assert written(second) == 4, "the ConfigMap, the Deployment, the former ConfigMap's end, the status"


async def test_a_leader_that_cannot_renew_ends_though_all_else_works(world: World) -> None:
    proxy = await world.proxy()
    replica = await world.replica(proxy, **SHORT_LEASE)

    async def leads() -> bool:
        return replica.leads

    await eventually(leads)
    proxy.block(lambda seen: seen.lease)
    assert await replica.ended() == 1
    before = written(proxy)
    await world.make("bear")
    assert written(proxy) == before == 0


@asynccontextmanager
async def process(world: World, proxy: FaultProxy, identity: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs a replica as a process of its own."""
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.support.toyoperator", "--kubeconfig", str(proxy.kubeconfig()), "--identity", identity),
        *("--namespace", world.namespace, "--webhook", "false", "--http-host", "127.0.0.1", "--http-port", "0"),
        *("--lease-duration", "6s", "--lease-deadline", "4s", "--lease-retry", "300ms", "--log-level", "warning"),
        cwd=ROOT,
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


async def held_by(world: World, identity: str) -> None:
    async def holds() -> bool:
        return bool((await lease(world))["holderIdentity"] == identity)

    await eventually(holds)


async def test_a_leader_paused_past_its_lease_wakes_up_and_writes_nothing(world: World) -> None:
    first, second = await world.proxy(), await world.proxy()
    async with process(world, first, "first") as paused:
        await held_by(world, "first")
        await world.make("bear")
        await world.settled("bear")
        async with process(world, second, "second"):
            paused.send_signal(signal.SIGSTOP)
            await world.make("bear", color="blue")  # its watch brings it this as soon as it wakes up
            await held_by(world, "second")
            await world.settled("bear", color="blue")
            before = len(first.log)
            await world.make("bear", color="green")
            paused.send_signal(signal.SIGCONT)
            async with asyncio.timeout(30):
                assert await paused.wait() == 1
            await world.settled("bear", color="green")
    late = [seen for seen in first.log[before:] if seen.write and not refused_lease(seen)]
    assert late == []


def refused_lease(seen: Seen) -> bool:
    """Matches the renewal by which it finds out: it names a version that is gone."""
    return seen.lease and seen.status in {0, 409}


async def test_a_process_killed_in_the_middle_is_continued_by_the_next(world: World) -> None:
    first, second = await world.proxy(), await world.proxy()
    first.die_at_write(4)
    async with process(world, first, "first") as killed:
        await held_by(world, "first")
        await world.make("bear")

        async def stuck() -> bool:
            return first.dead.is_set()

        await eventually(stuck)
        killed.kill()
        await killed.wait()
        async with process(world, second, "second") as successor:
            await world.settled("bear")
            successor.terminate()
            async with asyncio.timeout(30):
                assert await successor.wait() == 0
    assert not (await lease(world))["holderIdentity"], "it gave the lease up"
