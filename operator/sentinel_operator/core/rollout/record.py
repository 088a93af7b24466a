"""What is remembered, as it stands in the status, and back: nothing that a decision needs is lost on the way."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from sentinel_operator.api.rollout import DEFAULT_STRATEGY, RolloutProgress
from sentinel_operator.core.conditions import parse_time, rfc3339, truncated
from sentinel_operator.core.rollout.decision import Decision
from sentinel_operator.core.rollout.observed import State
from sentinel_operator.core.rollout.program import STRATEGIES


def progress(decision: Decision) -> RolloutProgress:
    """Gives the status of a decision."""
    state, standing = decision.state, decision.standing
    return RolloutProgress(
        phase=standing.phase,
        message=truncated(standing.message),
        next=truncated(standing.next),
        stable=state.stable,
        host=state.host,
        candidate=state.candidate,
        strategy=state.strategy,
        attempt=state.attempt,
        step=state.step,
        steps=len(decision.steps),
        step_started_at=_written(state.step_started),
        started_at=_written(state.started),
        progressed_at=_written(state.progressed),
        most_ready=state.most_ready,
        fast=state.fast,
        rolled=state.rolled,
        plan=state.plan,
        peak=state.peak,
        settled_routing=state.settled_routing,
        settled_at=_written(state.settled_at),
        stalled=state.stalled,
        weight_wanted=decision.weight_wanted,
        weight=decision.weight,
    )


def remembered(status: RolloutProgress | None) -> State:
    """Gives what an earlier pass remembered; nothing, where there is no status."""
    if status is None:
        return State()
    return State(
        stable=status.stable,
        host=status.host,
        candidate=status.candidate,
        strategy=status.strategy if status.strategy in STRATEGIES or not status.candidate else DEFAULT_STRATEGY,
        attempt=status.attempt,
        step=status.step,
        step_started=_read(status.step_started_at),
        started=_read(status.started_at),
        progressed=_read(status.progressed_at),
        most_ready=status.most_ready,
        fast=status.fast,
        rolled=status.rolled,
        plan=status.plan,
        peak=status.peak,
        settled_routing=status.settled_routing,
        settled_at=_read(status.settled_at),
        stalled=status.stalled,
    )


def _written(moment: float) -> str:
    """Rounds up to a whole second, as that is what is kept: no drain, pause or analysis becomes shorter by it."""
    return rfc3339(datetime.fromtimestamp(math.ceil(moment), UTC)) if moment else ""


def _read(text: str) -> float:
    moment = parse_time(text) if text else None
    return moment.timestamp() if moment is not None else 0.0
