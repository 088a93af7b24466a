"""The life of a plan: from where it stands to the next step. One pass, one step; what acts was recorded before."""

from __future__ import annotations

from typing import Any, assert_never

from sentinel_operator.api.actionstatus import ApprovalRecord, DecisionStatus, PlanState, Who
from sentinel_operator.core.actionplan.admissible import faults
from sentinel_operator.core.actionplan.executing import execute
from sentinel_operator.core.actionplan.expiry import born, last_deadline
from sentinel_operator.core.actionplan.judging import judged, preview
from sentinel_operator.core.actionplan.levels import unmeasured
from sentinel_operator.core.actionplan.locks import locks
from sentinel_operator.core.actionplan.observed import Observed
from sentinel_operator.core.actionplan.rolling import roll_back
from sentinel_operator.core.actionplan.stamps import ApprovalStamp
from sentinel_operator.core.actionplan.step import WAIT, Step, ended, stay, to
from sentinel_operator.core.actionplan.verifying import verify
from sentinel_operator.core.conditions import rfc3339
from sentinel_operator.core.plan import LevelsWanted
from sentinel_operator.core.policy.facts import Identity
from sentinel_operator.core.policy.plan import PlanJudgement

_LONG = 300.0
_BEFORE: frozenset[PlanState] = frozenset({"Pending", "Validating", "AwaitingApproval", "Approved", "Scheduled"})


def step(observed: Observed) -> Step:  # noqa: C901 - one line a state
    """Gives the next step of a plan that was understood."""
    state: PlanState = observed.status.state or "Pending"
    if state in _BEFORE and (over := _over(observed)) is not None:
        return over
    if state in _BEFORE and observed.plan.suspend:
        return stay(observed, "suspended", state=state, reason="Suspended", again=_patience(observed))
    match state:
        case "Pending":
            return _pending(observed)
        case "Validating":
            return _validating(observed)
        case "AwaitingApproval":
            return _awaiting(observed)
        case "Approved":
            return to(observed, "Scheduled", "waits for its turn")
        case "Scheduled":
            return _scheduled(observed)
        case "Executing":
            return execute(observed)
        case "Verifying":
            return verify(observed)
        case "RollingBack":
            return roll_back(observed)
        case "Rejected" | "Completed" | "RolledBack" | "Failed" | "Expired" | "Superseded":
            return Step(status=observed.status)
        case _:
            assert_never(state)


def _over(observed: Observed) -> Step | None:
    """A plan that has not begun is over when it is too late for any of it, somebody with the right says so, or a later
    plan says it all anew."""
    late = [each.id for each in observed.plan.decisions if observed.is_late(each)]
    count = len(observed.plan.decisions)
    if late and (observed.plan.on_failure != "Continue" or len(late) == count):
        which = "every decision" if len(late) == count else ", ".join(late)
        return ended(observed, "Expired", f"the time of {which} was over before anything was begun")
    said, stamp = observed.plan.approval, observed.stamp
    if said is not None and stamp is not None and said.decision == "Reject" and observed.status.state is not None:
        message = f"rejected by {stamp.by.username}" + (f": {said.reason}" if said.reason else "")
        return ended(observed, "Rejected", message, reason="RejectedByApprover", approval=_approval(observed, stamp))
    if observed.around.neighbours.superseded_by and observed.status.state not in (None, "Pending"):
        return ended(observed, "Superseded", f"{observed.around.neighbours.superseded_by} says it anew")
    return None


def _patience(observed: Observed) -> float:
    """Seconds until a plan that waits for a person is looked at again: what people say is told by the watch, and only
    its own end comes by itself."""
    ends = min((observed.deadline(each) - observed.now).total_seconds() for each in observed.plan.decisions)
    return min(max(ends, WAIT), _LONG)


def _pending(observed: Observed) -> Step:
    wrong = list(faults(observed))
    who = observed.requester
    known: dict[str, Any] = {
        "requested_by": _who(who) if who is not None else None,
        "expires_at": rfc3339(last_deadline(observed.plan, born(observed.plan, observed.created))),
        "total": len(observed.plan.decisions),
    }
    if wrong:
        message = "; ".join(dict.fromkeys(said for _, said in wrong))
        return ended(observed, "Rejected", message, reason=wrong[0][0], **known)
    return to(observed, "Validating", "to be judged", **known)


