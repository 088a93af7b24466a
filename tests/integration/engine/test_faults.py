"""Whatever the way to the API server does, everything converges: nothing is lost, and nothing is made twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from tests.support.eventually import eventually
from tests.support.faultproxy import Fault, FaultProxy, Seen, everything, watches, writes
from tests.support.replica import SHORT_LEASE
from tests.support.toyworld import World

pytestmark = pytest.mark.integration

NAMES = ("bear", "doll", "kite")


def reads(seen: Seen) -> bool:
    return seen.method == "GET" and not seen.watch


def work(seen: Seen) -> bool:
    """Matches all but the lease, which a leader would lose; test_leadership.py is about that."""
    return not seen.lease


def listed(seen: Seen) -> bool:
    return reads(seen) and seen.path.rsplit("/", 1)[-1] in {"deployments", "configmaps", "services"}


FAULTS = {
    "every answer comes late": [Fault(work, times=10_000, delay=0.15)],
    "writes meet conflicts": [Fault(writes, times=9, status=409)],
    "the server throttles": [Fault(writes, times=6, status=429, headers={"Retry-After": "1"})],
    "the server is broken for a while": [Fault(writes, times=12, status=500)],
    "reads fail too": [Fault(reads, times=8, status=503), Fault(writes, times=4, status=503)],
    "connections are cut before a write arrives": [Fault(writes, times=8, cut=True)],
    "answers to writes are lost": [Fault(writes, times=8, after_forwarding=True)],
    "watches are refused as too old": [Fault(watches, times=12, status=410)],
    "watches are cut as they begin": [Fault(watches, times=12, cut=True)],
    "the first lists fail": [Fault(listed, times=4, cut=True), Fault(listed, times=4, status=500)],
}


def created(*proxies: FaultProxy) -> Counter[str]:
    """Counts by path what the API server says was made."""
    return Counter(seen.path for proxy in proxies for seen in proxy.log if writes(seen) and seen.status == 201)


async def converged(world: World, *proxies: FaultProxy, color: str = "red") -> None:
    """Waits until all Toys are made, and makes sure that each child was made once."""
    for name in NAMES:
        children = await world.settled(name, color=color, within=60)
        uids = {each["metadata"]["ownerReferences"][0]["uid"] for each in children.values()}
        assert uids == {(await world.toy(name))["metadata"]["uid"]}
    assert set(created(*proxies).values()) == {1}


@pytest.mark.parametrize("fault", FAULTS)
async def test_toys_are_made_through_faults(world: World, fault: str) -> None:
    proxy = await world.proxy()
    faults = [replace(each) for each in FAULTS[fault]]
    proxy.inject(*faults)
    await world.replica(proxy)
    for name in NAMES:
        await world.make(name)
    await converged(world, proxy)
    assert all(each.hit for each in faults), "the fault did happen"


async def test_what_happens_while_all_watches_are_down_is_found_out(world: World) -> None:
    proxy = await world.proxy()
    await world.replica(proxy)
    for name in NAMES:
        await world.make(name)
    await converged(world, proxy)
    proxy.block(watches)
    for name in NAMES:
        await world.make(name, color="blue")
        for (kind, _), child in (await world.children(name)).items():
            if kind in {"Service", "Deployment"}:
                await world.delete(child)
    proxy.inject(Fault(watches, times=10, status=410))
    proxy.unblock()
    for name in NAMES:
        await world.settled(name, color="blue", within=60)


async def test_watches_cut_again_and_again_lose_nothing(world: World) -> None:
    proxy = await world.proxy()
    replica = await world.replica(proxy)
    await world.make("bear")
    await world.settled("bear")
    for number, name in enumerate(NAMES * 4):
        await world.make(name, color=f"c{number}")
        proxy.drop_watches()
    for name, color in zip(NAMES, ("c9", "c10", "c11"), strict=True):
        await world.settled(name, color=color, within=60)
    assert replica.metric("watch_restarts_total", kind="Deployment", reason="broken") > 0


async def test_an_api_server_that_was_away_is_taken_up_again(world: World) -> None:
    proxy = await world.proxy()
    replica = await world.replica(proxy, **SHORT_LEASE)
    await world.make("bear")
    await world.settled("bear")
    proxy.inject(Fault(everything, times=100_000, cut=True))
    proxy.drop_watches()

    async def stopped() -> bool:
        return not replica.leads

    await eventually(stopped)
    assert await replica.ended() == 1, "the lease could not be renewed: the process is to be started afresh"
    proxy.heal()
    await world.make("bear", color="blue")
    await world.replica(proxy)
    await world.settled("bear", color="blue")


@pytest.mark.parametrize("answered", [True, False], ids=["the answer arrived", "the answer was lost"])
@pytest.mark.parametrize("number", range(1, 9))
async def test_an_operator_killed_at_any_write_is_continued_by_the_next(
    world: World, number: int, answered: bool
) -> None:
    first, second = await world.proxy(), await world.proxy()
    first.die_at_write(number, answered=answered)
    killed = await world.replica(first)
    await world.make("bear")

    async def dead() -> bool:
        return first.dead.is_set()

    await eventually(dead)
    await killed.kill()
    await world.replica(second, lease=f"after-{number}")
    await world.settled("bear")
    assert set(created(first, second).values()) == {1}
    assert sum(map(writes, first.log)) == number
