"""What became of an ActionPlan: its state, why, what each decision did, and how it is taken back."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sentinel_operator.api.analysis import AnalysisStatus
from sentinel_operator.api.base import Model
from sentinel_operator.api.conditions import Condition
from sentinel_operator.api.conditions import Decision as LastDecision
from sentinel_operator.api.fields import list_atomic, list_map

PlanState = Literal[
    "Pending",
    "Validating",
    "Rejected",
    "AwaitingApproval",
    "Approved",
    "Scheduled",
    "Executing",
    "Verifying",
    "Completed",
    "RollingBack",
    "RolledBack",
    "Failed",
    "Expired",
    "Superseded",
]
FINISHED: frozenset[PlanState] = frozenset({"Rejected", "Completed", "RolledBack", "Failed", "Expired", "Superseded"})
ACTING: frozenset[PlanState] = frozenset({"Executing", "Verifying", "RollingBack"})
"""States in which a plan has its targets to itself."""
DecisionState = Literal[
    "Pending", "Executing", "Done", "Simulated", "Failed", "Expired", "Skipped", "Undoing", "Undone", "UndoFailed"
]
Effect = Literal["Pass", "Log", "Warn", "RequireApproval", "Reject"]
MAX_TRACE = 512
MAX_DIFF = 256
MAX_HISTORY = 64
Short = Annotated[str, Field(max_length=253)]
Text = Annotated[str, Field(max_length=1024)]
Json = Annotated[str, Field(max_length=65_536)]


class Who(Model):
    """Somebody, as the API server has authenticated them."""

    username: Annotated[str, Field(max_length=512)] = ""
    groups: Annotated[list[Annotated[str, Field(max_length=512)]], Field(max_length=64), list_atomic()] | None = None


class ApprovalRecord(Model):
    """Who approved or rejected the plan, as the API server has authenticated them."""

    decision: Literal["Approve", "Reject"]
    by: Who
    at: str = ""
    reason: Text = ""


class TraceEntry(Model):
    """One rule of one policy on one decision."""

    decision: Short
    policy: Short
    priority: int = 0
    mode: Literal["Enforce", "Audit", "DryRun", "Shadow"] = "Enforce"
    rule: Annotated[str, Field(max_length=32)]
    index: int = 0
    """Which of the policy's rules."""
    inputs: Annotated[dict[str, Annotated[str, Field(max_length=256)]], Field(max_length=32)] | None = None
    """What it was judged by, as the operator measured it."""
    verdict: Literal["Holds", "Violated"]
    effect: Effect
    message: Text = ""


class Change(Model):
    """One field before and after."""

    decision: Short
    object: Short
    path: Short
    before: Text = ""
    """As JSON; empty where there is nothing."""
    after: Text = ""


class EditStatus(Model):
    """One field that a decision sets, with the value that it sets it back to. Absolute: to do it twice is to do it
    once."""

    path: Annotated[list[Annotated[str, Field(max_length=317)]], Field(max_length=16), list_atomic()]
    before: Json = ""
    """As JSON; empty where the field is absent."""
    after: Json = ""


class IntentStatus(Model):
    """What a decision does to one object. It is written before anything is done."""

    api_version: Short
    kind: Short
    namespace: Short = ""
    name: Short
    uid: Short
    generation: Annotated[int, Field(json_schema_extra={"format": "int64"})] = 0
    """Of the object when this was written; 0 where it has none."""
    edits: Annotated[list[EditStatus], Field(max_length=16), list_atomic()] | None = None
    evict: Annotated[list[Short], Field(max_length=512), list_atomic()] | None = None
    """Uids of pods that have to leave their node."""
    temporary: bool = False
    """The edits are taken back as soon as the pods have left."""


class DecisionStatus(Model):
    """What became of one decision."""

    id: Annotated[str, Field(max_length=63)]
    state: DecisionState = "Pending"
    message: Text = ""
    started_at: str = ""
    """When its intent was recorded."""
    acted_at: str = ""
    """When it was first seen done."""
    finished_at: str = ""
    intents: Annotated[list[IntentStatus], Field(max_length=4), list_atomic()] | None = None
    undo: Annotated[list[IntentStatus], Field(max_length=4), list_atomic()] | None = None
    """The inverse, as it is carried out when the plan is rolled back."""


class Transition(Model):
    """A state that the plan came to."""

    number: Annotated[int, Field(ge=1)]
    """Counts the plan's transitions from 1 on; the CloudEvent of it has this number in its id."""
    state: PlanState
    at: str
    message: Text = ""


class ActionPlanStatus(Model):
    """What was observed."""

    observed_generation: Annotated[int, Field(json_schema_extra={"format": "int64"})] = -1
    state: PlanState | None = None
    message: Text = ""
    expires_at: str = ""
    """When the last of its decisions cannot be begun any more."""
    requested_by: Who | None = None
    approval: ApprovalRecord | None = None
    judged_at: str = ""
    trace: Annotated[list[TraceEntry], Field(max_length=MAX_TRACE), list_atomic()] | None = None
    """Every rule of every policy that matched, on every decision, in the order of the policies' priority."""
    diff: Annotated[list[Change], Field(max_length=MAX_DIFF), list_atomic()] | None = None
    """What it changes, or would."""
    decisions: Annotated[list[DecisionStatus], Field(max_length=32), list_map("id")] | None = None
    analysis: AnalysisStatus | None = None
    failure: Text = ""
    """What went wrong first."""
    started_at: str = ""
    finished_at: str = ""
    history: Annotated[list[Transition], Field(max_length=MAX_HISTORY), list_atomic()] | None = None
    """Every state that it came to, the last one last. Of a plan that came to more, the last ones."""
    published: Annotated[int, Field(ge=0)] | None = None
    """Up to which number of the history the sink of CloudEvents was told; written with whatever is written next, and at
    the plan's end."""
    publish_refused: Annotated[int, Field(ge=0)] | None = None
    """How many of these the sink refused for good."""
    done: int = 0
    total: int = 0
    last_decision: LastDecision | None = None
    conditions: Annotated[list[Condition], Field(max_length=32), list_map("type")] | None = None
