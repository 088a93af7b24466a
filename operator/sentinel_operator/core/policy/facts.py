"""What a change is judged by. Nothing of it is a plan's own word but what it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from sentinel_operator.api.actionplan import Decision
from sentinel_operator.api.actionverbs import whole_number
from sentinel_operator.core.levels.measured import HOW, Level

Scope = Literal["Workload", "Namespace", "Cluster", "Global"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody, as the API server has authenticated them."""

    username: str
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """What one pod asks for."""

    cpu_cores: Decimal = Decimal(0)
    memory_gi: Decimal = Decimal(0)
    gpus: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFacts:
    """The target as it is in the cluster; None where it is not known."""

    exists: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)
    replicas: int | None = None
    """Wanted now. Of a Node: how many nodes there are."""
    ready: int | None = None
    """Of a Node: how many nodes are ready and take pods."""
    at_risk: int = 0
    """How many of the ready ones the change takes down at once."""
    requests: Requests | None = None
    cost_per_replica_hour: Decimal | None = None
    currency: str = ""
    uptime_percent: float | None = None
    p99_latency_ms: float | None = None
    success_rate_percent: float | None = None
    measured: Mapping[Level, str] = field(default_factory=dict)
    """Of the three above: how and over which time it was measured, or why it is not known."""

    @property
    def levels(self) -> dict[Level, float | None]:
        """Gives the service levels by their names."""
        return {
            "uptimePercent": self.uptime_percent,
            "p99LatencyMs": self.p99_latency_ms,
            "successRatePercent": self.success_rate_percent,
        }

    def shown(self, *levels: Level) -> dict[str, object]:
        """Gives service levels for a trace, each with how it was measured where anybody looked."""
        known = self.levels
        figures: dict[str, object] = {level: known[level] for level in levels}
        if self.measured:
            figures |= {HOW[level]: self.measured[level] for level in levels if level in self.measured}
        return figures


@dataclass(frozen=True, slots=True)
class Begun:
    """How many changes were begun in the last minute and hour."""

    minute: int = 0
    hour: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """Who has approved the plan, and as whom they count."""

    by: Identity
    sources: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that one decision is judged by."""

    decision: Decision
    namespace: str
    """Of the target; empty for a Node."""
    who: Identity
    """Who created the plan."""
    sources: frozenset[str]
    """All names that are true of them."""
    now: datetime
    target: TargetFacts = field(default_factory=TargetFacts)
    targets: int = 1
    """Different targets of this plan."""
    in_flight: int = 0
    """Targets of other plans under way, that are none of this plan's."""
    begun: Mapping[Scope, Begun] = field(default_factory=dict)
    begun_in_own_window: int = 0
    """Changes of this target within the window that the decision's own `safety` names."""
    last_failure: datetime | None = None
    """When a plan last failed or was undone."""
    approved: Approved | None = None

    @property
    def replicas_after(self) -> int | None:
        """Gives how many replicas are wanted after the change; None where that is not known."""
        if self.decision.verb == "scale":
            return whole_number((self.decision.params or {})["replicas"])
        return self.target.replicas

    @property
    def is_cure(self) -> bool:
        """Tells whether the change is one that helps a workload in need: more replicas, or back to what worked."""
        match self.decision.verb:
            case "scale":
                after, before = self.replicas_after, self.target.replicas
                return after is not None and before is not None and after > before
            case "rollback" | "abort":
                return True
            case _:
                return False
