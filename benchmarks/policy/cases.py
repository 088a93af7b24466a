"""A hundred policies of every type, and changes that keep or break them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sentinel_operator.api.actionplan import Decision
from sentinel_operator.api.actionpolicy import ActionPolicySpec
from sentinel_operator.core.policy.facts import Begun, Facts, Identity, Requests, TargetFacts
from sentinel_operator.core.policy.policy import Policy

NOON = datetime(2026, 1, 30, 12, 0, tzinfo=UTC)
_RULES: tuple[dict[str, Any], ...] = (
    {"type": "CostCeiling", "costCeiling": {"maxCostPerHour": "40"}},
    {"type": "RateLimit", "rateLimit": {"maxPerMinute": 10, "maxPerHour": 100}},
    {"type": "SLA", "sla": {"minUptimePercent": 99.0}},
    {"type": "SLO", "slo": {"maxP99LatencyMs": 250, "minSuccessRatePercent": 99}},
    {"type": "Quota", "quota": {"maxReplicas": 20, "maxGpus": 16}},
    {
        "type": "ChangeFreeze",
        "changeFreeze": {"recurring": [{"days": ["Saturday", "Sunday"], "timezone": "Europe/Berlin"}]},
    },
    {"type": "BlastRadius", "blastRadius": {"maxTargets": 10, "minHealthy": 1}},
    {"type": "CEL", "cel": {"expression": "decision.verb != 'drain' && target.replicas < 50"}},
)


def policies(count: int) -> list[Policy]:
    """Gives policies of two rules each; every tenth has an expression."""
    plain = _RULES[:-1]
    return [
        Policy(
            name=f"policy-{number:03}",
            spec=ActionPolicySpec.model_validate(
                {
                    "priority": number % 10,
                    "selector": {"namespaces": ["shop", "models"], "verbs": ["scale", "restart"]},
                    "rules": [
                        plain[number % len(plain)],
                        _RULES[-1] if number % 10 == 0 else plain[(number + 3) % len(plain)],
                    ],
                }
            ),
        )
        for number in range(count)
    ]


def decisions(count: int) -> list[Facts]:
    """Gives changes, the same ones each time."""
    chance = random.Random(7)
    return [_decision(chance) for _ in range(count)]


def _decision(chance: random.Random) -> Facts:
    verb = chance.choice(["scale", "scale", "restart"])
    raw: dict[str, Any] = {
        "id": "one",
        "verb": verb,
        "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"web-{chance.randrange(100)}"},
    }
    if verb == "scale":
        raw["params"] = {"replicas": chance.randrange(30)}
    who = Identity(username="system:serviceaccount:brains:inframind")
    replicas = chance.randrange(1, 20)
    return Facts(
        decision=Decision.model_validate(raw),
        namespace=chance.choice(["shop", "models"]),
        who=who,
        sources=frozenset({who.username}),
        now=NOON + timedelta(hours=chance.randrange(24 * 7)),
        target=TargetFacts(
            replicas=replicas,
            ready=replicas,
            requests=Requests(cpu_cores=Decimal(2), memory_gi=Decimal(4), gpus=Decimal(chance.randrange(2))),
            cost_per_replica_hour=Decimal("2.5"),
            currency="USD",
            uptime_percent=chance.uniform(98, 100),
            p99_latency_ms=chance.uniform(50, 300),
            success_rate_percent=chance.uniform(98.5, 100),
        ),
        begun={"Workload": Begun(chance.randrange(12), chance.randrange(110))},
    )
