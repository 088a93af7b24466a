"""Which revision should be delivered now, if any, and why not otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from sentinel_operator.api.fields import seconds
from sentinel_operator.core.rollout.observed import Observed, Record
from sentinel_operator.core.rollout.program import chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver:
    """Go on with the candidate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Start to deliver the target. `fast`: it was good lately."""

    revision: str
    strategy: str
    attempt: int
    fast: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Deliver nothing; stable serves. `ended` is what became of the candidate, if this ends it."""

    reason: str = "Stable"
    message: str = ""
    stalled: bool = False
    ended: Record | None = None
    wants_slot: bool = False


Intent = Deliver | Begin | Rest
BARRED = frozenset({"Rejected", "Aborted"})


def effective_target(observed: Observed) -> str:
    """Gives the revision that is asked for: the spec's, or the one that a person goes back to instead of it."""
    back = observed.spec.rollback_to
    if back is not None and back.instead_of == observed.target:
        return back.revision
    return observed.target


def intend(observed: Observed) -> Intent:
    """Decides between going on, starting, and leaving it at stable. A candidate that is not the target any more ends
    in this pass, and the next begins in a later one."""
    state, target = observed.state, effective_target(observed)
    if not target:
        return Deliver() if state.candidate else Rest(reason="TargetUnknown", message="the revision is not known yet")
    if state.candidate and state.candidate != target:
        return Rest(reason="Superseded", ended=_superseded(observed), message=f"revision {state.candidate} is replaced")
    if state.candidate:
        if observed.spec.abort == target:
            message = f"revision {target} was aborted by spec.rollout.abort"
            return Rest(reason="RevisionAborted", message=message, stalled=True, ended=_aborted(observed, message))
        return Deliver()
    if target == state.stable:
        return Rest()
    return _barred(observed, target) or _waiting(observed, target) or _begin(observed, target)


def strategy_of(observed: Observed, target: str) -> str:
    """Gives the strategy for a target. Where its own Deployment already hosts another model, only a swap leads back."""
    if not observed.state.stable:
        return "Initial"
    without_pods = target != observed.target and target not in observed.revisions
    if target == observed.state.host or (without_pods and target in observed.loadable):
        return "HotSwap"
    return chosen(observed.spec.strategy, spare=observed.spare, swappable=observed.swappable)


def _superseded(observed: Observed) -> Record:
    state = observed.state
    before = observed.record(state.candidate)
    if before is not None and before.verdict == "Failed":
        return before
    promoted = before.promoted_at if before is not None else 0.0
    return Record(
        revision=state.candidate,
        verdict="Superseded",
        attempt=state.attempt,
        at=observed.now,
        promoted_at=promoted,
    )


def _aborted(observed: Observed, message: str) -> Record:
    state = observed.state
    return Record(
        revision=state.candidate,
        verdict="Aborted",
        attempt=state.attempt,
        reason="RevisionAborted",
        message=message,
        at=observed.now,
    )


def _barred(observed: Observed, target: str) -> Rest | None:
    """A revision that was found bad is not delivered again by being applied again."""
    spec, record = observed.spec, observed.record(target)
    attempts = record.attempt if record is not None else 0
    if spec.abort == target:
        return Rest(reason="RevisionAborted", message=f"spec.rollout.abort names revision {target}", stalled=True)
    retried = spec.retry is not None and spec.retry.revision == target and spec.retry.attempt == attempts + 1
    if record is None or record.verdict not in BARRED or retried:
        return None
    reason = "RevisionRejected" if record.verdict == "Rejected" else "RevisionAborted"
    advice = f"change the spec, or set spec.rollout.retry: {{revision: {target}, attempt: {attempts + 1}}}"
    return Rest(reason=reason, message=f"revision {target}: {record.message}; {advice}", stalled=True)


def _waiting(observed: Observed, target: str) -> Rest | None:
    spec, state, strategy = observed.spec, observed.state, strategy_of(observed, target)
    if observed.wanted == 0:
        return Rest(reason="ScaledToZero", message="no replicas are wanted")
    if spec.paused == target:
        return Rest(
            reason="Paused", message=f"revision {target} is paused before its first step by spec.rollout.paused"
        )
    known = target in observed.revisions or target in observed.loadable
    if spec.rollback_to is not None and target != observed.target and not known:
        message = f"spec.rollout.rollbackTo: revision {target} is not kept any more"
        return Rest(reason="RevisionNotFound", message=message, stalled=True)
    if strategy == "HotSwap" and not observed.can_swap(target):
        why = observed.unswappable or "it differs in more than what running pods can load"
        message = f"revision {target} cannot be swapped in: {why}; use another strategy"
        return Rest(reason="HotSwapImpossible", message=message, stalled=True)
    if state.stable and not _clear(observed, target, strategy):
        return Rest(reason="Returning", message="pods of another revision have not ended yet")
    if state.stable and not observed.budget.granted and target == observed.target:
        waits = observed.budget.waits_for or "a slot of the change budget"
        return Rest(reason="WaitingForBudget", message=f"waits for {waits}", wants_slot=True)
    return None


def _clear(observed: Observed, target: str, strategy: str) -> bool:
    """A rollout begins when others have ended; one pod by pod takes over from several, if they share the requests."""
    left = [view for view in observed.revisions.values() if view.id not in {observed.state.base, target}]
    if all(view.gone for view in left):
        return True
    records = [observed.record(view.id) for view in left if not view.gone]
    good = all(record is None or record.verdict not in BARRED for record in records)
    return strategy == "RollingUpdate" and observed.state.rolled and observed.written.shared and good


def _begin(observed: Observed, target: str) -> Begin:
    record = observed.record(target)
    return Begin(
        revision=target,
        strategy=strategy_of(observed, target),
        attempt=(record.attempt if record is not None else 0) + 1,
        fast=_good_lately(observed, target),
    )


def _good_lately(observed: Observed, target: str) -> bool:
    window = observed.spec.rollback_window
    promoted = sorted((r for r in observed.history if r.promoted_at > 0), key=lambda r: r.promoted_at, reverse=True)
    place = next((place for place, record in enumerate(promoted) if record.revision == target), None)
    if window is None or place is None:
        return False
    near = window.revisions is None or place <= window.revisions
    return near and (window.duration is None or observed.now - promoted[place].promoted_at <= seconds(window.duration))
