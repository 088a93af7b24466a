"""A pass while a candidate is delivered: what its step demands, what became of it, and what is remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sentinel_operator.core.rollout.dataplane import observed_weight
from sentinel_operator.core.rollout.decision import (
    AnalysisWanted,
    Decision,
    GateWanted,
    Mirror,
    Standing,
    SwapWanted,
    Transition,
)
from sentinel_operator.core.rollout.instructions import Ask, Instruction, Judge, Program, Replace, Roll, told
from sentinel_operator.core.rollout.intent import Rest
from sentinel_operator.core.rollout.observed import Observed, Record, State
from sentinel_operator.core.rollout.program import Posture, compiled, posture, surge
from sentinel_operator.core.rollout.progress import DONE, PAUSED, Outcome, let_past, outcome, run_key, stalled
from sentinel_operator.core.rollout.replicas import candidate_count, delivering_replicas, without_owned
from sentinel_operator.core.rollout.rest import rest
from sentinel_operator.core.rollout.routes import Routes
from sentinel_operator.core.rollout.routing import wanted_routes
from sentinel_operator.core.rollout.timing import timed


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One pass over one step."""

    observed: Observed
    program: Program
    index: int
    demanded: Posture
    count: int
    """Pods of the candidate that the step demands."""
    routes: Routes
    replicas: Mapping[str, int]

    @property
    def step(self) -> Instruction:
        return self.program.steps[self.index]


def deliver(observed: Observed) -> Decision:
    """Gives what the step demands; when it is done, the next is remembered."""
    delivery = examined(observed)
    found = _outcome(delivery)
    if found.kind == "Reject":
        return _rejected(delivery, found)
    next_state, transitions, records = _remembered(delivery, found)
    promoted = next_state.stable == observed.state.candidate
    state = timed(observed, next_state, delivery.routes)
    autoscale = autoscaled_revision(delivery)
    weight = _weight(delivery)
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


def examined(observed: Observed) -> Delivery:
    """Works out what the step demands of pods and routing."""
    spec, state = observed.spec, observed.state
    program = compiled(spec, state.strategy, wanted=observed.count, fast=state.fast)
    index = min(state.step, len(program.steps) - 1)
    if _edited(observed, program):
        index = 0
    acted = index
    if isinstance(program.steps[index], Roll | Replace) and not state.rolled:
        acted = index - 1  # it is noted first that stable may give up pods
    demanded = posture(program, acted)
    full = surge(spec, state.strategy, wanted=observed.count) >= observed.count
    full = full or state.strategy == "BlueGreen"
    routes = wanted_routes(observed, demanded, full=full)
    replicas = dict(delivering_replicas(observed, demanded, routes, full=full))
    candidate = observed.view(state.candidate)
    if spec.paused == state.candidate and demanded.mode == "Roll":
        replicas[candidate.id] = min(replicas[candidate.id], max(candidate.replicas, candidate.sure))
    count = candidate_count(observed, demanded, full=full) if demanded.mode == "Weighted" else _whole(observed)
    return Delivery(
        observed=observed,
        program=program,
        index=index,
        demanded=demanded,
        count=count,
        routes=routes,
        replicas=replicas,
    )


def _whole(observed: Observed) -> int:
    """All pods: as many as there were, or as the autoscaler says once it has the candidate."""
    return observed.wanted if observed.autoscaler == observed.state.candidate else observed.count


def autoscaled_revision(delivery: Delivery) -> str:
    """The autoscaler follows the requests: it moves when they have all been sent to the candidate."""
    observed, candidate = delivery.observed, delivery.observed.state.candidate
    if delivery.demanded.mode in {"Fill", "Replace"}:
        return candidate
    switched = delivery.routes.key == Routes.only(candidate).key == observed.written.key
    return candidate if switched and observed.view(candidate).sure >= observed.count else observed.state.base


def _edited(observed: Observed, program: Program) -> bool:
    return not observed.state.fast and program.mark != observed.state.plan


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
    progressed = observed.now if _ready(delivery) > state.most_ready else state.progressed
    return stalled(observed, found, count=delivery.count, progressed=progressed)


