"""What other plans mean for one, which finished ones go, and in which order decisions are made."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_operator.api.actionplan import Decision
from sentinel_operator.api.sentinelconfig import PlanRetention
from sentinel_operator.core.actionplan.index import PlanIndex
from sentinel_operator.core.actionplan.neighbours import neighbours
from sentinel_operator.core.actionplan.order import dependents, ordered
from sentinel_operator.core.actionplan.retention import pruned
from sentinel_operator.core.policy.facts import Begun
from sentinel_operator.core.targets import TargetKey
from tests.unit.actionplan.world import NOW, Raw, World, a_decision, at

WEB = TargetKey("Deployment", "shop", "web")


def a_plan(world: World, name: str, *decisions: Raw, minutes: int = 0, **status: object) -> Raw:
    raw = world.submit(*(decisions or [a_decision("restart")]), name=name)
    raw["metadata"]["creationTimestamp"] = at(NOW + timedelta(minutes=minutes))
    return world.put({**raw, **({"status": status} if status else {})})


def test_what_is_under_way_elsewhere_is_known_with_its_nodes():
    world = World()
    mine = a_plan(world, "mine")
    moving = a_decision("reschedule", "api", params={"node": "n1"})
    other = a_plan(world, "other", moving, a_decision("restart"), state="Executing")
    a_plan(world, "done", a_decision("restart", "db"), state="Completed")
    found = neighbours(mine, [mine, other, *world.plans()])
    assert found.in_flight == {TargetKey("Deployment", "shop", "api"), TargetKey("Node", "", "n1")}


def test_what_was_begun_counts_whoever_began_it():
    world = World()
    begun = {"id": "restart-web", "state": "Done", "startedAt": at(NOW), "intents": [{}]}
    mine = a_plan(world, "mine", state="Executing", decisions=[begun])
    a_plan(world, "other", state="Failed", decisions=[begun], finishedAt=at(NOW + timedelta(minutes=1)))
    a_plan(world, "never", state="Expired", decisions=[{"id": "restart-web", "startedAt": at(NOW)}])
    found = neighbours(mine, world.plans())
    assert found.ledger.begun(WEB, NOW)["Workload"] == Begun(2, 2)
    assert found.last_failure == NOW + timedelta(minutes=1)


def test_a_plan_under_way_has_begun_what_it_is_about_to_do():
    world = World()
    mine = a_plan(world, "mine")
    waiting = [{"id": "restart-web", "state": "Pending"}]
    a_plan(world, "other", state="Executing", startedAt=at(NOW), decisions=waiting)
    assert neighbours(mine, world.plans()).ledger.begun(WEB, NOW)["Global"] == Begun(1, 1)
    a_plan(world, "other", state="Failed", startedAt=at(NOW), decisions=[{"id": "restart-web", "state": "Skipped"}])
    assert neighbours(mine, world.plans()).ledger.begun(WEB, NOW)["Global"] == Begun(0, 0)


@pytest.mark.parametrize(
    ("verbs", "state", "superseded"),
    [
        (["restart"], "Approved", True),
        (["restart", "pause"], "AwaitingApproval", True),
        (["pause"], "Approved", False),
        (["restart"], "Rejected", False),
        (["restart"], "Pending", False),
    ],
)
def test_a_later_plan_supersedes_what_it_says_anew(verbs: list[str], state: str, superseded: bool):
    world = World()
    mine = a_plan(world, "mine")
    a_plan(world, "later", *(a_decision(each) for each in verbs), minutes=1, state=state)
    assert neighbours(mine, world.plans()).superseded_by == ("shop/later" if superseded else "")


def test_plans_that_do_not_validate_disturb_nobody():
    world = World()
    mine = a_plan(world, "mine")
    broken: list[object] = [None, 5, [], {"decisions": 7}, {"decisions": [7, {"id": 7}, {"target": 7}]}]
    for state in ("", "Executing", "Approved"):
        others = [
            {
                "metadata": {"name": "x", "uid": f"x{n}", "creationTimestamp": at(NOW + timedelta(minutes=1))},
                "spec": spec,
                "status": {**(spec if isinstance(spec, dict) else {}), "state": state},
            }
            for n, spec in enumerate(broken)
        ]
        found = neighbours(mine, others)
        assert found.ledger.begun(WEB, NOW)["Global"] == Begun()
        assert (found.superseded_by, found.in_flight) == ("", frozenset())


STATES = st.sampled_from(["", "Approved", "Executing", "Completed", "Failed", "RolledBack", "Rejected", "Expired"])
HAPPENED = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["one", "two"]), STATES, st.integers(0, 90), st.booleans()),
    max_size=25,
)


@given(HAPPENED)
def test_an_index_says_what_reading_all_plans_would_say(happened: list[tuple[int, str, str, int, bool]]):
    world, index, plans = World(), PlanIndex(), dict[str, Raw]()
    for number, plan_id, state, minutes, goes in happened:
        name = f"p{number}"
        begun = {
            "id": "restart-web",
            "state": "Done",
            "startedAt": at(NOW + timedelta(minutes=minutes)),
            "intents": [{}],
        }
        raw = a_plan(world, name, minutes=number, state=state, decisions=[begun], finishedAt=at(NOW))
        raw["spec"]["planId"] = plan_id
        if goes and name in plans:
            index.remove(plans.pop(name)["metadata"]["uid"])
        else:
            plans[name] = raw
            index.put(raw)
    for raw in plans.values():
        read, known = neighbours(raw, plans.values()), index.neighbours(raw)
        assert (known.duplicate_of, known.superseded_by) == (read.duplicate_of, read.superseded_by)
        assert (known.in_flight, known.last_failure) == (read.in_flight, read.last_failure)
        later = NOW + timedelta(hours=1, minutes=10)
        assert known.ledger.begun(WEB, later) == read.ledger.begun(WEB, later)


# ---------------------------------------------------------------------------------------------- retention


def finished(world: World, count: int) -> list[Raw]:
    return [a_plan(world, f"p{n}", state="Completed", finishedAt=at(NOW + timedelta(minutes=n))) for n in range(count)]


def names(deletes: object) -> list[str]:
    return [each.ref.name for each in deletes]  # type: ignore[attr-defined]


def test_the_oldest_of_too_many_go_but_none_before_its_hour_is_over():
    world = World()
    plans = [*finished(world, 5), a_plan(world, "open", state="Executing")]
    few = PlanRetention(max_finished=2)
    assert names(pruned(plans, few, NOW + timedelta(minutes=30))) == []
    assert names(pruned(plans, few, NOW + timedelta(minutes=61))) == ["p0", "p1"]
    assert names(pruned(plans, few, NOW + timedelta(hours=3))) == ["p0", "p1", "p2"]


def test_what_is_too_old_goes_however_few_there_are():
    world = World()
    plans = finished(world, 3)
    week = PlanRetention(max_finished=100, max_age="168h")
    assert names(pruned(plans, week, NOW + timedelta(hours=168, minutes=1))) == ["p0"]
    (gone,) = pruned(plans, week, NOW + timedelta(hours=168, minutes=1))
    assert gone.ref.uid == plans[0]["metadata"]["uid"]


# ---------------------------------------------------------------------------------------------- order


def decisions(edges: dict[str, list[str]]) -> list[Decision]:
    return [
        Decision.model_validate(a_decision("restart", id_=name, **({"dependsOn": needs} if needs else {})))
        for name, needs in edges.items()
    ]


@given(st.lists(st.sets(st.integers(0, 5)), min_size=1, max_size=6))
def test_everything_comes_after_what_it_depends_on_and_otherwise_as_written(needs: list[set[int]]):
    edges = {f"d{n}": [f"d{m}" for m in sorted(wanted) if m < n] for n, wanted in enumerate(needs)}
    assert [each.id for each in ordered(decisions(edges))] == list(edges)
    line = [each.id for each in ordered(list(reversed(decisions(edges))))]
    for name, wanted in edges.items():
        assert all(line.index(each) < line.index(name) for each in wanted)


def test_a_cycle_is_named():
    with pytest.raises(ValueError, match="b → c → b"):
        ordered(decisions({"a": [], "b": ["c"], "c": ["b"]}))


def test_all_that_waits_for_a_decision():
    assert dependents(decisions({"a": [], "b": ["a"], "c": ["b"], "d": []}), "a") == {"b", "c"}
