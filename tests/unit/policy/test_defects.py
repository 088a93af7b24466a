"""What went wrong elsewhere, and does not here: each test is a defect that a policy engine really had."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sentinel_operator.api.actionplan import ActionPlanSpec
from sentinel_operator.core.policy.effects import blocks
from sentinel_operator.core.policy.facts import Begun
from sentinel_operator.core.policy.judge import judge
from sentinel_operator.core.policy.rates import Ledger, starts
from sentinel_operator.core.targets import TargetKey
from tests.unit.policy.scenes import NOW, a_target, facts, policy, raw_decision, rule

BROKEN = rule("Quota", maxReplicas=4)


def a_plan_with(params: dict[str, Any]) -> ActionPlanSpec:
    raw = {"planId": "a", "source": "b", "decisions": [raw_decision(params=params)]}
    return ActionPlanSpec.model_validate(raw)


@pytest.mark.parametrize("effect", ["Warn", "Log"])
def test_a_violation_that_warns_or_logs_does_not_reject(effect: str):
    judged = judge([policy({**BROKEN, "onViolation": effect})], facts())
    assert (judged.effect, blocks(judged.effect)) == (effect, False)


@pytest.mark.parametrize("mode", ["Audit", "DryRun", "Shadow"])
def test_an_audit_blocks_nothing(mode: str):
    judged = judge([policy(BROKEN, mode=mode)], facts())
    assert not blocks(judged.effect)
    assert judged.trace[0].verdict == "Violated", "and is told"


@pytest.mark.parametrize(
    ("mode", "state", "intents", "counted"),
    [("Enforce", "Done", True, 1), ("DryRun", "Simulated", False, 0), ("Shadow", "Simulated", False, 0)],
)
def test_what_is_not_done_consumes_no_rate(mode: str, state: str, intents: bool, counted: int):
    plan: dict[str, Any] = {
        "metadata": {"namespace": "shop"},
        "spec": {"mode": mode, "decisions": [raw_decision()]},
        "status": {"decisions": [{"id": "one", "state": state, "startedAt": "2026-01-30T11:59:30Z"}]},
    }
    if intents:
        plan["status"]["decisions"][0]["intents"] = [{"kind": "Deployment"}]
    found = Ledger(starts(plan)).begun(TargetKey("Deployment", "shop", "web"), NOW)
    assert found["Workload"] == Begun(counted, counted)


@pytest.mark.parametrize("replicas", ["5", 5])
def test_a_string_that_holds_a_number_is_that_number(replicas: object):
    judged = judge([policy(BROKEN)], facts(params={"replicas": replicas}))
    assert judged.effect == "Reject"
    assert judge([policy(rule("Quota", maxReplicas=5))], facts(params={"replicas": replicas})).effect == "Pass"


def test_a_limit_of_zero_permits_nothing():
    for bound in (rule("RateLimit", maxPerMinute=0), rule("RateLimit", maxPerHour=0), rule("Quota", maxReplicas=0)):
        assert judge([policy(bound)], facts()).effect == "Reject"
    assert judge([policy(rule("BlastRadius", maxTargets=0))], facts()).effect == "Reject"
    assert judge([policy(rule("CostCeiling", maxCostPerHour=0))], facts()).effect == "Reject"
    assert judge([], facts(safety={"rateLimit": 0})).effect == "Reject"


def test_a_missing_price_rejects_unless_it_is_allowed():
    unpriced = facts(target=a_target(cost_per_replica_hour=None))
    assert judge([policy(rule("CostCeiling", maxCostPerHour=100))], unpriced).effect == "Reject"
    assert judge([policy(rule("CostCeiling", maxCostPerHour=100, missing="Allow"))], unpriced).effect == "Pass"


def test_nobody_is_exempt_from_a_freeze_by_saying_so():
    frozen = rule(
        "ChangeFreeze",
        windows=[{"start": "2026-01-30T00:00:00Z", "end": "2026-01-31T00:00:00Z"}],
        exemptSources=["inframind"],
    )
    liar = facts(sources=frozenset({"mallory"}))
    with pytest.raises(ValueError, match=r"anything else belongs into spec\.evidence"):
        a_plan_with({"replicas": 5, "source": "inframind"})
    assert judge([policy(frozen)], liar).effect == "Reject"
    assert judge([policy(frozen)], facts()).effect == "Pass"


def test_a_breached_objective_allows_the_scale_up_that_would_cure_it():
    slow = a_target(p99_latency_ms=900.0, uptime_percent=90.0, success_rate_percent=80.0)
    bounds = policy(rule("SLO", maxP99LatencyMs=200, minSuccessRatePercent=99), rule("SLA", minUptimePercent=99.9))
    assert judge([bounds], facts(target=slow, params={"replicas": 5})).effect == "Pass"
    assert judge([bounds], facts("rollback", target=slow)).effect == "Pass"
    assert judge([bounds], facts(target=slow, params={"replicas": 1})).effect == "Reject"
    assert judge([bounds], facts("restart", target=slow)).effect == "Reject"


def test_a_claimed_cost_changes_nothing():
    bound = policy(rule("CostCeiling", maxCostPerHour=10))
    assert judge([bound], facts(target=a_target(cost_per_replica_hour=Decimal(3)))).effect == "Reject"
