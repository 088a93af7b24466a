"""Which policies are heard, in what order, and what comes of several at once."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel_operator.core.policy.effects import strictest
from sentinel_operator.core.policy.facts import Begun, Facts, Identity
from sentinel_operator.core.policy.judge import judge
from sentinel_operator.core.policy.matcher import sources_of
from sentinel_operator.core.policy.plan import judge_plan
from sentinel_operator.core.policy.policy import Policy
from tests.unit.policy.scenes import BOB, BRAIN, a_target, approved, facts, policy, rule

NEVER = rule("RateLimit", maxPerHour=0)
STRICTNESS = ["Pass", "Log", "Warn", "RequireApproval", "Reject"]


@pytest.mark.parametrize(
    ("selector", "heard"),
    [
        ({}, True),
        ({"sources": ["inframind"]}, True),
        ({"sources": [BRAIN.username]}, True),
        ({"sources": ["alice"]}, False),
        ({"verbs": ["drain", "scale"]}, True),
        ({"verbs": ["drain"]}, False),
        ({"namespaces": ["shop"]}, True),
        ({"namespaces": ["team-b"]}, False),
        ({"kinds": ["Deployment"], "verbs": ["scale"]}, True),
        ({"kinds": ["Node"], "verbs": ["scale"]}, False),
        ({"labels": {"tier": "gold"}}, True),
        ({"labels": {"tier": "gold", "zone": "a"}}, False),
    ],
    ids=str,
)
def test_a_policy_is_heard_where_all_of_its_selector_is_true(selector: dict[str, object], heard: bool):
    judged = judge([policy(NEVER, selector=selector)], facts())
    assert judged.effect == ("Reject" if heard else "Pass")
    assert len(judged.trace) == heard


def test_a_node_is_in_no_namespace():
    drain = facts("drain", kind="Node")
    assert judge([policy(NEVER, selector={"namespaces": ["shop"]})], drain).effect == "Pass"


def test_a_suspended_policy_is_not_heard_but_its_names_hold():
    quiet = policy(NEVER, suspend=True, sources=[{"name": "inframind", "users": [BRAIN.username]}])
    assert judge([quiet], facts()).effect == "Pass"
    assert sources_of(BRAIN, [quiet]) == {BRAIN.username, "inframind"}


def test_somebody_counts_as_every_name_that_policies_give():
    one = policy(sources=[{"name": "planners", "groups": ["ops", "ml"]}], name="one")
    two = policy(sources=[{"name": "people", "users": ["bob", "eve"]}], name="two")
    assert sources_of(Identity(username="bob", groups=frozenset({"ml"})), [one, two]) == {"bob", "planners", "people"}
    assert sources_of(Identity(username="mallory"), [one, two]) == {"mallory"}
    assert sources_of(Identity(username=""), [one, two]) == set()


def test_a_policy_that_cannot_be_read_lets_nothing_pass():
    broken = Policy.of({"metadata": {"name": "broken"}, "spec": {"rules": [{"type": "Quota"}]}})
    judged = judge([broken, policy(rule("Approval"), priority=1000)], facts())
    assert judged.effect == "Reject"
    assert judged.deciding is not None
    assert "must have the member that its type names" in judged.deciding.message


def test_approval_answers_what_asks_for_it_and_nothing_else():
    asks = policy(rule("Quota", on="RequireApproval", maxReplicas=1))
    refuses = policy(rule("Quota", maxReplicas=1), name="never")
    assert judge([asks], facts()).effect == "RequireApproval"
    assert judge([asks], facts(approved=approved())).effect == "Log"
    assert judge([asks, refuses], facts(approved=approved())).effect == "Reject"
    own = facts(approved=approved(BRAIN))
    assert judge([asks], own).effect == "RequireApproval", "nobody approves their own plan"
    lenient = policy(rule("Approval", allowSelf=True), name="lenient")
    assert judge([asks, lenient], own).effect == "Log", "unless a policy allows it"
    strict = policy(rule("Approval"), name="strict")
    assert judge([asks, lenient, strict], own).effect == "RequireApproval"


def test_the_trace_says_by_what_it_was_judged():
    (entry,) = judge([policy(rule("SLO", maxP99LatencyMs=50), priority=7)], facts("restart")).trace
    assert entry.inputs == {"p99LatencyMs": "100", "successRatePercent": "99.9", "cure": "false"}
    assert (entry.policy, entry.priority, entry.index, entry.decision) == ("guard", 7, 0, "one")


def test_decisions_of_a_plan_count_for_those_after_them():
    two_an_hour = policy(rule("RateLimit", maxPerHour=2))
    cases = [facts(id_=name, name="web") for name in "abc"]
    judged = judge_plan([two_an_hour], cases)
    assert [each.verdict for each in judged.trace] == ["Holds", "Holds", "Violated"]
    assert judged.effect == "Reject"
    assert judged.reason.startswith("c: guard (RateLimit): 2 changes were begun")
    elsewhere = [facts(id_=name, name=name) for name in "abc"]
    assert judge_plan([two_an_hour], elsewhere).effect == "Pass", "each has its own"
    half = [dataclasses.replace(each, begun={"Workload": Begun(0, 1)}) for each in cases[:2]]
    assert judge_plan([two_an_hour], half).effect == "Reject"


def test_a_long_trace_keeps_what_was_violated():
    quiet = [policy(rule("SLA", minUptimePercent=1), rule("SLA", minUptimePercent=2), name=f"p{n}") for n in range(20)]
    loud = policy(rule("SLA", minUptimePercent=100), name="zz")
    judged = judge_plan([*quiet, loud], [facts("restart", id_=f"d{n}") for n in range(32)])
    assert len(judged.recorded()) == 512
    assert sum(each.verdict == "Violated" for each in judged.recorded()) == 32


# ---------------------------------------------------------------------------------------------- properties

EFFECTS = st.sampled_from(["Reject", "RequireApproval", "Warn", "Log"])
RULES = st.one_of(
    st.builds(lambda n, on: rule("Quota", on=on, maxReplicas=n), st.integers(0, 9), EFFECTS),
    st.builds(lambda n, on: rule("RateLimit", on=on, maxPerHour=n), st.integers(0, 4), EFFECTS),
    st.builds(lambda n, on: rule("SLO", on=on, maxP99LatencyMs=n), st.integers(50, 150), EFFECTS),
    st.builds(lambda n, on: rule("BlastRadius", on=on, maxTargets=n), st.integers(0, 3), EFFECTS),
    st.builds(lambda own: rule("Approval", allowSelf=own), st.booleans()),
)
POLICIES = st.lists(
    st.builds(
        lambda name, priority, mode, rules: policy(*rules, name=name, priority=priority, mode=mode),
        st.sampled_from("abcdefgh"),
        st.integers(0, 3),
        st.sampled_from(["Enforce", "Audit", "DryRun", "Shadow"]),
        st.lists(RULES, min_size=1, max_size=3),
    ),
    max_size=6,
    unique_by=lambda each: each.name,
)
CASES = st.builds(
    lambda verb, replicas, hour, by, flight: facts(
        verb,
        target=a_target(),
        begun={"Workload": Begun(0, hour)},
        approved=approved(by) if by else None,
        in_flight=flight,
        **({"params": {"replicas": replicas}} if verb == "scale" else {}),
    ),
    st.sampled_from(["scale", "restart", "rollback"]),
    st.integers(0, 10),
    st.integers(0, 4),
    st.sampled_from([None, BOB, BRAIN]),
    st.integers(0, 3),
)


@settings(max_examples=150, deadline=None)
@given(POLICIES, CASES, st.randoms(use_true_random=False))
def test_the_highest_priority_is_told_first_whatever_the_order_they_came_in(policies, case: Facts, random):
    judged = judge(policies, case)
    assert [(-each.priority, each.policy, each.index) for each in judged.trace] == sorted(
        (-each.priority, each.policy, each.index) for each in judged.trace
    )
    shuffled = list(policies)
    random.shuffle(shuffled)
    assert judge(shuffled, case) == judged
    if judged.deciding is not None:
        equals = [each for each in judged.trace if each.effect == judged.effect and each.verdict == "Violated"]
        assert judged.deciding.priority == max(each.priority for each in equals)


@settings(max_examples=150, deadline=None)
@given(POLICIES, CASES, RULES, st.integers(0, 3))
def test_a_further_rule_that_rejects_never_approves_more(policies, case: Facts, more, priority: int):
    rejecting = {**more, "onViolation": "Reject"} if more["type"] != "Approval" else NEVER
    further = policy(rejecting, name="zz", priority=priority)
    before, after = judge(policies, case).effect, judge([*policies, further], case).effect
    assert STRICTNESS.index(after) >= STRICTNESS.index(before)


@settings(max_examples=100, deadline=None)
@given(POLICIES, CASES)
def test_a_policy_that_is_not_enforced_changes_no_outcome(policies, case: Facts):
    def relaxed(mode: str) -> list[Policy]:
        return [
            Policy(name=each.name, spec=each.spec.model_copy(update={"mode": mode})) for each in policies if each.spec
        ]

    assert judge(relaxed("Shadow"), case).effect == "Pass"
    assert judge(relaxed("Audit"), case).effect in {"Pass", "Log"}
    enforced = [each for each in policies if each.spec is not None and each.spec.mode == "Enforce"]
    assert strictest([judge(enforced, case).effect, "Log"]) == strictest([judge(policies, case).effect, "Log"])
