"""What is remembered after a pass over a step, and what is told of it."""

from __future__ import annotations

from dataclasses import replace

from sentinel_operator.core.rollout.decision import Transition
from sentinel_operator.core.rollout.examined import Delivery, edited, inputs, ready_of
from sentinel_operator.core.rollout.instructions import Replace, Roll, told
from sentinel_operator.core.rollout.observed import Observed, Record, State
from sentinel_operator.core.rollout.progress import DONE, PAUSED, Outcome

REPLACEMENT = Roll | Replace
Remembered = tuple[State, tuple[Transition, ...], tuple[Record, ...]]


def remembered_after(delivery: Delivery, found: Outcome) -> Remembered:
    """Gives where the rollout is after this pass. The next step is acted upon when it has been written."""
    observed, state, index = delivery.observed, delivery.observed.state, delivery.index
    ready = ready_of(delivery)
    state = replace(state, step=index, peak=max(state.peak, observed.wanted))
    if ready > state.most_ready:
        state = replace(state, most_ready=ready, progressed=observed.now)
    if edited(observed, delivery.program):
        return _restarted(delivery, state)
    if _full(observed) and not state.fast:
        return _skipping(delivery, state)
    if found == DONE and index + 1 == len(delivery.program.steps):
        return _promoted(delivery, state)
    if found == DONE:
        following = delivery.program.steps[index + 1]
        state = _at(state, index + 1, observed.now, ready)
        done = Transition("StepDone", f"step {index} ({told(delivery.step)}) is done", inputs(delivery))
        rolled = state.rolled or isinstance(following, REPLACEMENT)
        return replace(state, rolled=rolled, stalled=""), (done,), ()
    if found.reason == "Beginning":
        return replace(state, rolled=True), (), ()
    return _halted(delivery, state, found)


def _halted(delivery: Delivery, state: State, found: Outcome) -> Remembered:
    """Tells once that a person is needed, and once that it goes on."""
    reason = found.reason if found.kind == "Person" else ""
    if reason == state.stalled:
        return state, (), ()
    after = replace(state, stalled=reason)
    if state.stalled == PAUSED:  # the time of a pause is nobody's fault
        after = replace(after, progressed=delivery.observed.now)
    failed = found.kind == "Person" and found.timed
    kept = _pending(delivery, state)
    if failed:
        kept = replace(kept, verdict="Failed", reason=reason, message=found.message)
    if not reason:
        return after, (), (kept,)
    message = f"revision {state.candidate}: {found.message}"
    return after, (Transition(reason, message, inputs(delivery), warning=reason != PAUSED),), (kept,)


def _at(state: State, step: int, now: float, ready: int) -> State:
    return replace(state, step=step, step_started=now, progressed=now, most_ready=ready)


def _restarted(delivery: Delivery, state: State) -> Remembered:
    """Another plan is another attempt: no verdict of the old one counts."""
    observed = delivery.observed
    ready = ready_of(delivery)
    state = replace(
        _at(state, 0, observed.now, ready), attempt=state.attempt + 1, plan=delivery.program.mark, stalled=""
    )
    message = f"revision {state.candidate} starts again: the steps were edited"
    return state, (Transition("StepsEdited", message, inputs(delivery)),), (_pending(delivery, state),)


def _pending(delivery: Delivery, state: State) -> Record:
    record = delivery.observed.record(state.candidate)
    return Record(
        revision=state.candidate,
        verdict="Pending",
        attempt=state.attempt,
        at=delivery.observed.now,
        promoted_at=record.promoted_at if record is not None else 0.0,
    )


def _full(observed: Observed) -> bool:
    promote, state = observed.spec.promote, observed.state
    named = promote is not None and (promote.revision, promote.attempt) == (state.candidate, state.attempt)
    return named and promote is not None and promote.full


def _skipping(delivery: Delivery, state: State) -> Remembered:
    observed = delivery.observed
    ready = ready_of(delivery)
    rolls = isinstance(delivery.program.takeover().steps[0], REPLACEMENT)
    state = replace(_at(state, 0, observed.now, ready), fast=True, rolled=state.rolled or rolls, stalled="")
    message = f"revision {state.candidate} is promoted in full; the steps left are skipped"
    return state, (Transition("PromotedInFull", message, inputs(delivery)),), ()


def _promoted(delivery: Delivery, state: State) -> Remembered:
    observed, candidate = delivery.observed, state.candidate
    swapped = delivery.demanded.mode == "Swap"
    host = state.base if swapped and state.base != candidate else ""
    after = State(
        stable=candidate,
        host=host,
        rolled=state.rolled,
        settled_routing=state.settled_routing,
        settled_at=state.settled_at,
    )
    former = f" in place of {state.stable}" if state.stable else ""
    record = Record(
        revision=candidate,
        verdict="Promoted",
        attempt=state.attempt,
        at=observed.now,
        promoted_at=observed.now,
    )
    message = f"revision {candidate} serves{former}"
    return after, (Transition("RevisionPromoted", message, inputs(delivery)),), (record,)
