"""Who may begin, in what order, and what the others are told."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_operator.api.sentinelconfig import ChangeBudget
from sentinel_operator.core.budget.claim import Claim, Claimant, claimed, gpu_class
from sentinel_operator.core.budget.limits import limited, limits_of
from sentinel_operator.core.budget.queue import Place, line_up
from sentinel_operator.core.budget.words import NEAR, waits_for

LABEL = "nvidia.com/gpu.product"
FIELDS = (
    *("rollout", "runtime", "gpu", "pod", "nodeSelector", "conditions", "type", "status", "lastTransitionTime"),
    *("stable", "candidate", "phase", "priority", LABEL),
)


def claim(name: str, *, priority: int = 0, since: int = 0, gpu: str = "") -> Claim:
    namespace, _, rest = name.rpartition("/")
    who = Claimant("SentryModel", namespace or "team-a", rest)
    return Claim(who=who, priority=priority, since=since, gpu_class=gpu)


def lined_up(holders: list[Claim], waiting: list[Claim], budget: ChangeBudget) -> list[Place]:
    """Gives everybody's place."""
    ordered = sorted(waiting, key=lambda each: each.rank)
    line = line_up(holders, ordered, budget)
    return [line.place(each, number) for number, each in enumerate(ordered, start=1)]


def begin(holders: list[Claim], waiting: list[Claim], **limits: int) -> list[str]:
    line = lined_up(holders, waiting, ChangeBudget(**limits))
    return [each.claim.who.name for each in line if each.granted]


def told(holders: list[Claim], waiting: list[Claim], **limits: int) -> dict[str, str]:
    line = lined_up(holders, waiting, ChangeBudget(**limits))
    return {each.claim.who.name: waits_for(each) for each in line}


def test_without_a_limit_all_begin():
    assert begin([claim("a")], [claim("b"), claim("c")]) == ["b", "c"]
    assert not limited(ChangeBudget())


def test_priority_goes_before_age_and_age_before_names():
    waiting = [claim("c", since=5), claim("b", since=5), claim("old", since=1), claim("urgent", since=9, priority=1)]
    line = lined_up([], waiting, ChangeBudget(max_concurrent_rollouts=9))
    assert [each.claim.who.name for each in line] == ["urgent", "old", "b", "c"]
    assert begin([], waiting, max_concurrent_rollouts=2) == ["urgent", "old"]


def test_a_full_namespace_does_not_keep_others_waiting():
    waiting = [claim("a/second", since=1), claim("b/first", since=2)]
    assert begin([claim("a/first")], waiting, per_namespace=1, max_concurrent_rollouts=2) == ["first"]


def test_gpus_of_one_class_are_counted_wherever_they_are_asked_for():
    waiting = [claim("b/x", gpu="H200"), claim("b/y", gpu="L4"), claim("b/z")]
    assert begin([claim("a/w", gpu="H200")], waiting, per_gpu_class=1) == ["y", "z"]


def test_a_freeze_lets_nothing_begin():
    assert begin([], [claim("a")], max_concurrent_rollouts=0) == []
    assert begin([], [claim("a", gpu="L4"), claim("b")], per_gpu_class=0) == ["b"]


def test_more_holders_than_slots_are_endured():
    holders = [claim("a"), claim("b"), claim("c")]
    assert begin(holders, [claim("d")], max_concurrent_rollouts=2) == []


def test_the_first_that_waits_is_kept_a_slot_of_its_class_while_its_namespace_is_full():
    holders, first = [claim("a/one")], claim("a/two", since=1, gpu="L4")
    waiting = [first, claim("b/late", since=2, gpu="L4"), claim("c/plain", since=3)]
    assert begin(holders, waiting, per_namespace=1, per_gpu_class=1, max_concurrent_rollouts=5) == ["plain"]
    said = told(holders, waiting, per_namespace=1, per_gpu_class=1)["late"]
    assert "GPU class L4" in said
    assert "taken by a/two; number 2 in the queue" in said


def test_one_whom_a_freeze_keeps_from_ever_beginning_is_kept_nothing():
    waiting = [claim("a/frozen", since=1, gpu="L4"), claim("a/free", since=2)]
    assert begin([], waiting, per_gpu_class=0, per_namespace=1) == ["free"]


