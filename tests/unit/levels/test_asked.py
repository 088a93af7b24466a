"""What policies ask to be measured: of whom, and nothing beyond."""

from __future__ import annotations

from typing import Any

import pytest

from sentinel_operator.core.levels.asked import asked_about, asking, may_be_asked_about
from sentinel_operator.core.levels.measured import LEVELS
from tests.unit.policy.scenes import a_target, facts, policy, rule

UPTIME, SLOW, BAD = {"uptimePercent"}, {"p99LatencyMs"}, {"successRatePercent"}
WEB = {"metadata": {"name": "web", "namespace": "shop", "labels": {"tier": "gold"}}}
RULES: list[tuple[dict[str, Any], set[str]]] = [
    (rule("SLA", minUptimePercent=99), UPTIME),
    (rule("SLO", maxP99LatencyMs=100), SLOW),
    (rule("SLO", minSuccessRatePercent=99), BAD),
    (rule("SLO", maxP99LatencyMs=100, minSuccessRatePercent=99), SLOW | BAD),
    (rule("CEL", expression="has(telemetry.uptimePercent) && telemetry.uptimePercent > 99.0"), UPTIME),
    (rule("CEL", expression="telemetry . p99LatencyMs < 3.0"), SLOW),
    (rule("CEL", expression="telemetry['successRatePercent'] > 1.0"), set(LEVELS)),
    (rule("CEL", expression="telemetry.nothing"), set(LEVELS)),
    (rule("CEL", expression="decision.verb == 'scale'"), set()),
    (rule("Quota", maxReplicas=3), set()),
    (rule("Approval"), set()),
]


@pytest.mark.parametrize(("bound", "levels"), RULES)
def test_a_rule_asks_for_what_it_judges_by(bound, levels):
    policies = [policy(bound)]
    assert asked_about(policies, facts()) == levels
    assert may_be_asked_about(policies, "Deployment", WEB) == levels
    assert bool(asking(policies)) == bool(levels)


@pytest.mark.parametrize("mode", ["Enforce", "Audit", "DryRun", "Shadow"])
def test_every_mode_tells_what_it_was_judged_by(mode):
    assert asked_about([policy(RULES[0][0], mode=mode)], facts()) == UPTIME


def test_a_policy_that_is_suspended_or_cannot_be_read_asks_for_nothing():
    from sentinel_operator.core.policy.policy import Policy

    off = [policy(RULES[0][0], suspend=True), Policy(name="broken", spec=None, problem="x")]
    assert asking(off) == ()
    assert asked_about(off, facts()) == set()


@pytest.mark.parametrize(
    ("selector", "decided", "ever"),
    [
        ({}, True, True),
        ({"namespaces": ["shop"]}, True, True),
        ({"namespaces": ["elsewhere"]}, False, False),
        ({"kinds": ["StatefulSet"]}, False, False),
        ({"labels": {"tier": "gold"}}, True, True),
        ({"labels": {"tier": "silver"}}, False, False),
        ({"verbs": ["restart"]}, False, True),
        ({"sources": ["mallory"]}, False, True),
        ({"sources": ["inframind"], "verbs": ["scale"]}, True, True),
    ],
)
def test_only_whom_a_policy_is_about_is_measured(selector, decided, ever):
    policies = [policy(RULES[0][0], selector=selector)]
    assert bool(asked_about(policies, facts(target=a_target()))) is decided
    assert bool(may_be_asked_about(policies, "Deployment", WEB)) is ever


def test_what_several_policies_ask_for_adds_up():
    policies = [policy(RULES[0][0], name="a"), policy(RULES[1][0], name="b"), policy(RULES[9][0], name="c")]
    assert asked_about(policies, facts()) == UPTIME | SLOW
