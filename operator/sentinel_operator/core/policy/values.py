"""The facts as expressions see them. What is not known is not there: `has()` tells, and reading it has no answer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sentinel_operator.core.policy.facts import Facts

NAMES = frozenset({"decision", "target", "telemetry", "identity", "plan"})


@dataclass(frozen=True)
class Values:
    """The facts, made into values of CEL once, and only if an expression asks."""

    facts: Facts

    @cached_property
    def activation(self) -> Any:
        """Gives the names with their values as celpy looks them up; made once for all expressions."""
        import celpy  # noqa: PLC0415 - costs memory that only users of expressions should pay
        from celpy.adapter import json_to_cel  # noqa: PLC0415
        from celpy.evaluation import Activation  # noqa: PLC0415

        made = Activation(annotations=celpy.Environment().annotations)
        made.identifiers.load_values({name: json_to_cel(value) for name, value in as_json(self.facts).items()})
        return made


def as_json(facts: Facts) -> dict[str, Any]:
    """Gives each name's value as JSON."""
    target, price, after = facts.target, facts.target.cost_per_replica_hour, facts.replicas_after
    return {
        "decision": facts.decision.model_dump(mode="json", by_alias=True, exclude_none=True),
        "target": _known(
            exists=target.exists,
            labels=dict(target.labels),
            namespace=facts.namespace,
            replicas=target.replicas,
            ready=target.ready,
            costPerHour=float(price * after) if price is not None and after is not None else None,
        ),
        "telemetry": _known(
            uptimePercent=target.uptime_percent,
            p99LatencyMs=target.p99_latency_ms,
            successRatePercent=target.success_rate_percent,
        ),
        "identity": identity_json(facts.who.username, facts.who.groups),
        "plan": {"targets": facts.targets, "inFlight": facts.in_flight},
    }


def identity_json(username: str, groups: frozenset[str]) -> dict[str, Any]:
    """Gives somebody as JSON."""
    return {"username": username, "groups": sorted(groups)}


def _known(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
