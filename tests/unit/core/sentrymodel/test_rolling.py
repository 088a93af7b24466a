"""The arithmetic of a rolling update: nothing is lost, nothing overflows, and it ends."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel_operator.core.sentrymodel.rolling import Bounds, Group, bounds, roll, roll_autoscaled

COUNT = st.integers(min_value=0, max_value=9)
thoroughly = settings(max_examples=300, deadline=None)


def group(revision: str, replicas: int, ready: int | None = None) -> Group:
    return Group(revision=revision, replicas=replicas, ready=replicas if ready is None else ready)


@st.composite
def situations(draw):
    """Any number of pods of any revision in any state: what a crash, a person or a namesake may have left."""
    one = st.builds(Group, revision=st.just(""), replicas=COUNT, ready=COUNT)
    groups = [draw(one) for _ in range(draw(st.integers(min_value=1, max_value=5)))]
    named = [Group(revision=str(i), replicas=each.replicas, ready=each.ready) for i, each in enumerate(groups)]
    new, *old = named
    stable = old.pop() if old and draw(st.booleans()) else None
    wanted = draw(COUNT)
    surge, unavailable = draw(st.integers(0, 4)), draw(st.integers(0, 4))
    return {
        "wanted": wanted,
        "new": new,
        "stable": stable,
        "others": old,
        "limits": bounds(surge, unavailable, wanted=wanted),
    }


def all_of(situation) -> list[Group]:
    stable = situation["stable"]
    return [situation["new"], *([stable] if stable else []), *situation["others"]]


@thoroughly
@given(situations())
def test_ready_pods_never_fall_below_what_is_wanted_less_what_may_be_missing(situation):
    targets = roll(**situation)
    before = sum(each.sure for each in all_of(situation))
    after = sum(min(each.ready, targets[each.revision]) for each in all_of(situation))
    needed = situation["wanted"] - situation["limits"].unavailable
    assert after >= min(before, needed)


@thoroughly
@given(situations())
def test_pods_never_rise_above_what_is_wanted_and_the_surge(situation):
    """Whatever part of the plan is carried out: increases may happen without the decreases."""
    targets = roll(**situation)
    before = sum(each.replicas for each in all_of(situation))
    limit = situation["wanted"] + situation["limits"].surge
    increased = sum(max(each.replicas, targets[each.revision]) for each in all_of(situation))
    raised = situation["stable"] is not None and targets[situation["stable"].revision] > situation["stable"].replicas
    if not raised:
        assert increased <= max(before, limit)
    assert sum(targets.values()) <= max(before, limit)


@thoroughly
@given(situations())
def test_no_revision_gets_more_than_is_wanted(situation):
    targets = roll(**situation)
    assert targets[situation["new"].revision] <= situation["wanted"]
    if situation["stable"]:
        assert targets[situation["stable"].revision] <= situation["wanted"]


@thoroughly
@given(situations())
def test_only_the_new_and_the_stable_revision_ever_grow(situation):
    targets = roll(**situation)
    assert all(targets[other.revision] <= other.sure for other in situation["others"])


def settled(situation, *, works: bool) -> dict[str, int]:
    """Carries plans out with pods that get ready, or whose new ones never do, until nothing changes."""
    new_name = situation["new"].revision
    for _ in range(200):
        targets = roll(**situation)

        def after(each: Group, targets=targets) -> Group:
            replicas = targets[each.revision]
            ready = replicas if works or each.revision != new_name else 0
            return Group(revision=each.revision, replicas=replicas, ready=ready)

        stable = situation["stable"]
        moved = {
            **situation,
            "new": after(situation["new"]),
            "stable": after(stable) if stable else None,
            "others": [after(each) for each in situation["others"]],
        }
        if moved == situation:
            return dict(targets)
        situation = moved
    raise AssertionError(f"no end: {situation}")


@thoroughly
@given(situations())
def test_a_revision_that_works_takes_over_from_any_situation(situation):
    targets = settled(situation, works=True)
    assert targets.pop(situation["new"].revision) == situation["wanted"]
    assert set(targets.values()) <= {0}


@thoroughly
@given(situations())
def test_a_revision_that_never_works_takes_nothing_from_the_stable_one(situation):
    targets = settled(situation, works=False)
    wanted, limits = situation["wanted"], situation["limits"]
    serving = sum(targets.values()) - targets[situation["new"].revision]
    if situation["stable"]:
        assert serving == wanted - limits.unavailable
        assert sum(targets.values()) <= wanted + limits.surge


@given(wanted=st.integers(1, 9), surge=st.integers(0, 4), new=COUNT, ready=COUNT, other=COUNT)
def test_beside_an_autoscaler_a_new_revision_grows_to_the_same_number_a_surge_at_a_time(
    wanted, surge, new, ready, other
):
    candidate = Group(revision="new", replicas=new, ready=ready)
    targets = roll_autoscaled(
        wanted=wanted, new=candidate, others=[group("other", other)], limits=Bounds(surge=surge, unavailable=0)
    )
    assert targets["other"] == 0
    assert candidate.sure < targets["new"] <= wanted or candidate.sure >= wanted == targets["new"]
    assert targets["new"] <= candidate.sure + max(1, surge)


NARRATIVE = {
    "the first revision starts whole": (3, group("new", 0), None, [], {"new": 3}),
    "one new pod comes beside three old ones": (3, group("new", 0), group("old", 3), [], {"new": 1, "old": 3}),
    "a new pod that is not ready takes nothing": (3, group("new", 1, 0), group("old", 3), [], {"new": 1, "old": 3}),
    "a ready one lets an old one go": (3, group("new", 1), group("old", 3), [], {"new": 1, "old": 2}),
    "then the next one comes": (3, group("new", 1), group("old", 2), [], {"new": 2, "old": 2}),
    "the last step leaves the new ones alone": (3, group("new", 3), group("old", 1), [], {"new": 3, "old": 0}),
    "new pods that stop being ready give back what they took": (
        3, group("new", 2, 0), group("old", 2), [], {"new": 1, "old": 3},
    ),
    "a pod that is on its way out does not count": (
        3, group("new", 1, 1), group("old", 2, 3), [], {"new": 2, "old": 2},
    ),
    "stable keeps a pod that is ill while nothing replaces it": (
        3, group("new", 1, 0), group("old", 3, 2), [], {"new": 1, "old": 3},
    ),
    "a superseded revision that never got ready goes at once": (
        3, group("new", 0), group("old", 3), [group("mid", 1, 0)], {"new": 0, "mid": 0, "old": 3},
    ),
    "a superseded revision that serves goes before the stable one": (
        3, group("new", 1), group("old", 1), [group("mid", 2)], {"new": 1, "mid": 1, "old": 1},
    ),
    "more pods are wanted in the middle: both grow": (
        6, group("new", 1), group("old", 3), [], {"new": 3, "old": 5},
    ),
    "fewer are wanted in the middle": (2, group("new", 2, 1), group("old", 4), [], {"new": 1, "old": 1}),
    "nothing is wanted": (0, group("new", 1), group("old", 3), [group("mid", 2)], {"new": 0, "mid": 0, "old": 0}),
    "after nothing, the proven revision comes back beside the new one": (
        3, group("new", 0), group("old", 0), [], {"new": 1, "old": 3},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("wanted", "new", "stable", "others", "expected"), NARRATIVE.values(), ids=NARRATIVE.keys())
def test_step(wanted, new, stable, others, expected):
    limits = bounds("25%", 0, wanted=wanted)
    assert roll(wanted=wanted, new=new, stable=stable, others=others, limits=limits) == expected


@pytest.mark.parametrize(
    ("surge", "unavailable", "wanted", "expected"),
    [
        ("25%", 0, 3, Bounds(surge=1, unavailable=0)),
        ("25%", "25%", 4, Bounds(surge=1, unavailable=1)),
        ("25%", "25%", 3, Bounds(surge=1, unavailable=0)),
        (0, 1, 3, Bounds(surge=0, unavailable=1)),
        (0, "25%", 2, Bounds(surge=1, unavailable=0)),
        (0, 5, 2, Bounds(surge=0, unavailable=2)),
    ],
    ids=[
        "the default",
        "shares that come out even",
        "surge is rounded up and unavailability down",
        "replaced in place",
        "a share that rounds to nothing must not stop everything",
        "no more can be missing than there are",
    ],
)
def test_bounds(surge, unavailable, wanted, expected):
    assert bounds(surge, unavailable, wanted=wanted) == expected
