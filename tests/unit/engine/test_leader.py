"""Of all replicas at most one may write, whatever happens to time and to requests."""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from sentinel_operator.engine.errors import Conflict, Retry
from sentinel_operator.engine.leader import Elector, LeaseSettings

Manifest = dict[str, Any]


class World:
    """One clock and one lease for everybody."""

    def __init__(self) -> None:
        self.now = 100.0
        self.lease: Manifest | None = None
        self.version = 0
        self.cut_off: set[str] = set()

    def store(self, lease: Manifest) -> Manifest:
        self.version += 1
        self.lease = copy.deepcopy(lease)
        self.lease["metadata"]["resourceVersion"] = str(self.version)
        return copy.deepcopy(self.lease)


class Api:
    """The lease as one replica reaches it, with the API server's rules for versions."""

    def __init__(self, world: World, identity: str) -> None:
        self._world, self._identity = world, identity
        self.writes = 0
        self.lose_next_answer = False

    async def find(self, *_: Any) -> Manifest | None:
        self._check()
        return copy.deepcopy(self._world.lease)

    async def create(self, _: Any, manifest: Manifest, **__: Any) -> Manifest:
        self._check()
        if self._world.lease is not None:
            raise Conflict("it exists")
        return self._stored(manifest)

    async def replace(self, _: Any, manifest: Manifest, **__: Any) -> Manifest:
        self._check()
        assert self._world.lease is not None
        if manifest["metadata"]["resourceVersion"] != self._world.lease["metadata"]["resourceVersion"]:
            raise Conflict("it has changed")
        return self._stored(manifest)

    def _stored(self, manifest: Manifest) -> Manifest:
        self.writes += 1
        stored = self._world.store(manifest)
        if self.lose_next_answer:
            self.lose_next_answer = False
            raise Retry("no answer")
        return stored

    def _check(self) -> None:
        if self._identity in self._world.cut_off:
            raise Retry("no connection")


class Contender:
    """A replica whose time the test moves."""

    def __init__(self, world: World, identity: str) -> None:
        self.api = Api(world, identity)
        self._wake: asyncio.Future[None] | None = None
        settings = LeaseSettings(namespace="ns", name="lease", identity=identity)
        self.elector = Elector(
            self.api,
            settings,
            rng=random.Random(0),
            clock=lambda: world.now,
            wall=lambda: datetime(2026, 1, 1, tzinfo=UTC),
            sleep=self._sleep,
        )
        self.task = asyncio.create_task(self.elector.run())

    async def _sleep(self, _: float) -> None:
        self._wake = asyncio.get_running_loop().create_future()
        await self._wake

    async def turn(self) -> None:
        """Lets it try once."""
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
        for _ in range(5):
            await asyncio.sleep(0)

    @property
    def may_write(self) -> bool:
        return self.elector.remaining() > 0


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def contender(world: World) -> Any:
    made: list[Contender] = []

    def make(identity: str) -> Contender:
        made.append(Contender(world, identity))
        return made[-1]

    yield make
    for each in made:
        each.task.cancel()


Make = Callable[[str], Contender]


async def test_the_first_leads_and_the_second_waits(contender: Make, world: World) -> None:
    one, two = contender("one"), contender("two")
    for _ in range(20):
        await one.turn()
        await two.turn()
        world.now += 2
    assert one.elector.elected.is_set()
    assert not two.elector.elected.is_set()
    assert two.api.writes == 0
    assert world.lease is not None
    assert world.lease["spec"]["holderIdentity"] == "one"
    assert world.lease["spec"]["leaseTransitions"] == 0


async def test_a_dead_leaders_place_is_taken_once_its_lease_has_run_out(contender: Make, world: World) -> None:
    one, two = contender("one"), contender("two")
    await one.turn()
    await two.turn()
    one.task.cancel()
    world.now += 14
    await two.turn()
    assert not two.elector.elected.is_set(), "it may still be alive"
    world.now += 2
    await two.turn()
    assert two.elector.elected.is_set()
    assert world.lease is not None
    assert world.lease["spec"]["leaseTransitions"] == 1


async def test_a_released_lease_is_taken_at_once(contender: Make, world: World) -> None:
    one, two = contender("one"), contender("two")
    await one.turn()
    await two.turn()
    one.task.cancel()
    await one.elector.release()
    await two.turn()
    assert two.elector.elected.is_set()
    assert not one.may_write


@pytest.mark.parametrize("holder", ["one", "two"])
async def test_a_lease_that_has_moved_is_released_by_its_holder_alone(
    contender: Make, world: World, holder: str
) -> None:
    one = contender("one")
    await one.turn()
    one.task.cancel()
    assert world.lease is not None
    world.store({**world.lease, "spec": {**world.lease["spec"], "holderIdentity": holder}})  # a renewal lands late
    await one.elector.release()
    assert world.lease["spec"]["holderIdentity"] == ("" if holder == "one" else "two")


async def test_a_leader_that_cannot_renew_stops_before_anybody_can_take_over(contender: Make, world: World) -> None:
    one, two = contender("one"), contender("two")
    await one.turn()
    await two.turn()
    world.cut_off.add("one")
    for _ in range(40):
        world.now += 0.5
        await one.turn()
        await two.turn()
        assert not (one.may_write and two.may_write)
    assert one.task.done(), "the process is to end"
    assert two.may_write


async def test_a_leader_stopped_for_long_may_write_nothing_when_it_wakes_up(contender: Make, world: World) -> None:
    one, two = contender("one"), contender("two")
    await one.turn()
    await two.turn()
    for _ in range(10):  # one gets no turn: SIGSTOP
        world.now += 2
        await two.turn()
    assert two.may_write
    assert not one.may_write, "by the clock alone, before it has sent anything"
    await one.turn()
    await one.turn()
    assert one.task.done()
    assert world.lease is not None
    assert world.lease["spec"]["holderIdentity"] == "two"


async def test_a_leader_stopped_for_long_goes_on_where_nobody_took_over(contender: Make, world: World) -> None:
    one = contender("one")
    await one.turn()
    world.now += 60
    assert not one.may_write
    await one.turn()
    assert one.may_write, "its version was still the last one"
    assert not one.task.done()


async def test_a_renewal_whose_answer_was_lost_is_not_taken_for_another_leader(contender: Make, world: World) -> None:
    one = contender("one")
    await one.turn()
    world.now += 2
    one.api.lose_next_answer = True
    await one.turn()
    world.now += 2
    await one.turn()
    assert one.may_write
    assert one.elector.elected.is_set()


async def test_two_that_start_together_do_not_both_win(contender: Make, world: World) -> None:
    contenders = [contender(str(number)) for number in range(5)]
    for _ in range(5):
        await asyncio.gather(*(each.turn() for each in contenders))
        world.now += 1
    assert sum(each.may_write for each in contenders) == 1


@pytest.mark.parametrize("times", [(10.0, 10.0, 2.0), (15.0, 2.0, 2.0), (15.0, 10.0, 0.0)])
def test_times_that_cannot_work_are_refused(times: tuple[float, float, float]) -> None:
    duration, deadline, retry = times
    with pytest.raises(ValueError, match="duration > deadline > retry > 0"):
        LeaseSettings(namespace="n", name="l", identity="i", duration=duration, deadline=deadline, retry=retry)
