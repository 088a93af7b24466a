"""A plan that is being done: one decision after the other, each recorded before it is made."""

from __future__ import annotations

from sentinel_operator.api.actionplan import Decision
from sentinel_operator.api.actionstatus import DecisionStatus
from sentinel_operator.core.actionplan.drive import FAILED, Driven, begin, changed, drive, drive_back, failed
from sentinel_operator.core.actionplan.intent import generation_of
from sentinel_operator.core.actionplan.locks import regained
from sentinel_operator.core.actionplan.observed import Observed
from sentinel_operator.core.actionplan.order import dependents, ordered
from sentinel_operator.core.actionplan.step import (
    SOON,
    WAIT,
    Step,
    ended,
    patience,
    records,
    replaced,
    stay,
    to,
)
from sentinel_operator.core.actionplan.verify import examine
from sentinel_operator.core.analysis.state import FINAL
from sentinel_operator.core.conditions import rfc3339, truncated


def execute(observed: Observed) -> Step:
    """Goes on with the decision that is under way, or begins the next, or says that all is done."""
    if not observed.around.locked:
        return regained(observed)
    known, line = records(observed), ordered(observed.plan.decisions)
    current = next((each for each in line if known[each.id].state in ("Executing", "Undoing")), None)
    if current is not None:
        record = known[current.id]
        if record.state == "Undoing":
            return _noted(observed, drive_back(observed, record, rolling_back=False))
        return _noted(observed, drive(observed, current, record))
    wrong = next((known[each.id] for each in line if known[each.id].state in FAILED), None)
    if wrong is not None and observed.plan.on_failure != "Continue":
        return _went_wrong(observed, wrong)
    skipped = [each for each in line if known[each.id].state == "Pending" and _is_barred(observed, each)]
    if skipped:
        over = [_skipped(observed, known[each.id], "what it depends on was not done") for each in skipped]
        return stay(observed, observed.status.message, again=0.0, decisions=replaced(observed, *over))
    coming = next((each for each in line if known[each.id].state == "Pending"), None)
    return _all_tried(observed, wrong) if coming is None else _next(observed, coming, known[coming.id])


def _noted(observed: Observed, driven: Driven) -> Step:
    """Says what has become of a decision, or acts."""
    before = records(observed)[driven.record.id]
    if driven.record != before:
        failure = observed.status.failure
        broken = driven.record.state in FAILED or (driven.record.state == "Undoing" and before.state == "Executing")
        if broken and not failure:
            failure = truncated(f"{driven.record.id}: {driven.record.message}")
        done = [*replaced(observed, driven.record)]
        step = stay(
            observed,
            f"{driven.record.id}: {driven.record.message}",
            again=0.0 if driven.record.state != before.state else patience(observed, driven.record),
            decisions=done,
            done=sum(each.state == "Done" for each in done),
            failure=failure,
        )
        return Step(status=step.status, evict=driven.evict, look_again=step.look_again)
    again = SOON if driven.patch else patience(observed, driven.record)
    return Step(status=observed.status, patch=driven.patch, evict=driven.evict, look_again=again)


def _next(observed: Observed, decision: Decision, record: DecisionStatus) -> Step:
    if observed.is_late(decision):
        late = failed(observed, record, "its time was over before it was begun", state="Expired")
        return _noted(observed, Driven(record=late))
    if observed.plan.suspend:
        return stay(observed, f"suspended before {decision.id}", reason="Suspended")
    if wrong := _unmet(observed, decision):
        return _noted(observed, Driven(record=failed(observed, record, wrong)))
    metrics = decision.preconditions.metrics if decision.preconditions is not None else None
    if metrics:
        examined = examine(observed, metrics, key=f"before/{decision.id}")
        if examined.status.verdict not in FINAL:
            waiting = stay(observed, f"{decision.id}: measures what has to be true before", analysis=examined.status)
            again = min(examined.again or WAIT, (observed.deadline(decision) - observed.now).total_seconds())
            return Step(status=waiting.status, measure=examined.measuring, look_again=max(again, 0.1))
        if examined.status.verdict != "Pass":
            over = failed(observed, record, f"a precondition is not met: {examined.status.message}")
            return _noted(observed, Driven(record=over))
    return _noted(observed, Driven(record=begin(observed, decision, record)))


def _unmet(observed: Observed, decision: Decision) -> str:
    wanted, live = decision.preconditions, observed.view(decision).raw
    if live is None:
        return f"there is no {observed.key(decision)}"
    if wanted is None:
        return ""
    uid, generation = live["metadata"].get("uid"), generation_of(live)
    if wanted.uid is not None and uid != wanted.uid:
        return f"{observed.key(decision)} was made anew: its uid is {uid}, not {wanted.uid}"
    if wanted.generation is not None and generation != wanted.generation:
        return f"{observed.key(decision)} was changed: its generation is {generation}, not {wanted.generation}"
    return ""


def _is_barred(observed: Observed, decision: Decision) -> bool:
    known = records(observed)
    broken = [name for name, each in known.items() if each.state in (*FAILED, "Skipped")]
    return any(decision.id in dependents(observed.plan.decisions, name) for name in broken)


def _skipped(observed: Observed, record: DecisionStatus, why: str) -> DecisionStatus:
    return changed(record, state="Skipped", message=why, finished_at=rfc3339(observed.now))


def _went_wrong(observed: Observed, wrong: DecisionStatus) -> Step:
    """What was not begun is left; what was done is taken back, or stays, as the plan says."""
    known = records(observed)
    left = [_skipped(observed, each, f"{wrong.id} was not done") for each in known.values() if each.state == "Pending"]
    over = replaced(observed, *left)
    message = observed.status.failure or f"{wrong.id}: {wrong.message}"
    acted = [each for each in over if each.intents and each.state in ("Done", "Failed", "Expired")]
    if observed.plan.on_failure == "Rollback" and acted:
        return to(observed, "RollingBack", message, decisions=over)
    if wrong.state == "Expired" and not any(each.acted_at for each in over):
        return ended(observed, "Expired", message, decisions=over)
    return ended(observed, "Failed", message, decisions=over)


def _all_tried(observed: Observed, wrong: DecisionStatus | None) -> Step:
    if wrong is not None:
        done = sum(each.state == "Done" for each in records(observed).values())
        message = f"{done} of {len(observed.plan.decisions)} decisions were done; {observed.status.failure}"
        return ended(observed, "Failed", message)
    if observed.plan.verify is not None:
        return to(observed, "Verifying", "every decision is done; it is measured whether it was right")
    return ended(observed, "Completed", "every decision is done")