@pytest.mark.parametrize(
    ("holders", "limits", "said"),
    [
        (
            ["a/fraud"],
            {"max_concurrent_rollouts": 1},
            (
                "the one slot of the cluster (spec.changeBudget.maxConcurrentRollouts of SentinelConfig default), "
                "taken by a/fraud; number 1 in the queue"
            ),
        ),
        (
            ["b/e", "b/d", "b/c", "b/b", "b/a"],
            {"per_namespace": 4},
            (
                "one of the 4 slots of namespace b (spec.changeBudget.perNamespace of SentinelConfig default), "
                "taken by b/a, b/b, b/c and 2 more; number 1 in the queue"
            ),
        ),
        (
            [],
            {"max_concurrent_rollouts": 0},
            (
                "the end of the freeze of the cluster "
                "(spec.changeBudget.maxConcurrentRollouts of SentinelConfig default is 0)"
            ),
        ),
    ],
    ids=["names the one who has it", "names a few", "says that it is a freeze"],
)
def test_who_waits_is_told_what_for(holders: list[str], limits: dict[str, int], said: str):
    assert told([claim(name) for name in holders], [claim("b/waits")], **limits) == {"waits": said}


def test_those_far_behind_are_told_nothing_that_changes_all_the_time():
    waiting = [claim(f"m{number:02}", since=number) for number in range(20)]
    first = told([claim("x")], waiting, max_concurrent_rollouts=1)
    then = told([claim("y")], waiting[1:], max_concurrent_rollouts=1)
    assert first["m15"] == then["m15"]
    assert f"more than {NEAR} wait before it" in first["m15"]
    assert first["m05"] != then["m05"]


# ---------------------------------------------------------------------------------------------- what objects say


def model(*, status: dict[str, object] | None = None, **spec: object) -> dict[str, object]:
    metadata = {"namespace": "a", "name": "m", "creationTimestamp": "1970-01-01T00:00:07Z"}
    return {"kind": "SentryModel", "metadata": metadata, "spec": spec, "status": {"rollout": status or {}}}


@pytest.mark.parametrize(
    ("raw", "state"),
    [
        (model(status={"stable": "1", "phase": "Stable"}), "Rests"),
        (model(status={"stable": "1", "candidate": "2", "phase": "Progressing"}), "Holds"),
        (model(status={"stable": "1", "candidate": "2", "phase": "Paused"}), "Holds"),
        (model(status={"stable": "1", "candidate": "2", "phase": "Stalled"}, suspend=True), "Holds"),
        (model(status={"stable": "1", "candidate": "2", "phase": "Waiting"}), "Holds"),
        (model(status={"candidate": "1", "strategy": "Initial", "phase": "Progressing"}), "Rests"),
        (model(status={"stable": "1", "phase": "Waiting"}), "Waits"),
        (model(status={"stable": "1", "phase": "Waiting"}, suspend=True), "Rests"),
        (model(), "Rests"),
    ],
    ids=[
        "at rest",
        "under way",
        "paused by a person",
        "suspended in the middle",
        "waiting for its gate",
        "the first of all",
        "waiting for a slot",
        "suspended while it waited",
        "without a status",
    ],
)
def test_an_object_says_itself_what_it_claims(raw: dict[str, object], state: str):
    assert claimed(raw, gpu_class_label=LABEL)[0] == state


def test_an_object_on_its_way_out_claims_nothing():
    raw = model(status={"stable": "1", "candidate": "2"})
    raw["metadata"] = {**raw["metadata"], "deletionTimestamp": "1970-01-01T00:00:09Z"}  # type: ignore[dict-item]
    assert claimed(raw, gpu_class_label=LABEL)[0] == "Rests"


