"""Plans and policies in a few words."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sentinel_operator.api.actionplan import Decision
from sentinel_operator.api.actionpolicy import ActionPolicySpec
from sentinel_operator.core.policy.facts import Approved, Facts, Identity, Requests, TargetFacts
from sentinel_operator.core.policy.policy import Policy

NOW = datetime(2026, 1, 30, 12, 0, tzinfo=UTC)  # a Friday
BRAIN = Identity(username="system:serviceaccount:brains:inframind", groups=frozenset({"system:authenticated"}))
BOB = Identity(username="bob")
API_VERSION = {"SentryModel": "sentinel.dev/v1alpha1", "Node": "v1"}


def a_target(**more: Any) -> TargetFacts:
    """A workload of three replicas that is well."""
    values: dict[str, Any] = {
        "replicas": 3,
        "ready": 3,
        "labels": {"tier": "gold"},
        "requests": Requests(cpu_cores=Decimal(2), memory_gi=Decimal(4), gpus=Decimal(1)),
        "cost_per_replica_hour": Decimal("2.5"),
        "currency": "USD",
        "uptime_percent": 99.95,
        "p99_latency_ms": 100.0,
        "success_rate_percent": 99.9,
    }
    return TargetFacts(**{**values, **more})


def raw_decision(
    verb: str = "scale", *, kind: str = "Deployment", name: str = "web", id_: str = "one", **more: Any
) -> dict[str, Any]:
    params = {"params": {"replicas": 5}} if verb == "scale" else {}
    target: dict[str, Any] = {"apiVersion": API_VERSION.get(kind, "apps/v1"), "kind": kind, "name": name}
    return {"id": id_, "verb": verb, "target": target, **params, **more}


def facts(verb: str = "scale", *, target: TargetFacts | None = None, **more: Any) -> Facts:
    """A decision of the brain about a workload of namespace shop, at noon of a Friday."""
    decision = {key: more.pop(key) for key in ("kind", "name", "id_", "params", "safety") if key in more}
    values: dict[str, Any] = {
        "decision": Decision.model_validate(raw_decision(verb, **decision)),
        "namespace": "" if decision.get("kind") == "Node" else "shop",
        "who": BRAIN,
        "sources": frozenset({BRAIN.username, "inframind"}),
        "now": NOW,
        "target": target or a_target(),
    }
    return Facts(**{**values, **more})


def approved(by: Identity = BOB) -> Approved:
    return Approved(by=by, sources=frozenset({by.username}))


def policy(*rules: dict[str, Any], name: str = "guard", **spec: Any) -> Policy:
    return Policy(name=name, spec=ActionPolicySpec.model_validate({**spec, "rules": list(rules)} if rules else spec))


def rule(type_: str, *, on: str | None = None, **member: Any) -> dict[str, Any]:
    """`rule("Quota", maxReplicas=4)`: the member has the type's name."""
    names = {"SLA": "sla", "SLO": "slo", "CEL": "cel"}
    effect = {"onViolation": on} if on else {}
    return {"type": type_, names.get(type_, type_[0].lower() + type_[1:]): member, **effect}
