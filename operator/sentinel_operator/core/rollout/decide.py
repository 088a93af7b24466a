"""One pass of progressive delivery: what is observed in, one decision out. Pure, and every prefix of it is safe."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from sentinel_operator.core.rollout.decision import Decision, Standing, Transition
from sentinel_operator.core.rollout.deliver import deliver
from sentinel_operator.core.rollout.intent import Begin, Deliver, Rest, intend
from sentinel_operator.core.rollout.observed import Observed, Record, State
from sentinel_operator.core.rollout.program import compiled, posture
from sentinel_operator.core.rollout.rest import rest

NEW_REVISION = "NewRevision"


def decide(observed: Observed) -> Decision:
    """Gives what to write now, and what to remember with it."""
    observed = recovered(observed)
    intent = intend(observed)
    match intent:
        case Deliver():
            return deliver(observed)
        case Begin():
            return _begin(observed, intent)
        case Rest():
            return rest(observed, intent)
        case _:
            assert_never(intent)


def recovered(observed: Observed) -> Observed:
    """Gives the observation with a memory that agrees with it: where the status was lost, what serves is stable; where
    the Deployment that served is gone, nothing is."""
    state = observed.state
    if state.base and state.base not in observed.revisions and observed.target != state.base:
        return replace(observed, state=State())
    if state != State():
        return observed
    serving = [view for view in observed.revisions.values() if view.ready > 0 and view.verified]
    chief = observed.written.weights
    serving.sort(key=lambda view: (view.id == observed.target, -dict(chief).get(view.id, 0), -view.ready))
    if not serving:
        return observed
    found = serving[0].id
    if found == observed.target and serving[0].sure < observed.wanted:
        return observed
    return replace(observed, state=State(stable=found, rolled=len(serving) > 1))


def _begin(observed: Observed, begin: Begin) -> Decision:
    """Remembers the candidate; nothing is done about it before that is written."""
    now, former = observed.now, observed.record(begin.revision)
    program = compiled(observed.spec, begin.strategy, wanted=observed.count)
    first = posture(program.takeover() if begin.fast else program, 0).mode
    decision = rest(observed, Rest(reason="Beginning", message=f"revision {begin.revision} begins"))
    state = replace(
        decision.state,
        candidate=begin.revision,
        strategy=begin.strategy,
        attempt=begin.attempt,
        step=0,
        step_started=now,
        started=now,
        progressed=now,
        most_ready=0,
        fast=begin.fast,
        plan=program.mark,
        rolled=decision.state.rolled or first in {"Roll", "Replace"},
        peak=observed.wanted,
    )
    how = "at once: it was promoted lately" if begin.fast else f"by {begin.strategy}"
    how = "as the first" if begin.strategy == "Initial" else how
    inputs = {"stable": observed.state.stable, "attempt": str(begin.attempt), "strategy": begin.strategy}
    message = f"revision {begin.revision} is delivered {how}"
    return replace(
        decision,
        state=state,
        standing=Standing(phase="Progressing", reason="Beginning", message=message, reconciling=True),
        records=(
            Record(
                revision=begin.revision,
                verdict="Pending",
                attempt=begin.attempt,
                at=now,
                promoted_at=former.promoted_at if former is not None else 0.0,
            ),
        ),
        transitions=(Transition(NEW_REVISION, message, inputs),),
        holds_slot=bool(observed.state.stable),
        look_again=0.0,
    )
