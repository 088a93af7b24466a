"""Counts from weights and weights from counts, for all numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sentinel_operator.core.rollout.arithmetic import (
    Bounds,
    Group,
    beside,
    bounds,
    carried,
    nearest,
    needed,
    roll,
    share,
)

PODS = st.integers(0, 1000)
WANTED = st.integers(1, 1000)
WEIGHT = st.integers(1, 99)


@given(numerator=PODS, denominator=WANTED)
def test_the_nearest_is_never_further_than_a_half(numerator, denominator):
    assert abs(numerator - nearest(numerator, denominator) * denominator) * 2 <= denominator


@given(stable=WANTED, weight=WEIGHT)
def test_no_other_number_of_pods_is_nearer_to_the_weight(stable, weight):
    pods = beside(stable, weight)
    assert pods >= 1
    wanted = stable * weight / (100 - weight)
    assert pods == 1 or abs(pods - wanted) <= 0.5


@given(wanted=WANTED, weight=st.integers(0, 100))
def test_the_pods_needed_for_a_weight_carry_it_and_one_less_does_not(wanted, weight):
    pods = needed(weight, wanted=wanted)
    assert carried(pods, wanted=wanted) >= weight
    assert pods == 0 or carried(pods - 1, wanted=wanted) < weight
    assert pods <= wanted


@given(pods=PODS, wanted=WANTED)
def test_what_pods_carry_needs_no_more_of_them(pods, wanted):
    assert needed(carried(pods, wanted=wanted), wanted=wanted) <= pods


@given(stable=WANTED, weight=WEIGHT)
def test_the_share_that_comes_out_is_told_within_rounding(stable, weight):
    pods = beside(stable, weight)
    assert abs(share(pods, of=stable + pods) - 100 * pods / (stable + pods)) <= 0.5


@st.composite
def rolls(draw):
    wanted = draw(st.integers(1, 20))
    limits = bounds(draw(st.integers(0, 5)), draw(st.integers(0, 5)), wanted=wanted)

    def group(name: str) -> Group:
        replicas = draw(st.integers(0, wanted))
        return Group(revision=name, replicas=replicas, serving=draw(st.integers(0, replicas)))

    return wanted, group("new"), group("stable"), [group("x"), group("y")], limits


@given(rolls())
def test_a_roll_takes_no_more_serving_pods_than_it_may_whatever_part_of_it_happens(drawn):
    wanted, new, stable, others, limits = drawn
    groups = [new, stable, *others]
    targets = roll(wanted=wanted, new=new, stable=stable, others=others, limits=limits)
    before = sum(group.serving for group in groups)
    left = sum(min(group.serving, targets[group.revision]) for group in groups)
    assert left >= min(before, wanted - limits.unavailable)


@given(rolls())
def test_a_roll_adds_no_more_pods_than_it_may(drawn):
    wanted, new, stable, others, limits = drawn
    groups = [new, stable, *others]
    targets = roll(wanted=wanted, new=new, stable=stable, others=others, limits=limits)
    most = sum(max(group.replicas, targets[group.revision]) for group in groups)
    grown = targets[new.revision] > new.replicas
    restored = targets[stable.revision] > stable.replicas
    assert not grown or restored or most <= wanted + limits.surge


@given(wanted=st.integers(1, 30), surge=st.integers(0, 5), unavailable=st.integers(0, 5))
def test_a_roll_ends_with_the_wanted_number(wanted, surge, unavailable):
    limits = bounds(surge, unavailable, wanted=wanted)
    assert limits != Bounds(0, 0)
    new, old = 0, wanted
    for _ in range(4 * wanted + 4):
        targets = roll(
            wanted=wanted,
            new=Group(revision="new", replicas=new, serving=new),
            stable=Group(revision="old", replicas=old, serving=old),
            others=(),
            limits=limits,
        )
        new, old = targets["new"], targets["old"]
    assert (new, old) == (wanted, 0)
