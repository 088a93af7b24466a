"""What the engine tells a pass about a plan beside the plan itself: read afresh, not remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sentinel_operator.core.actionplan.history import Told
from sentinel_operator.core.actionplan.neighbours import Neighbours
from sentinel_operator.core.actionplan.view import TargetView
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.policy.policy import Policy
from sentinel_operator.core.targets import TargetKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """All of it as of this pass. Of a plan that is finished nothing of it is needed."""

    policies: tuple[Policy, ...] = ()
    targets: Mapping[TargetKey, TargetView] = field(default_factory=dict)
    """Every target of the plan; one that was asked for and is not there has no `raw`."""
    nodes: Mapping[str, Manifest] = field(default_factory=dict)
    """All nodes, by name."""
    neighbours: Neighbours = field(default_factory=Neighbours)
    locked: bool = False
    """The plan has all of its targets to itself."""
    holders: Mapping[TargetKey, str] = field(default_factory=dict)
    """Of its targets those that another plan has, and which."""
    rehearsed: Mapping[str, str] | None = None
    """What the API server said of each rehearsed decision: empty where it would take it. None: it was not asked."""
    told: Told | None = None
    """How far the sink of events has been told of the plan; None where there is none."""


NOWHERE = Surroundings()
