"""What each rule type finds, by a table a type."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sentinel_operator.api.sentinelconfig import Prices
from sentinel_operator.core.policy.facts import Begun, Facts, Requests
from sentinel_operator.core.policy.judge import judge
from sentinel_operator.core.policy.price import cost_per_hour, requests_of
from tests.unit.policy.scenes import BRAIN, NOW, a_target, approved, facts, policy, rule

FRIDAY_EVENING = {"days": ["Friday"], "from": "22:00", "to": "06:00", "timezone": "Europe/Berlin"}


def at(text: str) -> Facts:
    return facts("restart", now=datetime.fromisoformat(text))


CASES: list[tuple[str, dict[str, Any], Facts, str]] = [
    ("cost within the ceiling", rule("CostCeiling", maxCostPerHour="12.5"), facts(), ""),
    ("cost above it", rule("CostCeiling", maxCostPerHour=12), facts(), "5 replicas cost 12.5 USD an hour, at most 12"),
    ("cheaper than before", rule("CostCeiling", maxCostPerHour=1), facts(params={"replicas": 2}), ""),
    ("a restart costs nothing", rule("CostCeiling", maxCostPerHour=1), facts("restart"), ""),
    ("other money", rule("CostCeiling", maxCostPerHour=99, currency="EUR"), facts(), "its price is not known in EUR"),
    ("first in a minute", rule("RateLimit", maxPerMinute=1), facts(), ""),
    ("second in a minute", rule("RateLimit", maxPerMinute=1), facts(begun={"Workload": Begun(1, 1)}), "1 changes were"),
    ("other scope", rule("RateLimit", maxPerHour=1, scope="Global"), facts(begun={"Workload": Begun(1, 1)}), ""),
    ("hour is full", rule("RateLimit", maxPerHour=3), facts(begun={"Workload": Begun(0, 3)}), "within a hour"),
    ("uptime kept", rule("SLA", minUptimePercent=99.9), facts("drain", kind="Node"), ""),
    ("uptime low", rule("SLA", minUptimePercent=99.99), facts("restart"), "the uptime is 99.95 %, below 99.99 %"),
    ("uptime unknown", rule("SLA", minUptimePercent=1), facts("restart", target=a_target(uptime_percent=None)), ""),
    (
        "uptime unknown and needed",
        rule("SLA", minUptimePercent=1, missing="Reject"),
        facts("restart", target=a_target(uptime_percent=None)),
        "the uptime is not known",
    ),
    ("fast enough", rule("SLO", maxP99LatencyMs=100), facts("restart"), ""),
    ("too slow", rule("SLO", maxP99LatencyMs=99.5), facts("restart"), "the p99 latency is 100 ms, above 99.5 ms"),
    ("an abort is a cure", rule("SLO", maxP99LatencyMs=9), facts("abort", kind="SentryModel"), ""),
    ("within the quota", rule("Quota", maxReplicas=5, maxCpuCores=10, maxMemoryGi=20, maxGpus=5), facts(), ""),
    ("too many GPUs", rule("Quota", maxGpus=4), facts(), "5 GPUs are asked for, at most 4"),
    ("too much memory", rule("Quota", maxMemoryGi="19.5"), facts(), "20 GiB of memory are asked for, at most 19.5"),
    ("unknown requests", rule("Quota", maxGpus=9), facts(target=a_target(requests=None)), "is not known"),
    ("before the night", rule("ChangeFreeze", recurring=[FRIDAY_EVENING]), at("2026-01-30T20:59:00+00:00"), ""),
    ("Friday night", rule("ChangeFreeze", recurring=[FRIDAY_EVENING]), at("2026-01-30T21:00:00+00:00"), "frozen from"),
    ("Saturday morning", rule("ChangeFreeze", recurring=[FRIDAY_EVENING]), at("2026-01-31T04:59:00+00:00"), "frozen"),
    ("Saturday at six", rule("ChangeFreeze", recurring=[FRIDAY_EVENING]), at("2026-01-31T05:00:00+00:00"), ""),
    ("Friday morning", rule("ChangeFreeze", recurring=[FRIDAY_EVENING]), at("2026-01-30T04:00:00+00:00"), ""),
    ("all Fridays", rule("ChangeFreeze", recurring=[{"days": ["Friday"]}]), at("2026-01-30T12:00:00+00:00"), "frozen"),
    (
        "Sunday is no Monday",
        rule("ChangeFreeze", recurring=[{"days": ["Monday"]}]),
        at("2026-02-01T12:00:00+00:00"),
        "",
    ),
    ("summer time", rule("ChangeFreeze", recurring=[FRIDAY_EVENING]), at("2026-07-03T20:30:00+00:00"), "frozen"),
    ("few targets", rule("BlastRadius", maxTargets=2), facts(in_flight=1), ""),
    ("many targets", rule("BlastRadius", maxTargets=2), facts(in_flight=2), "3 targets would be in change"),
    ("one of three", rule("BlastRadius", maxPercentUnavailable=34), facts("restart", target=a_target(at_risk=1)), ""),
    (
        "one of three is too much",
        rule("BlastRadius", maxPercentUnavailable=33),
        facts("restart", target=a_target(at_risk=1)),
        "33.3333 % would be unavailable, at most 33 %",
    ),
    ("scaled to one", rule("BlastRadius", minHealthy=2), facts(params={"replicas": 1}), "1 would stay ready"),
    ("scaled up from few ready", rule("BlastRadius", minHealthy=1), facts(target=a_target(ready=1)), ""),
    (
        "after a storm",
        rule("BlastRadius", stormCooldown="10m"),
        facts(last_failure=NOW - timedelta(minutes=9)),
        "nothing for 10m",
    ),
    ("long after", rule("BlastRadius", stormCooldown="10m"), facts(last_failure=NOW - timedelta(minutes=10)), ""),
    ("not approved", rule("Approval"), facts(), "waits for somebody with the right to approve"),
    ("approved", rule("Approval"), facts(approved=approved()), ""),
    ("approved by the proposer", rule("Approval"), facts(approved=approved(BRAIN)), "proposed it"),
    ("which is allowed", rule("Approval", allowSelf=True), facts(approved=approved(BRAIN)), ""),
    ("by somebody else", rule("Approval", approvers=["alice"]), facts(approved=approved()), "bob is none of them"),
    ("true", rule("CEL", expression="decision.verb == 'scale' && target.replicas < 4"), facts(), ""),
    ("false", rule("CEL", expression="target.ready > 3", message="too few"), facts(), "too few"),
    ("no answer", rule("CEL", expression="target.nothing > 3"), facts(), "no answer"),
    ("has", rule("CEL", expression="!has(telemetry.uptimePercent)"), facts(target=a_target(uptime_percent=None)), ""),
    ("macro", rule("CEL", expression="identity.groups.exists(g, g == 'system:authenticated')"), facts(), ""),
    ("labels", rule("CEL", expression="target.labels['tier'] == 'silver'"), facts(), "not true"),
]


@pytest.mark.parametrize(("bound", "case", "said"), [each[1:] for each in CASES], ids=[each[0] for each in CASES])
def test_it_is_found_so(bound: dict[str, Any], case: Facts, said: str):
    (entry,) = judge([policy(bound)], case).trace
    assert entry.verdict == ("Violated" if said else "Holds"), entry.message
    assert said in entry.message
    assert entry.rule == bound["type"]


def test_every_rule_type_is_tried_both_ways():
    from sentinel_operator.api.actionpolicy import MEMBERS

    for type_ in MEMBERS:
        assert {bool(said) for _, bound, _, said in CASES if bound["type"] == type_} == {True, False}, type_


def test_a_pod_costs_what_it_asks_for_at_the_rate_of_its_node():
    prices = Prices.model_validate(
        {
            "cpuHour": 0.04,
            "rates": [
                {"name": "h100", "nodeSelector": {"gpu": "h100"}, "cpuHour": 0.05, "memoryGibHour": 0.01, "gpuHour": 3},
                {"name": "free", "nodeSelector": {"gpu": "free"}, "gpuHour": 0},
            ],
        }
    )
    spec = {
        "containers": [
            {"resources": {"requests": {"cpu": "1500m", "memory": "2Gi"}, "limits": {"nvidia.com/gpu": 1, "cpu": 9}}},
            {"resources": {"requests": {"cpu": "500m"}}},
            {},
        ],
        "initContainers": [{"resources": {"requests": {"memory": "8Gi"}}}],
    }
    asked = requests_of(spec, prices)
    assert asked == Requests(cpu_cores=Decimal(2), memory_gi=Decimal(8), gpus=Decimal(1))
    assert cost_per_hour(asked, {"gpu": "h100"}, prices) == Decimal("3.18")
    assert cost_per_hour(asked, {"gpu": "free"}, prices) == 0
    assert cost_per_hour(asked, {"gpu": "t4"}, prices) is None, "what a GPU costs there is not known"
    assert cost_per_hour(Requests(cpu_cores=Decimal(2)), {"gpu": "t4"}, prices) == Decimal("0.08")
    assert cost_per_hour(asked, {}, None) is None
