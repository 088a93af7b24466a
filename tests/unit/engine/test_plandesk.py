"""What is granted to plans, one at a time: by what the statuses say, and by nothing that may be untrue."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from sentinel_operator.core.actionplan.surroundings import Surroundings
from sentinel_operator.core.actionplan.view import TargetView
from sentinel_operator.core.levels.measured import Telemetry
from sentinel_operator.core.outside import NOTHING, Outside
from sentinel_operator.core.plan import LevelsWanted, Manifest, Plan, Rehearsal
from sentinel_operator.core.policy.policy import Policy
from sentinel_operator.core.targets import TargetKey
from sentinel_operator.engine.cache import Key, ObjectCache, key_of
from sentinel_operator.engine.errors import Conflict, Retry
from sentinel_operator.engine.plandesk import PlanDesk, state_of
from sentinel_operator.engine.planreader import Found

WEB, API = (TargetKey("Deployment", "shop", name) for name in ("web", "api"))


def a_plan(name: str, *targets: str, state: str = "Scheduled", version: int = 1, plan_id: str = "") -> Manifest:
    decisions = [
        {"id": each, "verb": "restart", "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": each}}
        for each in targets
    ]
    return {
        "apiVersion": "sentinel.dev/v1alpha1",
        "kind": "ActionPlan",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "generation": 1,
            "resourceVersion": str(version),
            "creationTimestamp": f"2026-01-30T12:00:{version:02}Z",
        },
        "spec": {"planId": plan_id or name, "source": "alice", "decisions": decisions},
        "status": {"state": state, "observedGeneration": 1},
    }


class Desk:
    """A desk, the cache that it follows, and everything around it that it asks."""

    def __init__(self, *plans: Manifest) -> None:
        self.reads = self.lists = 0
        self.woken: list[str] = []
        self.became: list[str] = []
        self.measured: list[TargetKey] = []
        self.settled: list[str] = []
        self.lost = False
        self.desk = PlanDesk(
            reader=self,
            policies=self,
            wake=lambda key: self.woken.append(key.name),
            transition=self.became.append,
            levels=self,
        )
        self.cache = ObjectCache(observer=self.desk.seen)
        self.desk.follow(self.cache, self)
        self.version = 100
        for each in plans:
            self.cache.put(each)

    async def read(self, plan: Manifest) -> Found:
        self.reads += 1
        return Found()

    async def fresh(self, *, after: int = 0) -> tuple[Policy, ...]:
        self.lists += 1
        return ()

    async def told(
        self, targets: Mapping[TargetKey, TargetView], wanted: Sequence[LevelsWanted]
    ) -> Mapping[TargetKey, TargetView]:
        self.measured.extend(each.target for each in wanted)
        found = {each.target: TargetView(raw=None, telemetry=Telemetry()) for each in wanted}
        return {**targets, **found}

    async def rehearse(self, rehearsals: Sequence[Rehearsal]) -> dict[str, str]:
        return {each.decision: "" for each in rehearsals}

    async def unmoved(self, raw: Manifest) -> None:
        if self.lost:
            raise Retry("no answer")
        if self.cache.get(key_of(raw)) is not raw:
            raise Conflict("it has changed")

    async def settle(self, raw: Manifest) -> None:
        await self.unmoved(raw)
        self.settled.append(raw["metadata"]["name"])

    def raw(self, name: str) -> Manifest:
        found = self.cache.get(Key("shop", name))
        assert found is not None
        return found

    def becomes(self, name: str, state: str) -> None:
        self.version += 1
        raw = self.raw(name)
        metadata = {**raw["metadata"], "resourceVersion": str(self.version)}
        self.cache.put({**raw, "metadata": metadata, "status": {**raw["status"], "state": state}})

    async def begin(self, name: str, *targets: TargetKey, fails: Exception | None = None) -> list[Surroundings]:
        """One pass that begins its plan as soon as it has its targets."""
        told: list[Surroundings] = []

        def think(outside: Outside) -> tuple[Any, Plan]:
            assert outside.plan is not None
            told.append(outside.plan)
            if not outside.plan.locked:
                return None, Plan(wants_locks=targets)
            return None, Plan(status={"state": "Executing"}, passed=("Executing",))

        async with self.desk.decided(self.raw(name), NOTHING, think) as (_, plan):
            await asyncio.sleep(0)
            if fails is not None:
                raise fails
            if not plan.wants_locks:
                self.becomes(name, "Executing")
        return told


async def test_a_target_is_one_plans_until_that_is_finished_and_then_the_next_is_woken() -> None:
    desk = Desk(a_plan("one", "web", version=1), a_plan("two", "web", version=2))
    assert (await desk.begin("one", WEB))[-1].locked
    told = await desk.begin("two", WEB)
    assert (told[-1].locked, told[-1].holders) == (False, {WEB: "shop/one"})
    assert desk.woken == []
    desk.becomes("one", "Completed")
    assert desk.woken == ["two"]
    assert (await desk.begin("two", WEB))[-1].locked
    assert desk.became == ["Executing", "Executing"]


async def test_a_plan_that_is_removed_leaves_its_targets() -> None:
    desk = Desk(a_plan("one", "web", version=1), a_plan("two", "web", version=2))
    await desk.begin("one", WEB)
    await desk.begin("two", WEB)
    desk.cache.evict(Key("shop", "one"))
    assert desk.woken == ["two"]


async def test_whoever_begins_knows_of_all_that_began_before() -> None:
    desk = Desk(a_plan("one", "web", version=1), a_plan("two", "api", version=2))
    _, told = await asyncio.gather(desk.begin("one", WEB), desk.begin("two", API))
    assert told[-1].neighbours.in_flight == frozenset({WEB}), "though its status is still being written"


async def test_what_was_not_used_is_given_back() -> None:
    desk = Desk(a_plan("one", "web", version=1), a_plan("two", "web", version=2))
    with pytest.raises(Conflict):
        await desk.begin("one", WEB, fails=Conflict("it has changed"))
    assert (await desk.begin("two", WEB))[-1].locked


async def test_what_is_being_written_counts_and_a_write_that_failed_does_not() -> None:
    desk = Desk(a_plan("one", "web", version=1), a_plan("two", "web", version=2), a_plan("three", "api", version=3))

    def begins(outside: Outside) -> tuple[Any, Plan]:
        assert outside.plan is not None
        assert outside.plan.locked
        return None, Plan(status={"state": "Executing"})

    async def fails() -> None:
        async with desk.desk.decided(desk.raw("one"), NOTHING, begins):
            assert not (await desk.begin("two", WEB))[-1].locked
            assert (await desk.begin("three", API))[-1].neighbours.in_flight == frozenset({WEB})
            raise Conflict("it has changed")

    with pytest.raises(Conflict):
        await fails()
    assert desk.woken == ["two"]
    told = await desk.begin("two", WEB)
    assert (told[-1].locked, told[-1].neighbours.in_flight) == (True, frozenset({API}))


async def test_what_may_have_been_written_counts_until_that_is_known() -> None:
    desk = Desk(a_plan("one", "web", version=1), a_plan("two", "api", version=2), a_plan("three", "web", version=3))
    desk.lost = True
    with pytest.raises(Retry):
        await desk.begin("one", WEB, fails=Retry("the answer was lost"))
    with pytest.raises(Retry):
        await desk.begin("one", WEB)
    assert not (await desk.begin("three", WEB))[-1].locked
    told = await desk.begin("two", API)
    assert (told[-1].locked, told[-1].neighbours.in_flight) == (True, frozenset({WEB}))
    desk.lost = False
    with pytest.raises(Conflict):
        await desk.begin("one", WEB)
    await desk.begin("one", WEB)
    assert desk.became == ["Executing", "Executing"], "it was not written, and is now"


async def test_a_last_word_is_not_due_to_what_may_never_be_written() -> None:
    old = a_plan("old", "web", state="Pending", version=1, plan_id="same")
    desk = Desk(a_plan("young", "api", state="Pending", version=2, plan_id="same"))

    def thinks(outside: Outside) -> tuple[Any, Plan]:
        assert outside.plan is not None
        return None, Plan(status={"state": "Rejected" if outside.plan.neighbours.duplicate_of else "Executing"})

    async def judged(name: str) -> str:
        async with desk.desk.decided(desk.raw(name), NOTHING, thinks) as (_, plan):
            assert plan.status is not None
            desk.becomes(name, plan.status["state"])
        return str(state_of(desk.raw(name)))

    async def writes_young_and_hears_nothing() -> None:
        async with desk.desk.decided(desk.raw("young"), NOTHING, thinks):
            desk.cache.put(old)
            with pytest.raises(Conflict, match="just being written"):
                await judged("old")
            raise Retry("the answer was lost")

    with pytest.raises(Retry):
        await writes_young_and_hears_nothing()
    with pytest.raises(Conflict, match="just being written"):
        await judged("old")
    desk.becomes("young", "Executing")
    assert await judged("old") == "Rejected"


async def test_before_a_target_is_granted_again_a_write_that_may_be_under_way_is_kept_from_succeeding() -> None:
    """A read would say that it is not there, and it would come after that."""
    desk = Desk(a_plan("one", "web", version=1), a_plan("two", "web", version=2))
    with pytest.raises(Retry):
        await desk.begin("one", WEB, fails=Retry("the answer was lost"))
    assert not (await desk.begin("two", WEB))[-1].locked
    with pytest.raises(Conflict):
        await desk.begin("one", WEB)
    assert (desk.settled, desk.woken) == (["one"], ["two"])
    assert (await desk.begin("two", WEB))[-1].locked


async def test_another_replica_takes_over_what_the_statuses_say() -> None:
    desk = Desk(a_plan("one", "web", state="Executing", version=1), a_plan("two", "web", version=2))
    assert not (await desk.begin("two", WEB))[-1].locked
    assert (await desk.begin("one", WEB))[0].locked


async def test_a_plan_id_that_came_to_light_later_is_the_same_one_again_however_old_it_is() -> None:
    old = a_plan("old", "web", state="Pending", version=1, plan_id="same")
    desk = Desk(a_plan("young", "web", state="Approved", version=2, plan_id="same"), old)
    told = await desk.begin("old")
    assert told[-1].neighbours.duplicate_of == "shop/young"


async def test_a_finished_plan_costs_nothing() -> None:
    desk = Desk(a_plan("one", "web", state="Completed"))

    def think(_: Outside) -> tuple[Any, Plan]:
        raise AssertionError("not even read")

    async with desk.desk.decided(desk.raw("one"), NOTHING, think) as (_, plan):
        assert plan == Plan()
    assert (desk.reads, desk.lists, state_of(desk.raw("one"))) == (0, 0, "Completed")


async def test_what_a_plan_is_judged_by_is_measured_before_it_is_granted_anything() -> None:
    desk = Desk(a_plan("one", "web"))
    told: list[bool] = []

    def think(outside: Outside) -> tuple[Any, Plan]:
        assert outside.plan is not None
        view = outside.plan.targets.get(WEB)
        if view is None or view.telemetry is None:
            return None, Plan(wants_levels=(LevelsWanted(WEB, frozenset({"p99LatencyMs"})),))
        told.append(outside.plan.locked)
        return None, Plan(status={"state": "Executing"})

    async with desk.desk.decided(desk.raw("one"), NOTHING, think) as (_, plan):
        assert not plan.wants_levels
    assert desk.measured == [WEB]
    assert told == [True], "decided once it is known"
