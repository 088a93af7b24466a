"""Where the delivery stands: which revision serves, which one comes, and what to do about it now."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sentinel_operator.api.analysis import AnalysisStatus
from sentinel_operator.api.sentrymodel import RevisionRecord, SentryModelSpec
from sentinel_operator.core.rollout.decide import decide
from sentinel_operator.core.rollout.decision import Decision
from sentinel_operator.core.rollout.intent import effective_target
from sentinel_operator.core.rollout.observed import AnalysisView
from sentinel_operator.core.rollout.observed import Observed as RolloutObserved
from sentinel_operator.core.sentrymodel.delivery import delivery_view
from sentinel_operator.core.sentrymodel.faults import Fault
from sentinel_operator.core.sentrymodel.judging import Judgement, judge
from sentinel_operator.core.sentrymodel.observe import DeploymentView, Observed
from sentinel_operator.core.sentrymodel.pods import mounted_by, worst_fault
from sentinel_operator.core.sentrymodel.revision import Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What one pass makes of what it observed."""

    spec: SentryModelSpec
    target: Revision | None
    """The revision that the spec asks for; None while something that it refers to is not there."""
    view: RolloutObserved
    decision: Decision
    fault: Fault | None
    """What keeps the pods of what is asked for from being ready."""
    mounted_by: float | None
    judgement: Judgement | None = None
    """Of the analysis that the delivery wants now."""
    analysis: AnalysisStatus | None = None
    """Where it stands, or how the last one ended."""

    @property
    def stable(self) -> str:
        """Names the revision that serves; empty before any has been fully ready."""
        return self.decision.state.stable

    @property
    def wanted(self) -> int:
        return self.view.count

    @property
    def ready(self) -> int:
        """Counts the ready pods of what is asked for that stay."""
        return self.view.view(self.host_of(self.asked)).sure

    @property
    def asked(self) -> str:
        """Names the revision that should serve: the spec's, or the one that a person goes back to instead of it."""
        return effective_target(self.view)

    def host_of(self, revision: str) -> str:
        """Names the revision whose Deployment has the pods that serve a revision, or are to."""
        return self.decision.state.host_of(revision)

    @property
    def candidate(self) -> str:
        """Names the revision that is being delivered, or an empty string."""
        return self.decision.state.candidate

    @property
    def coming(self) -> bool:
        """Tells whether what is asked for has not taken over yet."""
        return self.target is not None and self.asked != self.stable and self.wanted > 0

    @property
    def failure(self) -> Fault | None:
        """Gives why a person is needed, if one is: the delivery needs one, or what serves cannot be restored."""
        standing, fault = self.decision.standing, self.fault
        if standing.stalled:
            told = fault.message if fault is not None and fault.reason == standing.reason else standing.message
            return Fault(standing.reason, told, terminal=True)
        lacks = not self.candidate and self.wanted > 0 and not self.complete
        return fault if lacks and fault is not None and fault.terminal else None

    @property
    def complete(self) -> bool:
        """Tells whether what the spec asks for is what serves."""
        return self.target is not None and self.wanted > 0 and not self.coming and self.ready >= self.wanted

    @property
    def look_again(self) -> float | None:
        """Gives the seconds until time alone changes the assessment."""
        judged = self.judgement.look_again if self.judgement is not None else None
        moments = (self.decision.look_again, self.mounted_by, judged)
        return min((each for each in moments if each is not None), default=None)

    def frozen(self, *, clock: bool = True) -> Assessment:
        """Gives the assessment of a pass that changes nothing: what is remembered stays as it is. With the clock
        stopped as well, the time until the next pass that acts does not count as one without progress."""
        state = self.view.state if clock else replace(self.view.state, progressed=0.0)
        return replace(self, decision=replace(self.decision, state=state, records=(), transitions=()))


def assess(observed: Observed, spec: SentryModelSpec, target: Revision | None) -> Assessment:
    """Judges the state of the delivery from what is observed and from what the status remembers."""
    view = delivery_view(observed, spec, target)
    known = view.state.host_of(effective_target(view)) if target is not None else view.state.base
    status = observed.status.rollout if observed.status is not None else None
    decision, judgement = decided(view), None
    if decision.analysis is not None:
        host = view.state.host_of(decision.analysis.revision)
        judgement = judge(observed, decision.analysis, state=view.state, replicas=view.view(host).replicas)
        told = AnalysisView(
            key=decision.analysis.key, verdict=judgement.status.verdict, message=judgement.status.message
        )
        decision = decided(replace(view, analysis=told))
    return Assessment(
        spec=spec,
        target=target,
        view=view,
        decision=decision,
        fault=worst_fault(observed, spec, known),
        mounted_by=mounted_by(observed, known),
        judgement=judgement,
        analysis=judgement.status if judgement is not None else status.analysis if status is not None else None,
    )


def decided(view: RolloutObserved) -> Decision:
    """Gives the decision. Two passes are made in one where nothing can be harmed by it: a first revision is begun and
    brought up, and a step that only waits begins when the one before it is done."""
    decision = decide(view)
    state = decision.state
    first = not view.state.stable and state.strategy == "Initial" and state.candidate != view.state.candidate
    stepped = state.candidate == view.state.candidate != "" and state.step != view.state.step
    if not first and not stepped:
        return decision
    following = decide(replace(view, state=state, history=(*decision.records, *view.history)))
    if stepped and (following.state.step != state.step or _acts(following) != _acts(decision)):
        return decision
    return replace(
        following,
        records=following.records or decision.records,
        transitions=(*decision.transitions, *following.transitions),
    )


def _acts(decision: Decision) -> tuple[object, ...]:
    """Gives what a decision does to pods and routing, and to whom."""
    routing = (decision.routes, decision.preview, decision.mirror, decision.swap, decision.autoscale)
    return (*routing, dict(decision.replicas), decision.state.candidate, decision.state.stable, decision.state.attempt)


def known_as(observed: Observed, assessment: Assessment, revision: str) -> Revision | DeploymentView | None:
    """Gives what declares a revision: the spec, where it is what that asks for, else its Deployment."""
    target = assessment.target
    return target if target is not None and target.id == revision else observed.deployments.get(revision)


def record_of(observed: Observed, revision: str) -> RevisionRecord | None:
    """Gives what the history says of a revision."""
    records = (observed.status.revisions or ()) if observed.status is not None else ()
    return next((record for record in records if record.revision == revision), None)
