"""What is told to whom, in which order, how often, and what becomes of it when somebody does not answer."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sentinel_operator.api.actionstatus import FINISHED
from sentinel_operator.api.cloudevents import CloudEvents
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.core.actionplan.history import Told
from sentinel_operator.core.actionplan.surroundings import Surroundings
from sentinel_operator.core.outside import NOTHING, Outside
from sentinel_operator.core.plan import Manifest, ObjectRef, Plan
from sentinel_operator.engine.cache import Key, ObjectCache
from sentinel_operator.engine.cloudevents.published import Published
from sentinel_operator.engine.cloudevents.publisher import Publisher
from sentinel_operator.engine.cloudevents.sink import Sent
from sentinel_operator.engine.cloudevents.trails import GONE_AT_MOST
from sentinel_operator.engine.errors import NotFound, NotLeader, Retry
from sentinel_operator.engine.resources import Resource
from tests.support.eventually import eventually

SOMEWHERE = CloudEvents(endpoint="https://events.example.org/")
WAY = ("Pending", "Validating", "Approved", "Scheduled", "Executing", "Completed")


class Scene:
    """A publisher, the plans that it follows, the sink that it tells, and the API server that it writes to."""

    def __init__(self, *, spec: CloudEvents | None = SOMEWHERE) -> None:
        self.spec = SentinelConfigSpec(cloud_events=spec, cluster_id="edge")
        self.counts: Counter[str] = Counter()
        self.pending: Callable[[], int] = lambda: 0
        self.answer: Callable[[Mapping[str, Any]], Sent] = lambda _: Sent(outcome="Delivered")
        self.sent: list[str] = []
        self.at_once = self.most_at_once = 0
        self.patches: list[tuple[str, Any]] = []
        self.fails: list[Exception] = []
        self.version = 0
        self.publisher = Publisher(
            self,
            self,
            plans=lambda: [raw for key in self.cache if (raw := self.cache.get(key)) is not None],
            config=lambda: self.spec,
            metrics=self,
            timers=asyncio.get_running_loop(),
            rng=random.Random(1),
            pauses=(0.001, 0.01),
        )
        self.cache = ObjectCache(observer=self.publisher.seen)
        self.elected = asyncio.Event()
        self.publisher.reconfigured()

    @asynccontextmanager
    async def leading(self) -> AsyncIterator[None]:
        self.elected.set()
        work = asyncio.create_task(self.publisher.run(self.elected))
        try:
            yield
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def send(self, spec: CloudEvents, event: Mapping[str, Any]) -> Sent:
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        self.sent.append(event["id"])
        return self.answer(event)

    async def close(self) -> None:
        self.counts["closed"] += 1

    async def patch(
        self, resource: Resource, ref: ObjectRef, body: Manifest, *, subresource: str, field_manager: str
    ) -> Manifest:
        if self.fails:
            raise self.fails.pop(0)
        assert (resource.kind, subresource, body["metadata"]) == ("ActionPlan", "status", {"uid": ref.uid})
        self.patches.append((ref.name, body["status"]))
        raw = self.cache.get(Key(ref.namespace, ref.name))
        if raw is not None:
            self.put(ref.name, *[each["state"] for each in raw["status"]["history"]], **body["status"])
        return {}

    def event_published(self, result: str, count: int = 1) -> None:
        self.counts[result] += count

    def events_pending(self, count: Callable[[], int]) -> None:
        self.pending = count

    def put(self, name: str, *states: str, first: int = 1, uid: str = "", **status: Any) -> None:
        self.version += 1
        history = [
            {"number": number, "state": state, "at": "2026-01-30T12:00:00Z"}
            for number, state in enumerate(states, first)
        ]
        metadata = {
            "name": name,
            "namespace": "shop",
            "uid": uid or f"uid-{name}",
            "resourceVersion": str(self.version),
        }
        state = states[-1] if states else None
        self.cache.put({"metadata": metadata, "spec": {}, "status": {"state": state, "history": history, **status}})

    async def until(self, holds: Callable[[], bool]) -> None:
        async def look() -> bool:
            return holds()

        await eventually(look, within=5)


def ids(name: str, count: int, first: int = 1) -> list[str]:
    return [f"uid-{name}-{number}" for number in range(first, count + 1)]


async def test_each_plan_is_told_of_in_order_many_at_once_and_marked_by_one_write() -> None:
    scene = Scene()
    names = [f"plan-{number}" for number in range(40)]
    for each in names:
        scene.put(each, *WAY)
    async with scene.leading():
        await scene.until(lambda: len(scene.patches) == 40)
        assert scene.pending() == 0
    for each in names:
        assert [sent for sent in scene.sent if sent.rpartition("-")[0] == f"uid-{each}"] == ids(each, 6)
    assert sorted(scene.patches) == sorted((each, {"published": 6}) for each in names)
    assert 1 < scene.most_at_once <= 8
    assert scene.publisher.told("uid-plan-1") is None, "nothing is kept of it"
    assert scene.counts["closed"] == 1


async def test_while_a_plan_is_under_way_nothing_is_written_and_its_passes_know_how_far_the_sink_is() -> None:
    scene = Scene()
    scene.put("plan", *WAY[:3])
    async with scene.leading():
        await scene.until(lambda: scene.sent == ids("plan", 3))
        await scene.until(lambda: scene.publisher.told("uid-plan") == Told(3))
        assert scene.patches == []
        scene.put("plan", *WAY[:5], published=3)
        await scene.until(lambda: scene.sent == ids("plan", 5))
        scene.put("plan", *WAY, published=3)
        await scene.until(lambda: scene.patches == [("plan", {"published": 6})])
    assert scene.sent == ids("plan", 6)


async def test_another_leader_goes_on_where_the_status_says_the_last_one_was() -> None:
    scene = Scene()
    scene.put("plan", *WAY, published=4, publishRefused=1)
    async with scene.leading():
        await scene.until(lambda: scene.patches == [("plan", {"published": 6, "publishRefused": 1})])
    assert scene.sent == ids("plan", 6, first=5)


async def test_whoever_does_not_lead_tells_nothing() -> None:
    scene = Scene()
    scene.put("plan", *WAY)
    async with scene.leading():
        scene.elected.clear()
        await asyncio.sleep(0)
        before = list(scene.sent)
        assert scene.pending() == 0
        scene.elected.set()
        await scene.until(lambda: len(scene.patches) == 1)
    assert len(before) <= 1


async def test_a_sink_that_fails_now_and_then_gets_everything_in_order_and_once() -> None:
    scene, rng = Scene(), random.Random(7)
    scene.answer = lambda _: Sent(outcome=rng.choice(("Delivered", "Failed")))
    for number in range(10):
        scene.put(f"plan-{number}", *WAY)
    async with scene.leading():
        await scene.until(lambda: len(scene.patches) == 10)
    for number in range(10):
        sent = [each for each in scene.sent if each.startswith(f"uid-plan-{number}-")]
        assert list(dict.fromkeys(sent)) == ids(f"plan-{number}", 6)
        assert sent == sorted(sent), "nothing overtakes what failed"
    assert scene.counts["delivered"] == 60
    assert scene.counts["failed"] == len(scene.sent) - 60


async def test_one_plan_that_the_sink_always_fails_on_keeps_no_other_back() -> None:
    scene = Scene()
    scene.answer = lambda event: Sent(outcome="Failed" if event["id"] == "uid-bad-2" else "Delivered")
    scene.put("bad", *WAY)
    for number in range(10):
        scene.put(f"plan-{number}", *WAY)
    async with scene.leading():
        await scene.until(lambda: len(scene.patches) == 10)
        assert scene.pending() == 5
    assert "uid-bad-3" not in scene.sent


async def test_what_is_refused_is_counted_and_passed_over() -> None:
    scene = Scene()
    scene.answer = lambda event: Sent(outcome="Refused" if event["id"].endswith(("-2", "-6")) else "Delivered")
    scene.put("plan", *WAY)
    async with scene.leading():
        await scene.until(lambda: scene.patches == [("plan", {"published": 6, "publishRefused": 2})])
    assert scene.sent == ids("plan", 6)
    assert (scene.counts["refused"], scene.counts["delivered"]) == (2, 4)


async def test_a_gap_in_the_history_is_counted_as_lost() -> None:
    scene = Scene()
    scene.put("plan", *WAY, first=11, published=4)
    async with scene.leading():
        await scene.until(lambda: scene.patches == [("plan", {"published": 16})])
    assert (scene.counts["lost"], scene.counts["delivered"]) == (6, 6)


@pytest.mark.parametrize("error", [Retry("no answer"), NotLeader("not now")])
async def test_a_mark_that_could_not_be_written_is_written_later_and_nothing_is_told_again(error: Exception) -> None:
    scene = Scene()
    scene.fails = [error, error]
    scene.put("plan", *WAY)
    async with scene.leading():
        await scene.until(lambda: len(scene.patches) == 1)
    assert scene.sent == ids("plan", 6)


async def test_a_plan_that_is_gone_when_it_is_marked_is_left() -> None:
    scene = Scene()
    scene.fails = [NotFound("gone")]
    scene.put("plan", *WAY)
    async with scene.leading():
        await scene.until(lambda: len(scene.sent) == 6 and not scene.fails)
    assert scene.patches == []


async def test_a_plan_that_is_deleted_is_told_of_to_its_end_and_its_namesake_too() -> None:
    scene = Scene()
    scene.put("plan", *WAY[:3])
    scene.cache.evict(Key("shop", "plan"))
    scene.put("plan", *WAY, uid="uid-second")
    async with scene.leading():
        await scene.until(lambda: scene.patches == [("plan", {"published": 6})])
        await scene.until(lambda: len(scene.sent) == 9 and scene.publisher.told("uid-plan") is None)
    assert [each for each in scene.sent if each.startswith("uid-plan")] == ids("plan", 3)


async def test_of_deleted_plans_no_more_than_so_many_are_kept() -> None:
    scene = Scene()
    for number in range(GONE_AT_MOST + 5):
        scene.put(f"plan-{number}", *WAY[:2])
        scene.cache.evict(Key("shop", f"plan-{number}"))
    assert scene.counts["lost"] == 10
    async with scene.leading():
        await scene.until(lambda: len(scene.sent) == 2 * GONE_AT_MOST)


async def test_a_sink_that_is_named_later_is_told_what_is_there_and_one_that_is_taken_away_nothing_more() -> None:
    scene = Scene(spec=None)
    scene.put("plan", *WAY)
    async with scene.leading():
        await asyncio.sleep(0)
        assert (scene.sent, scene.publisher.told("uid-plan")) == ([], None)
        scene.spec = scene.spec.model_copy(update={"cloud_events": SOMEWHERE})
        scene.publisher.reconfigured()
        await scene.until(lambda: len(scene.patches) == 1)
        scene.spec = scene.spec.model_copy(update={"cloud_events": None})
        scene.publisher.reconfigured()
        scene.put("other", *WAY)
        assert scene.publisher.told("uid-other") is None
    assert scene.sent == ids("plan", 6)


async def test_a_fault_of_ours_in_one_plan_silences_no_other() -> None:
    scene = Scene()

    def answer(event: Mapping[str, Any]) -> Sent:
        if event["subject"] == "shop/bad":
            raise RuntimeError("ours")
        return Sent(outcome="Delivered")

    scene.answer = answer
    scene.put("bad", *WAY)
    scene.put("good", *WAY)
    async with scene.leading():
        await scene.until(lambda: scene.patches == [("good", {"published": 6})])


@pytest.mark.parametrize("around", [None, Surroundings(locked=True)])
async def test_a_pass_is_told_how_far_the_sink_is_beside_what_the_desk_tells(around: Surroundings | None) -> None:
    given: list[Outside] = []

    class Desk:
        @asynccontextmanager
        async def decided(self, raw: Manifest, outside: Outside, think: Any) -> AsyncIterator[Any]:
            yield think(Outside(plan=around))

    def think(outside: Outside) -> tuple[Any, Plan]:
        given.append(outside)
        return None, Plan()

    raw = {"metadata": {"uid": "u"}}
    for told in (None, Told(3)):
        async with Published(Desk(), {"u": told}.get).decided(raw, NOTHING, think):
            pass
    assert given[0].plan is around
    assert given[1].plan is not None
    assert (given[1].plan.told, given[1].plan.locked) == (Told(3), around is not None)
    assert set(FINISHED) & set(WAY) == {"Completed"}
