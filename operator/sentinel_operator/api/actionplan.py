"""ActionPlan: changes that somebody proposes; policies judge them, the operator does them once, verifies, undoes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from sentinel_operator.api.actionverbs import DECISION_RULES, TARGET_RULES, Verb
from sentinel_operator.api.analysis import Condition as Expression
from sentinel_operator.api.analysis import Delay, Prometheus, Web
from sentinel_operator.api.base import Model
from sentinel_operator.api.fields import (
    Duration,
    Extension,
    Label,
    Name,
    between,
    list_map,
    list_set,
)
from sentinel_operator.api.rules import CEL, exactly_one, matching, rules

PlanMode = Literal["Enforce", "DryRun", "Shadow"]
OnFailure = Literal["Rollback", "Stop", "Continue"]
TargetKind = Literal["SentryModel", "Deployment", "StatefulSet", "Node"]
MAX_DECISIONS = 32
_PARAM_LENGTH = 256

PlanId = Annotated[
    str,
    Field(min_length=1, max_length=128),
    rules(matching(r"^[A-Za-z0-9]([-A-Za-z0-9_.:]*[A-Za-z0-9])?$", "must hold letters, digits, '-', '_', '.' and ':'")),
]
Source = Annotated[
    str,
    Field(min_length=1, max_length=253),
    rules(matching(r"^[^\s,]+$", "must be a name without spaces and commas, as an ActionPolicy or the user's own")),
]
Moment = Annotated[
    str,
    Field(max_length=40),
    rules(
        matching(
            r"^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]([.][0-9]{1,9})?(Z|[+-][0-2][0-9]:[0-5][0-9])$",
            "must be a moment such as 2026-01-31T12:00:00Z",
        )
    ),
]
Ttl = Annotated[str, Field(max_length=32), between("1m", "1h")]


def _scalar(value: Any) -> Any:
    """Booleans are no parameters: `"true"` is."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise PydanticCustomError("int_or_string", "must be of type integer or string")
    if isinstance(value, str) and len(value) > _PARAM_LENGTH:
        raise PydanticCustomError("too_long_text", f"Too long: may not be more than {_PARAM_LENGTH} bytes")
    return value


Param = Annotated[
    int | str,
    BeforeValidator(_scalar),
    Extension({"x-kubernetes-int-or-string": True, "maxLength": _PARAM_LENGTH}),
]
Params = Annotated[dict[str, Param], Field(max_length=8)]


class Target(Model):
    """What is changed."""

    api_version: Annotated[str, Field(min_length=1, max_length=64)]
    kind: TargetKind
    name: Name
    namespace: Label | None = None
    """Absent: the plan's own. Another one only from the operator's own namespace, as is a Node."""
    cluster: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """Must be the SentinelConfig's clusterId where it is set."""


class PlanMetric(Model):
    """One thing that is measured, and its bound."""

    name: Label
    prometheus: Prometheus | None = None
    """{{name}} and {{namespace}} are those of the plan's first target."""
    web: Web | None = None
    max: float | None = None
    min: float | None = None
    success_condition: Expression | None = None
    """In CEL, over `result`, for example `result <= 0.01`."""
    failure_condition: Expression | None = None
    interval: Duration = "15s"
    count: Annotated[int, Field(ge=1, le=100)] = 1
    """Measurements that decide; errors do not count."""
    failure_limit: Annotated[int, Field(ge=0, le=99)] = 0
    """Failed measurements that are borne."""
    consecutive_error_limit: Annotated[int, Field(ge=0, le=100)] = 4
    initial_delay: Delay = "0s"


PLAN_METRIC_RULES = rules(
    exactly_one("prometheus", "web"),
    CEL(
        rule="has(self.successCondition) || has(self.failureCondition) || has(self.max) || has(self.min)",
        message="set max, min, successCondition or failureCondition: without a bound nothing is good or bad",
        holds=lambda value: any(
            each is not None for each in (value.max, value.min, value.success_condition, value.failure_condition)
        ),
    ),
    CEL(
        rule="!(has(self.successCondition) || has(self.failureCondition)) || !(has(self.max) || has(self.min))",
        message="set either max and min or successCondition and failureCondition",
        holds=lambda value: (
            (value.success_condition is None and value.failure_condition is None)
            or (value.max is None and value.min is None)
        ),
    ),
    CEL(
        rule="self.failureLimit < self.count",
        message="must be smaller than count: otherwise it could never fail",
        holds=lambda value: value.failure_limit < value.count,
        field="failureLimit",
    ),
)


