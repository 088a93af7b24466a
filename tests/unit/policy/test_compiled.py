"""What the API server is told to hold to, and that it comes to the same verdict as we do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import celpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel_operator.api.actionplan import ActionPlanSpec
from sentinel_operator.core.policy.compiled import compiled
from sentinel_operator.core.policy.facts import Facts, Identity
from sentinel_operator.core.policy.matcher import sources_of
from sentinel_operator.core.policy.plan import judge_plan
from sentinel_operator.core.policy.policy import Policy
from tests.unit.policy.scenes import NOW, a_target, policy, raw_decision, rule

USERS = [
    Identity(username="alice", groups=frozenset({"ops"})),
    Identity(username="bob"),
    Identity(username="system:serviceaccount:brains:inframind", groups=frozenset({"system:serviceaccounts"})),
]
NAMES = policy(
    name="names",
    sources=[
        {"name": "inframind", "users": ["system:serviceaccount:brains:inframind"]},
        {"name": "people", "users": ["bob"], "groups": ["ops"]},
    ],
)


@cache
def program(text: str) -> celpy.Runner:
    environment = celpy.Environment()
    return environment.program(environment.compile(text))


def evaluated(text: str, values: dict[str, Any]) -> Any:
    return program(text).evaluate(values)


def denied(manifests: tuple[dict[str, Any], ...], plan: dict[str, Any], who: Identity, action: str = "Deny") -> bool:
    """What an API server does with what it was told: every expression must be true, an error counts as false."""
    bound = {
        each["spec"]["policyName"]
        for each in manifests
        if each["kind"] == "ValidatingAdmissionPolicyBinding" and each["spec"]["validationActions"] == [action]
    }
    user = {"username": who.username, **({"groups": sorted(who.groups)} if who.groups else {})}
    values = {
        "object": celpy.json_to_cel(plan),
        "request": celpy.json_to_cel({"namespace": plan["metadata"]["namespace"], "userInfo": user}),
    }
    for each in manifests:
        if each["metadata"]["name"] not in bound or each["kind"] != "ValidatingAdmissionPolicy":
            continue
        if not all(evaluated(one["expression"], values) for one in each["spec"]["matchConditions"]):
            continue
        variables = {one["name"]: evaluated(one["expression"], values) for one in each["spec"]["variables"]}
        for one in each["spec"]["validations"]:
            try:
                if not evaluated(one["expression"], {**values, "variables": celpy.celtypes.MapType(variables)}):
                    return True
            except celpy.CELEvalError:
                return True
    return False


def ours(policies: list[Policy], plan: dict[str, Any], who: Identity, now: datetime) -> str:
    spec = ActionPlanSpec.model_validate(plan["spec"])
    namespaces = ["" if each.target.kind == "Node" else each.target.namespace or "shop" for each in spec.decisions]
    keys = {(each.target.kind, space, each.target.name) for each, space in zip(spec.decisions, namespaces, strict=True)}
    cases = [
        Facts(
            decision=each,
            namespace=space,
            who=who,
            sources=sources_of(who, policies),
            now=now,
            target=a_target(labels={}),
            targets=len(keys),
        )
        for each, space in zip(spec.decisions, namespaces, strict=True)
    ]
    return judge_plan(policies, cases).effect


# ---------------------------------------------------------------------------------------------- generated

VERBS = st.sampled_from(
    [
        ("scale", "Deployment"),
        ("scale", "SentryModel"),
        ("restart", "StatefulSet"),
        ("rollback", "Deployment"),
        ("drain", "Node"),
        ("abort", "SentryModel"),
    ]
)
DECISIONS = st.lists(
    st.tuples(VERBS, st.sampled_from(["web", "api"]), st.sampled_from([None, "shop", "other"]), st.integers(0, 12)),
    min_size=1,
    max_size=4,
)


def a_plan(decisions: list[Any], mode: str, now: datetime) -> dict[str, Any]:
    raw = []
    for index, ((verb, kind), name, namespace, replicas) in enumerate(decisions):
        params = {"params": {"replicas": str(replicas) if replicas % 2 else replicas}} if verb == "scale" else {}
        one = raw_decision(verb, kind=kind, name=name, id_=f"d{index}", ttl="15m", **params)
        if namespace and kind != "Node":
            one["target"]["namespace"] = namespace
        raw.append(one)
    return {
        "metadata": {"namespace": "shop", "creationTimestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ")},
        "spec": {"planId": "a", "source": "b", "mode": mode, "decisions": raw},
    }


CLOCK = st.sampled_from(["00:00", "06:00", "12:30", "17:45", "23:59"])
DAYS = st.lists(st.sampled_from(["Monday", "Wednesday", "Friday", "Saturday", "Sunday"]), min_size=1, unique=True)
FREEZES = st.one_of(
    st.builds(
        lambda days, start, end, zone, exempt: rule(
            "ChangeFreeze",
            recurring=[{"days": days, "from": start, "to": end, "timezone": zone}],
            **({"exemptSources": exempt} if exempt else {}),
        ),
        DAYS,
        CLOCK,
        CLOCK,
        st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
        st.sampled_from([None, ["people"], ["inframind", "carol"]]),
    ),
    st.builds(
        lambda hours: rule(
            "ChangeFreeze",
            windows=[{"start": "2026-01-30T00:00:00Z", "end": (NOW + timedelta(hours=hours)).isoformat()}],
        ),
        st.integers(-11, 40),
    ),
)
CEL_RULES = st.sampled_from(
    [
        "decision.verb != 'drain'",
        "decision.verb != 'scale' || int(decision.params.replicas) <= 7",
        "decision.target.kind == 'Node' || identity.username == 'alice'",
        "identity.groups.exists(group, group == 'ops') || decision.verb in ['scale', 'abort']",
        "!has(decision.params) || decision.params.replicas != 3",
        "decision.params.replicas > 2",
    ]
)
WHOLE = st.one_of(
    FREEZES,
    st.builds(lambda most: rule("Quota", maxReplicas=most), st.integers(0, 12)),
    st.just(rule("RateLimit", maxPerHour=0)),
    CEL_RULES.map(lambda text: rule("CEL", expression=text)),
)
SELECTORS = st.fixed_dictionaries(
    {},
    optional={
        "sources": st.sampled_from([["inframind"], ["people"], ["alice"]]),
        "verbs": st.lists(st.sampled_from(["scale", "restart", "drain"]), min_size=1, unique=True),
        "namespaces": st.sampled_from([["shop"], ["other"], ["shop", "other"]]),
        "kinds": st.lists(st.sampled_from(["Deployment", "Node", "SentryModel"]), min_size=1, unique=True),
    },
)
MOMENTS = st.integers(-96, 24 * 14).map(lambda half: NOW + timedelta(minutes=30 * half))


@settings(max_examples=300, deadline=None)
@given(DECISIONS, st.lists(WHOLE, min_size=1, max_size=3), SELECTORS, st.sampled_from(USERS), MOMENTS)
def test_what_is_compiled_whole_and_our_own_judge_agree(decisions, rules, selector, who: Identity, now: datetime):
    guard = policy(*rules, selector=selector)
    done = compiled(guard, [guard, NAMES])
    assert {each.coverage for each in done.clauses} == {"Whole"}
    plan = a_plan(decisions, "Enforce", now)
    assert denied(done.manifests, plan, who) == (ours([guard, NAMES], plan, who, now) == "Reject")


@settings(max_examples=150, deadline=None)
@given(DECISIONS, st.integers(0, 4), st.integers(0, 12), SELECTORS, st.sampled_from(USERS))
def test_what_is_compiled_in_part_refuses_nothing_that_we_would_not(decisions, targets, most, selector, who: Identity):
    guard = policy(
        rule("BlastRadius", maxTargets=targets, minHealthy=0),
        rule("Quota", maxReplicas=most, maxGpus=10_000),
        selector=selector,
    )
    done = compiled(guard, [guard, NAMES])
    assert {each.coverage for each in done.clauses} == {"Partial"}
    plan = a_plan(decisions, "Enforce", NOW)
    if denied(done.manifests, plan, who):
        assert ours([guard, NAMES], plan, who, NOW) == "Reject"


@pytest.mark.parametrize("mode", ["DryRun", "Shadow"])
def test_a_plan_that_is_not_done_may_be_made(mode: str):
    guard = policy(rule("RateLimit", maxPerMinute=0))
    plan = a_plan([(("restart", "Deployment"), "web", None, 0)], mode, NOW)
    assert not denied(compiled(guard, [guard]).manifests, plan, USERS[0])


@pytest.mark.parametrize(
    ("bound", "spec", "reason"),
    [
        (rule("CostCeiling", maxCostPerHour=1), {}, "measured by the operator"),
        (rule("RateLimit", maxPerHour=1), {}, "how many changes were begun lately"),
        (rule("SLA", minUptimePercent=1), {}, "measured by the operator"),
        (rule("SLO", maxP99LatencyMs=1), {}, "measured by the operator"),
        (rule("Quota", maxGpus=1), {}, "what pods ask for"),
        (rule("BlastRadius", minHealthy=1), {}, "measured by the operator"),
        (rule("Approval"), {}, "approval comes after the creation"),
        (rule("Quota", on="RequireApproval", maxReplicas=1), {}, "approval comes after the creation"),
        (rule("CEL", expression="target.ready > 1"), {}, "target is measured by the operator"),
        (rule("Quota", maxReplicas=1), {"selector": {"labels": {"a": "b"}}}, "the labels of the target"),
        (rule("Quota", maxReplicas=1), {"mode": "DryRun"}, "nothing is kept back in mode DryRun"),
        (rule("Quota", maxReplicas=1), {"mode": "Shadow"}, "nothing is kept back in mode Shadow"),
    ],
    ids=lambda value: value.get("type", "") if isinstance(value, dict) else None,
)
def test_what_cannot_be_compiled_says_why(bound: dict[str, Any], spec: dict[str, Any], reason: str):
    guard = policy(bound, **spec)
    done = compiled(guard, [guard])
    assert done.manifests == ()
    assert [each.coverage for each in done.clauses] == ["None"]
    assert reason in done.clauses[0].reason


@pytest.mark.parametrize(("on", "mode", "action"), [("Warn", "Enforce", "Warn"), ("Log", "Enforce", "Audit")])
def test_what_only_warns_is_a_warning_of_the_api_server_too(on: str, mode: str, action: str):
    guard = policy(rule("Quota", on=on, maxReplicas=1), mode=mode)
    manifests = compiled(guard, [guard]).manifests
    assert [each["spec"].get("validationActions") for each in manifests] == [None, [action]]
    assert [each["metadata"]["name"] for each in manifests] == [f"sentinel-guard-{action.lower()}"] * 2


def test_an_audited_policy_is_in_the_api_servers_audit():
    guard = policy(rule("Quota", maxReplicas=1), mode="Audit")
    assert compiled(guard, [guard]).manifests[1]["spec"]["validationActions"] == ["Audit"]


def test_text_of_a_policy_cannot_break_out_of_an_expression():
    guard = policy(rule("Quota", maxReplicas=9), selector={"sources": ["x']||true||['", 'a"b\\']})
    done = compiled(guard, [guard])
    plan = a_plan([(("scale", "Deployment"), "web", None, 11)], "Enforce", NOW.astimezone(UTC))
    assert not denied(done.manifests, plan, USERS[1])
    assert denied(done.manifests, plan, Identity(username='a"b\\'))


def test_a_suspended_policy_is_not_compiled():
    guard = policy(rule("Quota", maxReplicas=9), suspend=True)
    assert compiled(guard, [guard]).manifests == ()
