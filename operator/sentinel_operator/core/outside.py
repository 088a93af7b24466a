"""What a pass is told beside the objects that it looks after: what was measured and asked for it, and what is true of
the cluster as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sentinel_operator.api.nodetelemetry import NodeTelemetryStatus
from sentinel_operator.core.actionplan.surroundings import Surroundings
from sentinel_operator.core.analysis.measurement import Measurement
from sentinel_operator.core.podreport import PodReport
from sentinel_operator.core.rollout.observed import Budget, GateView


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """All of it is as of the last time that it was looked at; what is not known is empty."""

    measured: Mapping[str, Mapping[str, Measurement]] = field(default_factory=dict)
    """The newest measurement of each metric, by revision and metric."""
    gates: Mapping[str, GateView] = field(default_factory=dict)
    """The last answer of each gate that is being asked, by its key."""
    reports: Mapping[str, PodReport] = field(default_factory=dict)
    """What pods say that are asked, by the pod's uid: of the revisions that they hold, or how far they are."""
    nodes: Mapping[str, NodeTelemetryStatus] = field(default_factory=dict)
    """What the nodes of its pods tell of themselves, by node."""
    budget: Budget = field(default_factory=Budget)
    """Whether a rollout of this object may begin now."""
    spare: bool | None = None
    """Whether one more pod of this object would find room in the cluster beside what runs; None if it was not asked."""

    plan: Surroundings | None = None
    """Of an ActionPlan: its targets, the policies and the other plans, read for this pass."""


NOTHING = Outside()