class Preconditions(Model):
    """What must be true when the decision's turn has come; otherwise it fails and nothing is done."""

    uid: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """The target is this very object and no later namesake."""
    generation: Annotated[int, Field(ge=1, json_schema_extra={"format": "int64"})] | None = None
    """Nobody has changed the target's spec since."""
    metrics: (
        Annotated[list[Annotated[PlanMetric, PLAN_METRIC_RULES]], Field(min_length=1, max_length=4), list_map("name")]
        | None
    ) = None


class Safety(Model):
    """A bound that the proposer sets itself: at most so many changes of this target in the window. 0 permits none."""

    rate_limit: Annotated[int, Field(ge=0, le=10_000)]
    window: Annotated[str, Field(max_length=32), between("1s", "1h")] = "5m"


class Decision(Model):
    """One change."""

    id: Label
    verb: Verb
    target: Annotated[Target, TARGET_RULES]
    params: Params | None = None
    """scale: replicas. reschedule: node. rollback: revision (absent: the previous one). promote: step, or full. abort
    and pause: revision. Numbers may be strings."""
    ttl: Ttl = "15m"
    """It is not begun later than this after the earlier of createdAt and the object's creation, and given up then."""
    safety: Safety | None = None
    preconditions: Preconditions | None = None
    depends_on: Annotated[list[Label], Field(max_length=31), list_set()] | None = None
    """Decisions of this plan that have to be done before it."""


_DEPENDENCIES = rules(
    CEL(
        rule="self.all(one, !has(one.dependsOn) || one.dependsOn.all(id, id != one.id "
        "&& self.exists(two, two.id == id)))",
        message="must depend on other decisions of the plan only",
        holds=lambda value: all(
            name != one.id and any(name == two.id for two in value) for one in value for name in one.depends_on or ()
        ),
    )
)


class Verify(Model):
    """Whether the change was right. Without it a plan is completed when its decisions are done."""

    metrics: Annotated[
        list[Annotated[PlanMetric, PLAN_METRIC_RULES]], Field(min_length=1, max_length=8), list_map("name")
    ]
    timeout: Duration = "10m"
    """Without a verdict until then the verification has failed."""


class Approval(Model):
    """What a person with the right to `approve` actionplans says; who it was is recorded, not claimed."""

    decision: Literal["Approve", "Reject"]
    reason: Annotated[str, Field(max_length=1024)] = ""


class ActionPlanSpec(Model):
    """Changes that somebody proposes. Nothing of it can be edited but approval and suspend."""

    plan_id: PlanId
    """The same one again from the same source is the same plan and is not done twice."""
    source: Source
    """Who proposes. Must be true of whoever creates the object: the user's own name, or a name that ActionPolicies
    give to that user."""
    correlation_id: Annotated[str, Field(max_length=128)] = ""
    created_at: Moment | None = None
    """When the proposer made it. A moment to come counts as now."""
    mode: PlanMode = "Enforce"
    """DryRun: judged and diffed, not done. Shadow: judged and recorded, not done."""
    decisions: Annotated[
        list[Annotated[Decision, DECISION_RULES]],
        Field(min_length=1, max_length=MAX_DECISIONS),
        list_map("id"),
        _DEPENDENCIES,
    ]
    verify: Verify | None = None
    on_failure: OnFailure = "Rollback"
    """Rollback: what was done is undone in reverse order. Stop: it stays, the rest is left. Continue: the rest that
    does not depend on it is done."""
    evidence: Annotated[dict[str, Annotated[str, Field(max_length=1024)]], Field(max_length=32)] | None = None
    """Shown to whoever approves. No policy reads it."""
    approval: Approval | None = None
    suspend: bool = False
    """Begins nothing further; what was begun is finished."""


CHANGEABLE = frozenset({"approval", "suspend"})