def _remembered(delivery: Delivery, found: Outcome) -> tuple[State, tuple[Transition, ...], tuple[Record, ...]]:
    observed, state, index = delivery.observed, delivery.observed.state, delivery.index
    ready = _ready(delivery)
    state = replace(state, step=index, peak=max(state.peak, observed.wanted))
    if ready > state.most_ready:
        state = replace(state, most_ready=ready, progressed=observed.now)
    if _edited(observed, delivery.program):
        return _restarted(delivery, state)
    if _full(observed) and not state.fast:
        return _skipping(delivery, state)
    if found == DONE and index + 1 == len(delivery.program.steps):
        return _promoted(delivery, state)
    if found == DONE:
        following = delivery.program.steps[index + 1]
        state = _at(state, index + 1, observed.now, ready)
        done = Transition("StepDone", f"step {index} ({told(delivery.step)}) is done", _inputs(delivery))
        rolled = state.rolled or isinstance(following, Roll | Replace)
        return replace(state, rolled=rolled, stalled=""), (done,), ()
    if found.reason == "Beginning":
        return replace(state, rolled=True), (), ()
    return _halted(delivery, state, found)


def _ready(delivery: Delivery) -> int:
    """Counts what tells progress: ready pods, or what pods have done of a swap."""
    observed, candidate = delivery.observed, delivery.observed.state.candidate
    if delivery.demanded.mode == "Swap":
        return observed.swap.loaded + observed.swap.agreed + observed.swap.answering(candidate)
    return observed.view(candidate).sure


def _halted(
    delivery: Delivery, state: State, found: Outcome
) -> tuple[State, tuple[Transition, ...], tuple[Record, ...]]:
    """Tells once that a person is needed, and once that it goes on."""
    reason = found.reason if found.kind == "Person" else ""
    if reason == state.stalled:
        return state, (), ()
    after = replace(state, stalled=reason)
    if state.stalled == PAUSED:  # the time of a pause is nobody's fault
        after = replace(after, progressed=delivery.observed.now)
    record = delivery.observed.record(state.candidate)
    promoted_at = record.promoted_at if record is not None else 0.0
    failed = found.kind == "Person" and found.timed
    kept = Record(
        revision=state.candidate,
        verdict="Failed" if failed else "Pending",
        attempt=state.attempt,
        reason=reason if failed else "",
        message=found.message if failed else "",
        at=delivery.observed.now,
        promoted_at=promoted_at,
    )
    if not reason:
        return after, (), (kept,)
    message = f"revision {state.candidate}: {found.message}"
    return after, (Transition(reason, message, _inputs(delivery), warning=reason != PAUSED),), (kept,)


def _at(state: State, step: int, now: float, ready: int) -> State:
    return replace(state, step=step, step_started=now, progressed=now, most_ready=ready)


def _restarted(delivery: Delivery, state: State) -> tuple[State, tuple[Transition, ...], tuple[Record, ...]]:
    """Another plan is another attempt: no verdict of the old one counts."""
    observed = delivery.observed
    ready = _ready(delivery)
    state = replace(
        _at(state, 0, observed.now, ready), attempt=state.attempt + 1, plan=delivery.program.mark, stalled=""
    )
    record = Record(revision=state.candidate, verdict="Pending", attempt=state.attempt, at=observed.now)
    message = f"revision {state.candidate} starts again: the steps were edited"
    return state, (Transition("StepsEdited", message, _inputs(delivery)),), (record,)


def _full(observed: Observed) -> bool:
    promote, state = observed.spec.promote, observed.state
    named = promote is not None and (promote.revision, promote.attempt) == (state.candidate, state.attempt)
    return named and promote is not None and promote.full


def _skipping(delivery: Delivery, state: State) -> tuple[State, tuple[Transition, ...], tuple[Record, ...]]:
    observed = delivery.observed
    ready = _ready(delivery)
    rolls = isinstance(delivery.program.takeover().steps[0], Roll | Replace)
    state = replace(_at(state, 0, observed.now, ready), fast=True, rolled=state.rolled or rolls, stalled="")
    message = f"revision {state.candidate} is promoted in full; the steps left are skipped"
    return state, (Transition("PromotedInFull", message, _inputs(delivery)),), ()


def _promoted(delivery: Delivery, state: State) -> tuple[State, tuple[Transition, ...], tuple[Record, ...]]:
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
    return after, (Transition("RevisionPromoted", message, _inputs(delivery)),), (record,)


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


def _inputs(delivery: Delivery) -> dict[str, str]:
    observed = delivery.observed
    candidate, base = observed.view(observed.state.candidate), observed.base
    return {
        "step": f"{delivery.index} ({told(delivery.step)})",
        "attempt": str(observed.state.attempt),
        "candidateReady": f"{candidate.sure} of {delivery.count}",
        "stableReady": f"{base.sure} of {observed.count}",
        "weight": f"{_weight(delivery)}% of {delivery.demanded.weight or 0}%",
    }


def _weight(delivery: Delivery) -> int:
    observed = delivery.observed
    if delivery.demanded.mode == "Swap":
        swap = observed.swap
        return round(100 * swap.answering(observed.state.candidate) / swap.pods) if swap.pods else 0
    return observed_weight(observed, observed.state.candidate)


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
