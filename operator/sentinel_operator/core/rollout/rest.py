"""A pass in which nothing is delivered: all requests go to stable, and what is left of others ends."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sentinel_operator.core.rollout.dataplane import observed_weight, settled
from sentinel_operator.core.rollout.decision import Decision, Standing, SwapWanted, Transition
from sentinel_operator.core.rollout.intent import Rest
from sentinel_operator.core.rollout.limits import least
from sentinel_operator.core.rollout.observed import Observed, Record, State
from sentinel_operator.core.rollout.replicas import resting_replicas, without_owned
from sentinel_operator.core.rollout.routes import Routes
from sentinel_operator.core.rollout.routing import returning_routes
from sentinel_operator.core.rollout.strategies.canary import DRAIN_SECONDS
from sentinel_operator.core.rollout.timing import timed


def rest(observed: Observed, intent: Rest) -> Decision:
    """Gives everything to stable, in one pass of routing, and ends what is left of others."""
    before = observed
    if intent.ended is not None:
        left = replace(observed.state, candidate="", strategy="", fast=False, plan="", stalled="", peak=0)
        observed = replace(observed, state=left)
    routes = returning_routes(observed)
    replicas = resting_replicas(observed, routes)
    state = timed(observed, replace(observed.state, rolled=_rolled(observed, routes), stalled=""), routes)
    ended = (intent.ended,) if intent.ended is not None else ()
    return Decision(
        routes=routes,
        replicas=without_owned(observed, replicas, autoscale=observed.state.base),
        state=state,
        standing=_standing(observed, intent, routes),
        records=ended,
        transitions=tuple(_ended(before, record) for record in ended),
        swap=_resting_swap(observed, before),
        autoscale=observed.state.base,
        wants_slot=intent.wants_slot,
        look_again=_look_again(observed, state, routes),
    )


@dataclass(frozen=True, slots=True)
class _Words:
    rule: str
    text: str


_ENDINGS = {
    "Superseded": _Words("RevisionSuperseded", "is replaced by a newer one before it took over"),
    "Failed": _Words("RevisionSuperseded", "is replaced by a newer one before it took over"),
    "Aborted": _Words("RevisionAborted", "was aborted; all requests go back to stable"),
    "Rejected": _Words("RevisionRejected", "was rejected; all requests go back to stable"),
}


def _ended(observed: Observed, record: Record) -> Transition:
    words = _ENDINGS[record.verdict]
    told = f"revision {record.revision} {words.text}" + (f": {record.message}" if record.message else "")
    inputs = {"step": str(observed.state.step), "attempt": str(record.attempt), "reason": record.reason}
    inputs["weight"] = str(observed_weight(observed, record.revision))
    return Transition(words.rule, told, inputs, warning=record.verdict in {"Rejected", "Aborted"})


def _rolled(observed: Observed, routes: Routes) -> bool:
    """Forgets that stable had given up pods, when it has them back and the others have ended."""
    base = observed.state.base
    others = all(view.gone for view in observed.revisions.values() if view.id != base)
    restored = observed.base.serving >= least(observed) and settled(observed, routes) and others
    return observed.state.rolled and not restored


def _standing(observed: Observed, intent: Rest, routes: Routes) -> Standing:
    base, state = observed.base, observed.state
    if intent.stalled:
        return Standing(phase="Stalled", reason=intent.reason, message=intent.message, stalled=True)
    if intent.reason == "Paused":
        return Standing(phase="Paused", reason="Paused", message=intent.message)
    if intent.reason == "WaitingForBudget":
        return Standing(phase="Waiting", reason=intent.reason, message=intent.message, reconciling=True)
    if intent.reason not in {"Stable", "TargetUnknown", "ScaledToZero"} or not settled(observed, routes):
        message = intent.message or f"all requests go to revision {state.stable}"
        return Standing(phase="Returning", reason=intent.reason, message=message, reconciling=True)
    if intent.reason != "Stable" or base.ready >= observed.count:
        message = intent.message or f"revision {state.stable} serves with {base.ready} pods"
        return Standing(phase="Stable", reason=intent.reason, message=message)
    message = f"revision {state.stable}: {base.ready} of {observed.count} pods ready"
    return Standing(phase="Progressing", reason="Scaling", message=message, reconciling=True)


def _resting_swap(observed: Observed, before: Observed) -> SwapWanted | None:
    state = observed.state
    swapping = before.state.strategy == "HotSwap" or observed.swap.active
    return SwapWanted(host=state.base, active=state.stable) if state.host or swapping else None


def _look_again(observed: Observed, state: State, routes: Routes) -> float | None:
    left = [view for view in observed.revisions.values() if view.id != state.base and not view.gone]
    if not left or not settled(observed, routes):
        return None
    passed = observed.now - state.settled_at
    return DRAIN_SECONDS - passed if passed < DRAIN_SECONDS else None