def test_its_age_is_since_when_it_is_not_ready():
    raw = model(status={"stable": "1", "phase": "Waiting"}, rollout={"priority": 5})
    assert claimed(raw, gpu_class_label=LABEL)[1].since == 7
    ready = {"type": "Ready", "status": "False", "lastTransitionTime": "1970-01-01T00:01:00Z"}
    raw["status"] = {**raw["status"], "conditions": [ready]}  # type: ignore[dict-item]
    found = claimed(raw, gpu_class_label=LABEL)[1]
    assert (found.since, found.priority) == (60, 5)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda each: st.lists(each, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), each, max_size=5),
        max_leaves=20,
    )
)
def test_whatever_an_object_holds_it_is_understood(value: object):
    raw = {"kind": "SentryModel", "metadata": {"namespace": "a", "name": "m"}, "spec": value, "status": value}
    claimed(raw, gpu_class_label=LABEL)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ""),
        ({"runtime": {"gpu": {}}}, "nvidia.com/gpu"),
        ({"runtime": {"gpu": {"resourceName": "amd.com/gpu"}}}, "amd.com/gpu"),
        ({"runtime": {"gpu": {}}, "pod": {"nodeSelector": {LABEL: "NVIDIA-H200"}}}, "NVIDIA-H200"),
        ({"pod": {"nodeSelector": {LABEL: "NVIDIA-H200"}}}, ""),
    ],
    ids=["no GPU", "the default resource", "another resource", "a product that is asked for", "a node, but no GPU"],
)
def test_the_class_is_what_the_pods_ask_for(spec: dict[str, object], expected: str):
    assert gpu_class(spec, label=LABEL) == expected


# ---------------------------------------------------------------------------------------------- always

CLAIMS = st.lists(
    st.builds(
        lambda namespace, name, priority, since, gpu: claim(
            f"{namespace}/{name}", priority=priority, since=since, gpu=gpu
        ),
        st.sampled_from("abc"),
        st.integers(0, 999),
        st.integers(-2, 2),
        st.integers(0, 5),
        st.sampled_from(["", "", "H200", "L4"]),
    ),
    max_size=12,
    unique_by=lambda each: each.who,
)
LIMIT = st.none() | st.integers(0, 4)
BUDGETS = st.builds(ChangeBudget, max_concurrent_rollouts=LIMIT, per_namespace=LIMIT, per_gpu_class=LIMIT)


@given(CLAIMS, st.integers(0, 12), BUDGETS)
def test_nothing_begins_beyond_a_limit_and_all_are_told(claims: list[Claim], cut: int, budget: ChangeBudget):
    holders, waiting = claims[:cut], claims[cut:]
    line = lined_up(holders, waiting, budget)
    running = [*holders, *(each.claim for each in line if each.granted)]
    for place in line:
        for limit in limits_of(place.claim, budget) if place.granted else ():
            assert (
                sum(limit.pool in [other.pool for other in limits_of(each, budget)] for each in running) <= limit.slots
            )
        assert bool(waits_for(place)) is not place.granted
    assert [each.number for each in line] == list(range(1, len(waiting) + 1))
    assert {each.claim.who for each in line} == {each.who for each in waiting}


@given(CLAIMS, BUDGETS)
def test_if_nothing_is_under_way_the_first_that_is_not_frozen_begins(waiting: list[Claim], budget: ChangeBudget):
    line = lined_up([], waiting, budget)
    free = [each for each in line if all(limit.slots > 0 for limit in limits_of(each.claim, budget))]
    assert not free or free[0].granted


@given(CLAIMS.filter(bool), CLAIMS, BUDGETS, st.randoms(use_true_random=False))
def test_however_many_come_after_it_everyone_begins(
    first: list[Claim], later: list[Claim], budget: ChangeBudget, chance: Random
):
    """Rollouts end one by one in any order; each that ends makes place for a newcomer, who waits behind."""
    victim = min(first, key=lambda each: each.rank)
    if any(limit.slots == 0 for limit in limits_of(victim, budget)):
        return
    holders, waiting, made = list(later), list(first), 0
    kinds = (*first, *later)
    for _ in range(len(later) + 1):
        line = lined_up(holders, waiting, budget)
        begun = [each.claim for each in line if each.granted]
        if victim in begun:
            return
        waiting = [each for each in waiting if each not in begun]
        # Whoever was under way at the beginning ends before those who have overtaken: the worst that can be done.
        old = [each for each in holders if each in later] or [*holders, *begun]
        holders = [*holders, *begun]
        ends = old[chance.randrange(len(old))]
        holders.remove(ends)
        for kind in kinds:
            made += 1
            who = Claimant("SentryModel", kind.who.namespace, f"new{made}")
            waiting.append(Claim(who=who, priority=victim.priority, since=99, gpu_class=kind.gpu_class))
    raise AssertionError("it waits for ever")