def _validating(observed: Observed) -> Step:
    shown, mode = preview(observed), observed.plan.mode
    if shown.refused:
        return ended(observed, "Rejected", "; ".join(shown.refused), reason="NotPossible", diff=list(shown.diff))
    rehearse = shown.rehearsals if mode != "Shadow" and observed.around.rehearsed is None else ()
    levels = unmeasured(observed)
    if rehearse or levels:
        waiting = stay(observed, "the API server is asked what it would make of it, and how the targets are doing")
        return Step(status=waiting.status, rehearse=rehearse, wants_levels=levels, look_again=WAIT)
    verdict = judged(observed)
    told: dict[str, Any] = {"trace": verdict.recorded(), "diff": list(shown.diff), "judged_at": rfc3339(observed.now)}
    against = {name: said for name, said in (observed.around.rehearsed or {}).items() if said}
    if against:
        said = "; ".join(f"{name}: {each}" for name, each in sorted(against.items()))
        return ended(observed, "Rejected", f"the API server would refuse it: {said}", reason="RefusedByServer", **told)
    if verdict.effect == "Reject":
        return ended(observed, "Rejected", verdict.reason, reason="RejectedByPolicy", **told)
    if mode != "Enforce":
        message = "judged, and not done" if verdict.effect != "RequireApproval" else f"would wait: {verdict.reason}"
        simulated = [
            DecisionStatus(id=each.id, state="Simulated", message="would be done") for each in observed.plan.decisions
        ]
        return ended(observed, "Completed", message, reason=mode, decisions=simulated, **told)
    if verdict.effect == "RequireApproval":
        return to(observed, "AwaitingApproval", verdict.reason, **told)
    return to(observed, "Approved", "the policies let it pass", **told)


def _awaiting(observed: Observed) -> Step:
    said, stamp = observed.plan.approval, observed.stamp
    if said is not None and stamp is None:
        said_by = "spec.approval: nobody vouches for who set it"
        return stay(observed, said_by, reason="UnknownApprover", again=_patience(observed))
    if levels := unmeasured(observed):
        return _measured_first(observed, levels)
    verdict = judged(observed)
    if verdict.effect == "RequireApproval":
        # What it was judged by first stays in the trace: the figures of every look would be a write each.
        return stay(observed, _unless_known(observed, "", verdict), again=_patience(observed))
    by = f"approved by {stamp.by.username}" if stamp is not None and said is not None else "needs no approval any more"
    approval = _approval(observed, stamp) if stamp is not None and said is not None else None
    return to(observed, "Approved", by, trace=verdict.recorded(), approval=approval)


def _scheduled(observed: Observed) -> Step:
    """What has come between since it was judged, a freeze or a full rate, is waited for; until its time is over."""
    if levels := unmeasured(observed):
        return _measured_first(observed, levels)
    verdict = judged(observed)
    if verdict.effect == "Reject":
        return stay(observed, _unless_known(observed, "waits: ", verdict), reason="WaitingForPolicy")
    if verdict.effect == "RequireApproval":
        return to(observed, "AwaitingApproval", verdict.reason, trace=verdict.recorded())
    if not observed.around.locked:
        return _queued(observed)
    return _begun(observed, verdict)


def _measured_first(observed: Observed, levels: tuple[LevelsWanted, ...]) -> Step:
    return Step(status=observed.status, wants_levels=levels, look_again=WAIT)


def _unless_known(observed: Observed, before: str, verdict: PlanJudgement) -> str:
    """Says why it waits, and the same again as long as the same rule is in the way: the figures of every look would be
    a write each."""
    said = observed.status.message
    return said if said.startswith(f"{before}{verdict.decided_by}: ") else f"{before}{verdict.reason}"


def _queued(observed: Observed) -> Step:
    held = sorted(f"{key}, which {holder} is changing" for key, holder in observed.around.holders.items())
    waiting = stay(observed, f"waits for {'; '.join(held)}" if held else "waits for its turn", reason="WaitingForLock")
    return Step(status=waiting.status, reason=waiting.reason, wants_locks=locks(observed), look_again=WAIT)


def _begun(observed: Observed, verdict: PlanJudgement) -> Step:
    return to(
        observed,
        "Executing",
        "begins",
        started_at=rfc3339(observed.now),
        trace=verdict.recorded(),
        decisions=[DecisionStatus(id=each.id) for each in observed.plan.decisions],
    )


def _approval(observed: Observed, stamp: ApprovalStamp) -> ApprovalRecord:
    said = observed.plan.approval
    if said is None:
        raise ValueError("nobody has said anything")
    return ApprovalRecord(decision=said.decision, by=_who(stamp.by), at=stamp.at, reason=said.reason)


def _who(identity: Identity) -> Who:
    return Who(username=identity.username, groups=sorted(identity.groups)[:64] or None)
