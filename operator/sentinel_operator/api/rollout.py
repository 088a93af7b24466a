"""Progressive delivery: how a new revision takes over from the old, and where that stands."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from sentinel_operator.api.analysis import AnalysisSpec, Url
from sentinel_operator.api.base import Model
from sentinel_operator.api.fields import Duration, IntOrPercent, Text, between, list_atomic
from sentinel_operator.api.rules import CEL, at_most_one, exactly_one, matching, rules

Strategy = Literal["Canary", "BlueGreen", "Shadow", "HotSwap", "Auto", "RollingUpdate", "Recreate"]
DEFAULT_STRATEGY: Strategy = "Canary"
DEFAULT_WEIGHTS = (10, 50, 100)
"""Steps of a canary that names none: each a weight and an analysis."""
DEFAULT_STEP_SECONDS = 180.0
"""For how long each of those is looked at."""
Delay = Annotated[str, Field(max_length=32), between("0s", "24h")]
RevisionId = Annotated[
    str,
    Field(min_length=1, max_length=63),
    rules(matching(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "must be the name of a revision, as status.revisions has it")),
]
Percent = Annotated[int, Field(ge=1, le=100)]
Attempt = Annotated[int, Field(ge=1, le=1000)]


# ---------------------------------------------------------------------------------------------- canary


class Pause(Model):
    """Waits. Without a duration until a person promotes the revision past this step."""

    duration: Duration | None = None


class SetScale(Model):
    """Sets the number of the candidate's pods apart from its weight, until the next setScale."""

    replicas: Annotated[int, Field(ge=1, le=1000)] | None = None
    percent: Percent | None = None
    """Of the wanted replicas, rounded up."""


SET_SCALE_RULES = rules(exactly_one("replicas", "percent"))


class Webhook(Model):
    """A POST that opens the gate by answering with a status below 300. Anything else keeps it closed."""

    url: Url


class Gate(Model):
    """Asks before it goes on, again and again until the timeout; then a person decides."""

    webhook: Webhook
    timeout: Duration = "10m"


class CanaryStep(Model):
    """One step; exactly one of its members."""

    set_weight: Annotated[int, Field(ge=0, le=100)] | None = None
    """Percent of the requests. By replicas where the Service routes: nearest integer, at least one pod each."""
    pause: Pause | None = None
    set_scale: Annotated[SetScale, SET_SCALE_RULES] | None = None
    analysis: AnalysisSpec | None = None
    gate: Gate | None = None


CANARY_STEP_RULES = rules(exactly_one("setWeight", "pause", "setScale", "analysis", "gate"))


class Canary(Model):
    """A growing share of the requests. Stable keeps all of its pods until the candidate has been promoted."""

    steps: (
        Annotated[
            list[Annotated[CanaryStep, CANARY_STEP_RULES]],
            Field(min_length=1, max_length=32),  # × metrics × headers: at twice that, rules cost more than is allowed
            list_atomic(),
        ]
        | None
    ) = None
    """Absent: 10, 50 and 100 percent, 180 s of analysis at each. After the last step the candidate takes over."""
    analysis: AnalysisSpec | None = None
    """Of the steps that stand for absent ones. Absent: as an analysis without metrics."""


# ---------------------------------------------------------------------------------------------- the other strategies


class BlueGreen(Model):
    """A whole second set of pods behind a preview Service, then one switch."""

    pre_promotion_analysis: AnalysisSpec | None = None
    auto_promote: bool = True
    """Otherwise it waits at step 2 for a person."""
    post_promotion_analysis: AnalysisSpec | None = None
    """After the switch; a failure switches back."""
    scale_down_delay: Delay = "30s"
    """How long the old pods stay for an instant return."""


class Shadow(Model):
    """The candidate sees copies of requests; its answers are compared and never returned."""

    percent: Percent = 10
    """Of stable's requests."""
    duration: Duration = "10m"
    analysis: AnalysisSpec | None = None
    """Judges the comparison. Absent: as an analysis without metrics."""


class HotSwap(Model):
    """Same pods: the candidate is loaded beside the current model, compared on real inputs, then flipped to."""

    replay: Annotated[int, Field(ge=0, le=10_000)] = 100
    """Real inputs of each pod that the candidate is compared on before it answers any; 0 compares nothing."""
    min_label_agreement: Annotated[float, Field(ge=0, le=1)] = 0.95
    max_score_difference: Annotated[float, Field(ge=0, le=1)] = 1.0
    analysis: AnalysisSpec | None = None
    """After the flip; a failure flips back."""
    keep_for: Delay = "30s"
    """How long the old model stays loaded for an instant return."""


class RollbackWindow(Model):
    """Going back to a revision that was promoted lately needs no steps and no analysis."""

    revisions: Annotated[int, Field(ge=1, le=50)] | None = None
    """Promoted no more than this many promotions ago."""
    duration: Annotated[str, Field(max_length=32), between("1s", "9999h")] | None = None
    """Promoted no longer ago than this."""


ROLLBACK_WINDOW_RULES = rules(
    CEL(
        rule="has(self.revisions) || has(self.duration)",
        message="set revisions, duration or both",
        holds=lambda value: value.revisions is not None or value.duration is not None,
    )
)


