"""A pass while a candidate is delivered: what its step demands, what became of it, and what is remembered."""

from __future__ import annotations

from sentinel_operator.core.rollout.decision import (
    AnalysisWanted,
    Decision,
    GateWanted,
    Mirror,
    Standing,
    SwapWanted,
)
from sentinel_operator.core.rollout.examined import Delivery, autoscaled_revision, examined, ready_of, weight_of
from sentinel_operator.core.rollout.instructions import Ask, Judge, Replace, Roll, told
from sentinel_operator.core.rollout.intent import Rest
from sentinel_operator.core.rollout.observed import Observed, Record
from sentinel_operator.core.rollout.progress import PAUSED, Outcome, let_past, outcome, run_key, stalled
from sentinel_operator.core.rollout.remember import remembered_after
from sentinel_operator.core.rollout.replicas import without_owned
from sentinel_operator.core.rollout.rest import rest
from sentinel_operator.core.rollout.routes import Routes
from sentinel_operator.core.rollout.timing import timed


def deliver(observed: Observed) -> Decision:
    """Gives what the step demands; when it is done, the next is remembered."""
    delivery = examined(observed)
    found = _outcome(delivery)
    if found.kind == "Reject":
        return _rejected(delivery, found)
    next_state, transitions, records = remembered_after(delivery, found)
    promoted = next_state.stable == observed.state.candidate
    state = timed(observed, next_state, delivery.routes)
    autoscale = autoscaled_revision(delivery)
    weight = weight_of(delivery)
    return Decision(
        routes=delivery.routes,
        replicas=without_owned(observed, delivery.replicas, autoscale=autoscale),
        state=state,
        standing=_standing(delivery, found, promoted=promoted),
        records=records,
        transitions=transitions,
        preview=observed.state.candidate if delivery.demanded.preview and delivery.count else "",
        mirror=_mirror(delivery),
        swap=_swap(delivery),
        autoscale=autoscale,
        analysis=_analysis(delivery),
        gate=_gate(delivery),
        holds_slot=bool(observed.state.stable) and not promoted,
        weight_wanted=100 if delivery.demanded.mode != "Weighted" else delivery.demanded.weight or 0,
        weight=weight,
        steps=tuple(told(step) for step in delivery.program.steps),
        look_again=0.0 if state.step != observed.state.step or promoted else found.look_again,
    )


def _outcome(delivery: Delivery) -> Outcome:
    observed, state = delivery.observed, delivery.observed.state
    candidate = observed.view(state.candidate)
    fault = candidate.fault
    if observed.wanted == 0:
        return Outcome("Waits", "ScaledToZero", "no replicas are wanted")
    if fault is not None and fault.rejects and state.strategy != "Initial":
        return Outcome("Reject", fault.reason, fault.message)
    if isinstance(delivery.step, Roll | Replace) and not state.rolled:
        return Outcome("Waits", "Beginning", "the replacement begins", look_again=0.0)
    found = outcome(
        observed,
        delivery.step,
        index=delivery.index,
        demanded=delivery.demanded,
        count=delivery.count,
        routes=delivery.routes,
    )
    if observed.spec.paused == state.candidate and found.kind != "Reject":
        return Outcome("Person", PAUSED, f"stays at step {delivery.index} as spec.rollout.paused says")
    progressed = observed.now if ready_of(delivery) > state.most_ready else state.progressed
    return stalled(observed, found, count=delivery.count, progressed=progressed)


def _rejected(delivery: Delivery, found: Outcome) -> Decision:
    state = delivery.observed.state
    record = Record(
        revision=state.candidate,
        verdict="Rejected",
        attempt=state.attempt,
        reason=found.reason,
        message=found.message,
        at=delivery.observed.now,
    )
    message = f"revision {state.candidate}: {found.message}"
    return rest(delivery.observed, Rest(reason="RevisionRejected", message=message, stalled=True, ended=record))


def _mirror(delivery: Delivery) -> Mirror | None:
    candidate = delivery.observed.view(delivery.observed.state.candidate)
    ready = candidate.sure >= delivery.count and candidate.verified
    return (
        Mirror(revision=candidate.id, percent=delivery.demanded.mirror) if delivery.demanded.mirror and ready else None
    )


def _swap(delivery: Delivery) -> SwapWanted | None:
    state, demanded = delivery.observed.state, delivery.demanded
    if demanded.mode == "Swap":
        active = state.candidate if demanded.flipped else state.stable
        return SwapWanted(host=state.base, active=active, candidate=state.candidate, replay=demanded.replay)
    return SwapWanted(host=state.base, active=state.stable) if state.host else None


def _analysis(delivery: Delivery) -> AnalysisWanted | None:
    step, state = delivery.step, delivery.observed.state
    if not isinstance(step, Judge) or let_past(delivery.observed, delivery.index):
        return None
    key = run_key(delivery.observed, delivery.index)
    switched = delivery.routes.key == Routes.only(state.candidate).key or delivery.demanded.flipped
    return AnalysisWanted(
        key=key,
        spec=step.spec,
        revision=state.candidate,
        baseline="" if switched else state.stable,
        since=state.step_started,
    )


def _gate(delivery: Delivery) -> GateWanted | None:
    step, state = delivery.step, delivery.observed.state
    if not isinstance(step, Ask) or let_past(delivery.observed, delivery.index):
        return None
    key = run_key(delivery.observed, delivery.index)
    return GateWanted(key=key, gate=step.gate, revision=state.candidate, since=state.step_started)


def _standing(delivery: Delivery, found: Outcome, *, promoted: bool) -> Standing:
    candidate = delivery.observed.state.candidate
    if promoted:
        message = f"revision {candidate} has taken over"
        return Standing(phase="Progressing", reason="Promoted", message=message, reconciling=True)
    step = f"step {delivery.index} of {len(delivery.program.steps)} ({told(delivery.step)})"
    following = delivery.index + 1
    coming = told(delivery.program.steps[following]) if following < len(delivery.program.steps) else "promotion"
    message = f"revision {candidate}, {step}: {found.message or 'done'}"
    if found.kind == "Person":
        paused = found.reason == PAUSED or not found.timed
        return Standing(
            phase="Paused" if paused else "Stalled",
            reason=found.reason,
            message=message,
            stalled=not paused,
            next=coming,
        )
    if found.reason in {"ScaledToZero", "WaitingForGate"}:
        return Standing(phase="Waiting", reason=found.reason, message=message, reconciling=True, next=coming)
    return Standing(
        phase="Progressing", reason=found.reason or "StepDone", message=message, reconciling=True, next=coming
    )
