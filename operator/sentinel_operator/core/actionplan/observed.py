"""What one pass knows about a plan, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sentinel_operator.api.actionplan import ActionPlanSpec, Decision
from sentinel_operator.api.actionstatus import ActionPlanStatus
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.core.actionplan.expiry import born, deadline
from sentinel_operator.core.actionplan.stamps import ApprovalStamp
from sentinel_operator.core.actionplan.surroundings import Surroundings
from sentinel_operator.core.actionplan.verbs.case import Case
from sentinel_operator.core.actionplan.view import TargetView
from sentinel_operator.core.analysis.measurement import Measurement
from sentinel_operator.core.policy.facts import Identity
from sentinel_operator.core.policy.plan import PlanJudgement
from sentinel_operator.core.targets import TargetKey

MEASURED = "plan"
"""Under which name a plan's measurements are kept, where those of a delivery have the revision."""


@dataclass(slots=True)
class Memory:
    """What the steps of one pass need work out only once: it does not depend on the status, which alone they change."""

    verdict: PlanJudgement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One look at a plan and all around it."""

    uid: str
    namespace: str
    name: str
    generation: int
    created: datetime
    deleting: bool
    spec: ActionPlanSpec | None
    problem: str
    requester: Identity | None
    stamp: ApprovalStamp | None
    status: ActionPlanStatus
    config: SentinelConfigSpec
    around: Surroundings
    now: datetime
    measured: Mapping[str, Measurement] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory, compare=False)

    @property
    def plan(self) -> ActionPlanSpec:
        """Gives the spec of a plan that was understood."""
        if self.spec is None:
            raise ValueError(f"the plan {self.namespace}/{self.name} was not understood")
        return self.spec

    @property
    def may_touch_nodes(self) -> bool:
        """Tells whether the plan is where those who run the cluster put theirs."""
        return self.namespace == self.config.operator_namespace

    def key(self, decision: Decision) -> TargetKey:
        """Names a decision's target."""
        target = decision.target
        return TargetKey(target.kind, "" if target.kind == "Node" else target.namespace or self.namespace, target.name)

    def view(self, decision: Decision) -> TargetView:
        """Gives a decision's target as it is now."""
        return self.around.targets.get(self.key(decision)) or TargetView(raw=None)

    def case(self, decision: Decision) -> Case:
        """Gives what a verb is asked with."""
        return Case(
            decision=decision,
            view=self.view(decision),
            nodes=self.around.nodes,
            now=self.now,
            may_cordon=self.may_touch_nodes,
        )

    def deadline(self, decision: Decision) -> datetime:
        """Gives from when on a decision is not begun any more."""
        return deadline(decision, born(self.plan, self.created))

    def is_late(self, decision: Decision) -> bool:
        """Tells whether a decision may not be begun any more."""
        return self.now >= self.deadline(decision)
