"""What a brain is told of its plan: once, when it is over, and nothing but what is true."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sentinel_operator.api.actionstatus import FINISHED
from sentinel_operator.core.conditions import parse_time, truncated
from sentinel_operator.core.plan import Manifest

_LONGEST = 1024
_MOST_REASONS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An acknowledgement."""

    plan_id: str
    success: bool
    message: str
    executed_at: int = 0
    """Unix time in seconds."""
    metrics: dict[str, str] = field(default_factory=dict)


def refusal(plan_id: str, message: str, *, state: str, now: datetime) -> Outcome:
    """Tells of a plan that did not become an object."""
    return Outcome(
        plan_id=plan_id,
        success=False,
        message=truncated(message, _LONGEST),
        executed_at=int(now.timestamp()),
        metrics={"state": state},
    )


def outcome_of(plan: Manifest) -> Outcome | None:
    """Gives what became of the plan; None while it is not over."""
    status = plan.get("status") or {}
    state = status.get("state")
    if state not in FINISHED:
        return None
    finished = parse_time(str(status.get("finishedAt") or "-"))
    return Outcome(
        plan_id=str(plan["spec"]["planId"]),
        success=state == "Completed",
        message=truncated(_message(status), _LONGEST),
        executed_at=int(finished.timestamp()) if finished is not None else 0,
        metrics=_metrics(status),
    )


def of_deleted(plan: Manifest, now: datetime) -> Outcome:
    """Gives what became of a plan that is gone: what it came to, or that somebody removed it on its way."""
    found = outcome_of(plan)
    if found is not None:
        return found
    state = (plan.get("status") or {}).get("state") or "Pending"
    told = refusal(str(plan["spec"]["planId"]), f"Deleted: it was removed while {state}", state="Deleted", now=now)
    return Outcome(
        plan_id=told.plan_id,
        success=False,
        message=told.message,
        executed_at=told.executed_at,
        metrics={**_metrics(plan.get("status") or {}), **told.metrics},
    )


def _message(status: Manifest) -> str:
    """Says the state and why: what went wrong first, and which rules of which policies were broken."""
    state = str(status["state"])
    said = [str(status.get("message") or ""), str(status.get("failure") or "")]
    reasons = [
        f"{each.get('decision')}: {each.get('policy')} ({each.get('rule')}): {each.get('message', '')}"
        for each in status.get("trace") or ()
        if each.get("verdict") == "Violated" and each.get("effect") == "Reject"
    ]
    parts = [each for each in dict.fromkeys((*said, *reasons[:_MOST_REASONS])) if each]
    parts = [each for each in parts if not any(each != other and each in other for other in parts)]
    return f"{state}: {'; '.join(parts)}" if parts else state


def _metrics(status: Manifest) -> dict[str, str]:
    told = {
        "state": str(status.get("state") or "Pending"),
        "done": str(status.get("done") or 0),
        "total": str(status.get("total") or 0),
        "started_at": str(status.get("startedAt") or ""),
        "finished_at": str(status.get("finishedAt") or ""),
    }
    for each in status.get("decisions") or ():
        told[f"{each['id']}.state"] = str(each.get("state") or "Pending")
        told[f"{each['id']}.message"] = truncated(str(each.get("message") or ""), 256)
    return {name: value for name, value in told.items() if value}
