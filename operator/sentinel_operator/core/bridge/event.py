"""Transitions of plans, as a brain that speaks REST is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sentinel_operator.api.actionstatus import FINISHED
from sentinel_operator.core.bridge.points import milliseconds
from sentinel_operator.core.conditions import truncated
from sentinel_operator.core.plan import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanEvent:
    """Something that happened. `ts` is Unix time in milliseconds."""

    type: str
    data: Mapping[str, Any]
    ts: int


def transition(before: str, plan: Manifest, now: datetime) -> PlanEvent | None:
    """Gives the event of a plan that came to another state; None where it did not."""
    status = plan.get("status") or {}
    state = str(status.get("state") or "")
    if not state or state == before:
        return None
    kind = "status_updated" if state not in FINISHED else "completed" if state == "Completed" else "failed"
    spec, metadata = plan["spec"], plan["metadata"]
    data = {
        "plan_id": spec.get("planId", ""),
        "correlation_id": spec.get("correlationId", ""),
        "plan": f"{metadata.get('namespace', '')}/{metadata['name']}",
        "from": before,
        "state": state,
        "message": truncated(str(status.get("message") or ""), 256),
    }
    return PlanEvent(type=f"action_plan.{kind}", data=data, ts=milliseconds(now))
