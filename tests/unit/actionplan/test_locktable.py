"""Targets are taken all or none, the oldest plan first, and a restart takes none away."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from sentinel_operator.core.actionplan.locktable import LockTable
from sentinel_operator.core.actionplan.neighbours import targets_of
from sentinel_operator.core.targets import TargetKey
from tests.unit.actionplan.world import NOW, Raw, World, a_decision, at

WEB, API = (TargetKey("Deployment", "shop", name) for name in ("web", "api"))


def a_plan(name: str, *targets: str, minutes: int = 0, state: str = "Scheduled") -> Raw:
    raw = World().submit(*(a_decision("restart", each) for each in targets), name=name)
    raw["metadata"] |= {"uid": name, "creationTimestamp": at(NOW + timedelta(minutes=minutes))}
    return {**raw, "status": {"state": state}}


def take(table: LockTable, plan: Raw) -> bool:
    return table.take(plan, targets_of(plan))


def test_all_or_none():
    table = LockTable()
    assert take(table, a_plan("one", "web"))
    assert not take(table, a_plan("two", "web", "api", minutes=1))
    assert not table.has("two", [API])
    assert table.holders("two", [WEB, API]) == {WEB: "shop/one"}
    assert table.release("one") == {WEB}
    assert table.waiting_for([WEB]) == ("two",)
    assert take(table, a_plan("two", "web", "api", minutes=1))
    assert table.has("two", [WEB, API])


def test_the_oldest_that_waits_is_not_overtaken():
    table = LockTable()
    take(table, a_plan("holder", "web"))
    assert not take(table, a_plan("old", "web", "api", minutes=1))
    young = a_plan("young", "api", minutes=2)
    assert not take(table, young)
    assert table.holders("young", [API]) == {API: "shop/old"}
    table.step_back("old")
    assert take(table, young), "who waits for something else now keeps nobody waiting"


def test_taking_again_what_one_has_changes_nothing():
    table = LockTable()
    plan = a_plan("one", "web")
    assert take(table, plan)
    assert take(table, plan)
    assert table.holders("one", [WEB]) == {}


def test_a_restart_takes_nothing_from_who_is_in_the_middle_of_a_change():
    plans = [a_plan("one", "web", state="Verifying"), a_plan("two", "api", state="Approved")]
    table = LockTable.restored(plans)
    assert table.has("one", [WEB])
    assert not table.has("two", [API])
    assert table.holders("two", [WEB]) == {WEB: "shop/one"}


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from(["take", "take", "release", "step_back"])), min_size=1, max_size=40
    )
)
def test_no_target_is_ever_anybody_elses_too_and_somebody_can_always_go_on(events: list[tuple[int, str]]):
    wants = [("a", "b"), ("b", "c"), ("c",), ("a", "c"), ("b",)]
    plans = [a_plan(f"p{n}", *targets, minutes=n) for n, targets in enumerate(wants)]
    table, having = LockTable(), set[str]()
    for number, happens in events:
        plan = plans[number]
        uid = plan["metadata"]["uid"]
        if happens == "take" and take(table, plan):
            having.add(uid)
        elif happens == "release":
            table.release(uid)
            having.discard(uid)
        elif happens == "step_back" and uid not in having:
            table.step_back(uid)
        held = [key for each in plans if each["metadata"]["uid"] in having for key in targets_of(each)]
        assert len(held) == len(set(held))
        assert all(
            table.has(each["metadata"]["uid"], targets_of(each)) for each in plans if each["metadata"]["uid"] in having
        )
    for each in plans:
        table.release(each["metadata"]["uid"])
    for each in plans:
        assert take(table, each)
        table.release(each["metadata"]["uid"])