# ---------------------------------------------------------------------------------------------- what a person says


class Promote(Model):
    """Lets one attempt of one revision go on, and no other: left in Git it does nothing later."""

    revision: RevisionId
    attempt: Attempt = 1
    """As in status.rollout."""
    step: Annotated[int, Field(ge=0, le=64)] | None = None
    """Goes on past this step (as in status.rollout) and those before it, whatever they wait for."""
    full: bool = False
    """Skips all steps and analyses that are left."""


PROMOTE_RULES = rules(
    CEL(
        rule="has(self.step) != self.full",
        message="set either step or full: true",
        holds=lambda value: (value.step is not None) != value.full,
    )
)


class Retry(Model):
    """Delivers a revision again that failed, was rejected or aborted."""

    revision: RevisionId
    attempt: Attempt = 2
    """The attempt that is asked for, one more than there were; once made, it is not made again."""


class RollbackTo(Model):
    """Delivers an earlier revision in place of the one that the spec asks for."""

    revision: RevisionId
    instead_of: RevisionId
    """The revision that the spec asks for. Once it asks for another, this does nothing."""


# ---------------------------------------------------------------------------------------------- the whole


class RolloutSpec(Model):
    """How a new revision takes over from the old. The verbs are promote, paused, abort, retry and rollbackTo: one at
    a time, and each names the revision that it is meant for."""

    strategy: Strategy = DEFAULT_STRATEGY
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    """Where SentinelConfig limits rollouts: of those that wait, the one with the highest begins first, then the one
    that has waited longest."""
    max_surge: IntOrPercent | None = None
    """Pods beyond the wanted number (rounded up). Absent: 25% for RollingUpdate, 100% for Canary and Shadow, which
    end in a rolling update where it is less. BlueGreen needs 100%, HotSwap none."""
    max_unavailable: IntOrPercent = 0
    """Pods that may be missing from the wanted number in a rolling update (rounded down)."""
    progress_deadline: Duration = "10m"
    """Without progress for this long the rollout is stalled; the old revision goes on serving."""
    revision_history_limit: Annotated[int, Field(ge=1, le=50)] = 10
    canary: Canary = Canary()
    blue_green: BlueGreen = BlueGreen()
    shadow: Shadow = Shadow()
    hot_swap: HotSwap = HotSwap()
    rollback_window: Annotated[RollbackWindow, ROLLBACK_WINDOW_RULES] | None = None
    promote: Annotated[Promote, PROMOTE_RULES] | None = None
    paused: RevisionId | None = None
    """Keeps this revision at the step at which it is."""
    abort: RevisionId | None = None
    """Returns all requests to stable; this revision is not delivered again without retry."""
    retry: Retry | None = None
    rollback_to: RollbackTo | None = None


def _none(value: Any) -> bool:
    return str(value) in {"0", "0%"}


ROLLOUT_SPEC_RULES = rules(
    at_most_one("promote", "paused", "abort", "retry", "rollbackTo"),
    CEL(
        rule="!has(self.maxSurge) || !(string(self.maxSurge) in ['0', '0%'] "
        "&& string(self.maxUnavailable) in ['0', '0%'])",
        message="must not be 0 when maxUnavailable is 0: no pod could ever be replaced",
        holds=lambda value: value.max_surge is None or not (_none(value.max_surge) and _none(value.max_unavailable)),
        field="maxSurge",
    ),
)


# ---------------------------------------------------------------------------------------------- status

RolloutPhase = Literal["Stable", "Pending", "Progressing", "Paused", "Waiting", "Returning", "Stalled"]
RevisionVerdict = Literal["Pending", "Promoted", "Failed", "Rejected", "Aborted", "Superseded"]


class RolloutProgress(Model):
    """Where the delivery stands. It is all that an operator remembers of it: the rest is observed in every pass."""

    phase: RolloutPhase = "Stable"
    message: Text = ""
    next: Text = ""
    """What comes next."""
    stable: str = ""
    host: str = ""
    """The revision whose pods serve stable, where a hot swap has put it there."""
    candidate: str = ""
    strategy: str = ""
    """The strategy of this rollout: what Auto has chosen."""
    attempt: int = 0
    step: int = 0
    steps: int = 0
    step_started_at: str = ""
    started_at: str = ""
    progressed_at: str = ""
    """When more pods were ready than before, or a step was done."""
    most_ready: int = 0
    """Pods of the candidate that were ready at once in this step."""
    fast: bool = False
    """Steps are skipped: promoted in full, or back to a recent good revision."""
    rolled: bool = False
    """Stable may have given up pods, so that returning to it takes capacity first."""
    plan: str = ""
    """The steps in short; when they are edited the rollout starts again."""
    peak: int = 0
    """Most replicas wanted in this rollout under an autoscaler."""
    settled_routing: str = ""
    settled_at: str = ""
    """Since when the data plane is observed to do just that."""
    stalled: str = ""
    """The reason, if it needs a person."""
    weight_wanted: int = 0
    """Percent of the requests that the candidate should get in this step."""
    weight: int = 0
    """What it is observed to get."""
