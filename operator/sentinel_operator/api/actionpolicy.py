"""ActionPolicy: what ActionPlans may do, to what, when, and who has to agree."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sentinel_operator.api.actionplan import Source, TargetKind
from sentinel_operator.api.actionrules import (
    BLAST_RADIUS_RULES,
    CHANGE_FREEZE_RULES,
    QUOTA_RULES,
    RATE_LIMIT_RULES,
    SERVICE_LEVEL_RULES,
    ApprovalRule,
    BlastRadius,
    CelRule,
    ChangeFreeze,
    CostCeiling,
    Quota,
    RateLimit,
    ServiceLevel,
    ServiceLevelAgreement,
)
from sentinel_operator.api.actionverbs import Verb
from sentinel_operator.api.base import Model
from sentinel_operator.api.conditions import Condition
from sentinel_operator.api.fields import Label, LabelMap, list_atomic, list_map, list_set
from sentinel_operator.api.rules import CEL, rules

PolicyMode = Literal["Enforce", "DryRun", "Audit", "Shadow"]
OnViolation = Literal["Reject", "RequireApproval", "Warn", "Log"]
RuleType = Literal["CostCeiling", "RateLimit", "SLA", "SLO", "Quota", "ChangeFreeze", "BlastRadius", "Approval", "CEL"]
MEMBERS: dict[RuleType, str] = {
    "CostCeiling": "costCeiling",
    "RateLimit": "rateLimit",
    "SLA": "sla",
    "SLO": "slo",
    "Quota": "quota",
    "ChangeFreeze": "changeFreeze",
    "BlastRadius": "blastRadius",
    "Approval": "approval",
    "CEL": "cel",
}
UserName = Annotated[str, Field(min_length=1, max_length=253)]


class SourceIdentity(Model):
    """Whom a source's name stands for. A plan may bear the name only if one of them creates it."""

    name: Source
    users: Annotated[list[UserName], Field(min_length=1, max_length=32), list_set()] | None = None
    """For example system:serviceaccount:sentinel-system:sentinel-bridge."""
    groups: Annotated[list[UserName], Field(min_length=1, max_length=32), list_set()] | None = None


SOURCE_IDENTITY_RULES = rules(
    CEL(
        rule="has(self.users) || has(self.groups)",
        message="set users, groups or both: nobody could bear the name",
        holds=lambda value: value.users is not None or value.groups is not None,
    )
)


class Selector(Model):
    """Which decisions are judged: those that all of its members match. What is absent matches everything."""

    sources: Annotated[list[Source], Field(min_length=1, max_length=32), list_set()] | None = None
    """Users' names and names of sources, as verified by the API server."""
    verbs: Annotated[list[Verb], Field(min_length=1, max_length=8), list_set()] | None = None
    namespaces: Annotated[list[Label], Field(min_length=1, max_length=64), list_set()] | None = None
    """Of the target; a Node has none and matches no list."""
    kinds: Annotated[list[TargetKind], Field(min_length=1, max_length=8), list_set()] | None = None
    labels: LabelMap | None = None
    """Of the target, as it is in the cluster. What does not exist has none."""


class PolicyRule(Model):
    """One bound: the type, and the member of that name."""

    type: RuleType
    cost_ceiling: CostCeiling | None = None
    rate_limit: Annotated[RateLimit, RATE_LIMIT_RULES] | None = None
    sla: ServiceLevelAgreement | None = None
    slo: Annotated[ServiceLevel, SERVICE_LEVEL_RULES] | None = None
    quota: Annotated[Quota, QUOTA_RULES] | None = None
    change_freeze: Annotated[ChangeFreeze, CHANGE_FREEZE_RULES] | None = None
    blast_radius: Annotated[BlastRadius, BLAST_RADIUS_RULES] | None = None
    approval: ApprovalRule | None = None
    cel: CelRule | None = None
    on_violation: OnViolation | None = None
    """Absent: Reject, and RequireApproval for an Approval. Warn and Log never keep a plan from being done."""


def _fits(rule: PolicyRule) -> bool:
    given = {alias for alias in MEMBERS.values() if _member(rule, alias) is not None}
    return given == {MEMBERS[rule.type]}


def _member(rule: PolicyRule, alias: str) -> object:
    return next(
        getattr(rule, name) for name, field in PolicyRule.model_fields.items() if (field.alias or name) == alias
    )


POLICY_RULE_RULES = rules(
    CEL(
        rule="["
        + ", ".join(f"has(self.{alias}) == (self.type == '{type_}')" for type_, alias in MEMBERS.items())
        + "].all(fits, fits)",
        message="must have the member that its type names, and no other",
        holds=_fits,
    ),
    CEL(
        rule="self.type != 'Approval' || !has(self.onViolation) || self.onViolation != 'Reject'",
        message="must not be Reject for an Approval: nothing could ever be approved",
        holds=lambda rule: rule.type != "Approval" or rule.on_violation != "Reject",
        field="onViolation",
    ),
)


class ActionPolicySpec(Model):
    """Rules for ActionPlans. Every decision is judged by every policy that matches it; no policy excuses from another.
    The strictest effect counts."""

    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    """The higher one is told of first."""
    mode: PolicyMode = "Enforce"
    """Enforce: as each rule's onViolation says. Audit: told in status, events and metrics. DryRun: told in status.
    Shadow: in the trace only. All but Enforce keep nothing from being done."""
    sources: (
        Annotated[
            list[Annotated[SourceIdentity, SOURCE_IDENTITY_RULES]], Field(min_length=1, max_length=32), list_map("name")
        ]
        | None
    ) = None
    """Names for users and groups; those of all policies add up."""
    selector: Selector | None = None
    """Absent: every decision."""
    rules: (
        Annotated[list[Annotated[PolicyRule, POLICY_RULE_RULES]], Field(min_length=1, max_length=32), list_atomic()]
        | None
    ) = None
    suspend: bool = False
    """Nothing is judged by it, nor compiled from it; its sources go on to stand for whom they did."""


class CompiledRule(Model):
    """Whether the API server itself holds to a rule."""

    index: int
    rule: Annotated[str, Field(max_length=32)]
    coverage: Literal["Whole", "Partial", "None"]
    reason: Annotated[str, Field(max_length=256)] = ""


class ActionPolicyStatus(Model):
    """What was observed."""

    observed_generation: Annotated[int, Field(json_schema_extra={"format": "int64"})] = -1
    compiled: Annotated[list[CompiledRule], Field(max_length=32), list_atomic()] | None = None
    """What the API server refuses also while the operator is down."""
    held: int = 0
    """Rules that the API server holds to, wholly or in part."""
    rules: int = 0
    conditions: Annotated[list[Condition], Field(max_length=32), list_map("type")] | None = None
