"""What the API server is handed of a policy, and what is told of it."""

from __future__ import annotations

from typing import Any

from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.core.actionplan.surroundings import Surroundings
from sentinel_operator.core.actionpolicy.reconciler import ActionPolicyReconciler
from sentinel_operator.core.outside import Outside
from sentinel_operator.core.plan import Failure, ObjectRef, Plan
from sentinel_operator.core.policy.policy import Policy
from tests.unit.policy.scenes import NOW, policy, rule

RECONCILER = ActionPolicyReconciler()


def a_policy(*rules: dict[str, Any], **spec: Any) -> dict[str, Any]:
    metadata = {"name": "guard", "uid": "u1", "generation": 3}
    return {
        "apiVersion": "sentinel.dev/v1alpha1",
        "kind": "ActionPolicy",
        "metadata": metadata,
        "spec": {**spec, "rules": list(rules)},
    }


def observed(raw: dict[str, Any], *children: dict[str, Any], others: tuple[Policy, ...] = ()) -> Any:
    outside = Outside(plan=Surroundings(policies=others))
    return RECONCILER.observe(raw, children, (), {}, SentinelConfigSpec(), NOW, outside)


def plan(raw: dict[str, Any], *children: dict[str, Any], others: tuple[Policy, ...] = ()) -> Plan:
    return RECONCILER.plan(observed(raw, *children, others=others))


def ready(made: Plan) -> dict[str, Any]:
    assert made.status is not None
    return next(each for each in made.status["conditions"] if each["type"] == "Ready")


def test_what_can_be_said_is_handed_over_and_goes_with_the_policy():
    made = plan(a_policy(rule("Quota", maxReplicas=3), rule("SLA", minUptimePercent=99)))
    assert [each.manifest["kind"] for each in made.apply] == [
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    ]
    for each in made.apply:
        assert each.manifest["metadata"]["ownerReferences"][0]["uid"] == "u1"
        assert each.manifest["metadata"]["labels"]["sentinel.dev/name"] == "guard"
    assert made.status is not None
    assert [each["coverage"] for each in made.status["compiled"]] == ["Whole", "None"]
    assert (made.status["held"], made.status["rules"]) == (1, 2)
    assert ready(made)["message"].endswith("holds to 1 of its 2 rules by itself")


def test_names_that_another_policy_gives_are_known():
    names = policy(name="names", sources=[{"name": "people", "users": ["bob"]}])
    made = plan(a_policy(rule("RateLimit", maxPerHour=0), selector={"sources": ["people"]}), others=(names,))
    (selected,) = made.apply[0].manifest["spec"]["variables"]
    assert '"bob"' in selected["expression"]


def test_what_is_not_said_any_more_goes():
    children = [each.manifest for each in plan(a_policy(rule("Quota", maxReplicas=3))).apply]
    for number, each in enumerate(children):
        each["metadata"]["uid"] = f"c{number}"
    made = plan(a_policy(rule("Quota", maxReplicas=3), suspend=True), *children)
    assert made.apply == ()
    assert {each.ref.uid for each in made.delete} == {"c0", "c1"}
    assert ready(made)["reason"] == "Suspended"


def test_a_policy_that_cannot_be_read_leaves_what_was_handed_over():
    children = [each.manifest for each in plan(a_policy(rule("Quota", maxReplicas=3))).apply]
    made = plan(a_policy({"type": "Quota"}), *children)
    assert (made.apply, made.delete) == ((), ())
    assert ready(made)["reason"] == "InvalidSpec"
    assert "every ActionPlan is rejected" in ready(made)["message"]


def test_what_the_api_server_will_not_take_is_judged_by_us_alone():
    seen = observed(a_policy(rule("Quota", maxReplicas=3)))
    told = RECONCILER.on_error(seen, Failure(ObjectRef("v1", "X", "", "x"), 422, "Invalid", "too costly", True))
    assert told is not None
    assert "does not hold to it by itself: too costly" in ready(told)["message"]


def test_the_same_again_changes_nothing():
    raw = a_policy(rule("Quota", maxReplicas=3))
    first = plan(raw)
    again = plan({**raw, "status": first.status}, *(each.manifest for each in first.apply))
    assert (again.apply, again.status, again.events, again.delete) == (first.apply, first.status, (), ())
