"""Finished plans go in time, and only those that were meant."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from sentinel_operator.api.cloudevents import CloudEvents
from sentinel_operator.api.sentinelconfig import PlanRetention, SentinelConfigSpec
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.engine.errors import Retry
from sentinel_operator.engine.kube import Propagation
from sentinel_operator.engine.planpruning import PlanPruning
from sentinel_operator.engine.resources import Resource

NOW = datetime(2026, 1, 30, 12, 0, tzinfo=UTC)


def a_plan(number: int, *, hours: int, state: str = "Completed") -> Manifest:
    finished = f"{NOW - timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"
    return {
        "apiVersion": "sentinel.dev/v1alpha1",
        "kind": "ActionPlan",
        "metadata": {"name": f"plan-{number}", "namespace": "shop", "uid": f"uid-{number}"},
        "status": {"state": state, "finishedAt": finished},
    }


class Server:
    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.deleted: list[tuple[str, str]] = []

    async def delete(self, resource: Resource, ref: ObjectRef, *, propagation: Propagation = "Background") -> None:
        if self.fails:
            raise Retry("no answer")
        self.deleted.append((ref.name, ref.uid))


def pruning(server: Server, *plans: Manifest, most: int = 1000, sink: CloudEvents | None = None) -> PlanPruning:
    spec = SentinelConfigSpec(plan_retention=PlanRetention(max_finished=most), cloud_events=sink)
    return PlanPruning(server, plans=lambda: plans, config=lambda: spec, now=lambda: NOW, rng=random.Random(1))


async def test_what_is_a_week_old_goes_and_nothing_that_is_under_way() -> None:
    server = Server()
    plans = (a_plan(1, hours=200), a_plan(2, hours=100), a_plan(3, hours=200, state="Executing"))
    assert await pruning(server, *plans).once() == 1
    assert server.deleted == [("plan-1", "uid-1")]


async def test_of_too_many_the_oldest_go_in_portions() -> None:
    server = Server()
    plans = [a_plan(number, hours=2 + number % 90) for number in range(700)]
    assert await pruning(server, *plans, most=10).once() == 500


async def test_an_api_server_that_does_not_answer_ends_the_round_and_nothing_else() -> None:
    assert await pruning(Server(fails=True), a_plan(1, hours=200), a_plan(2, hours=201)).once() == 0


async def test_what_a_sink_was_not_told_yet_stays_while_there_is_a_sink() -> None:
    plans = [a_plan(number, hours=200) for number in range(3)]
    for plan in plans:
        plan["status"]["history"] = [{"number": 2, "state": "Completed", "at": plan["status"]["finishedAt"]}]
    plans[1]["status"]["published"], plans[2]["status"]["published"] = 1, 2
    server = Server()
    assert await pruning(server, *plans, most=0, sink=CloudEvents(endpoint="https://events.example.org/")).once() == 1
    assert server.deleted == [("plan-2", "uid-2")]
    assert await pruning(server, *plans, most=0).once() == 3
