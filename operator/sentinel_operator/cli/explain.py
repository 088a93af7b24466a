"""`explain`, `approve` and `reject`: what is known of one plan, and a person's word on it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Literal

from pydantic import ValidationError
from rich.text import Text

from sentinel_operator.api.actionstatus import FINISHED, ActionPlanStatus
from sentinel_operator.api.kinds import ACTION_PLAN
from sentinel_operator.cli.cluster import Cluster, Where, cluster
from sentinel_operator.cli.grid import clean, console, grid, show
from sentinel_operator.cli.outcome import Exit, Failed
from sentinel_operator.cli.trace import tree
from sentinel_operator.cli.words import Refused
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.engine.errors import ApiError
from sentinel_operator.engine.resources import Resource

MANAGER = "kubectl-sentinel"
_PLANS = Resource.of_kind(ACTION_PLAN)
_WELL = ("Completed", "Superseded")


def explain(name: str, where: Where) -> Exit:
    """Prints the whole story of a plan."""
    return asyncio.run(_explain(name, where))


def say(name: str, where: Where, *, decision: Literal["Approve", "Reject"], reason: str) -> Exit:
    """Writes spec.approval."""
    return asyncio.run(_say(name, where, decision=decision, reason=reason))


async def _explain(name: str, where: Where) -> Exit:
    async with cluster(where) as connected:
        raw = await _found(connected, name)
    try:
        status = ActionPlanStatus.model_validate(raw.get("status") or {})
    except ValidationError as error:
        raise Failed(f"the status of {name} is not understood: {error.errors()[0]['msg']}", Exit.NOT_READY) from error
    show(list(_told(raw, status)), console())
    return Exit.NOT_READY if status.state in FINISHED and status.state not in _WELL else Exit.OK


def _told(raw: Manifest, status: ActionPlanStatus) -> Iterator[Text]:
    metadata = raw["metadata"]
    yield Text(f"{clean(metadata['name'])}: {status.state or 'Pending'}: {clean(status.message)}")
    if status.requested_by is not None:
        yield Text(f"Requested by {clean(status.requested_by.username)}")
    if status.approval is not None:
        said = "Approved" if status.approval.decision == "Approve" else "Rejected"
        why = f": {clean(status.approval.reason)}" if status.approval.reason else ""
        yield Text(f"{said} by {clean(status.approval.by.username)} at {status.approval.at}{why}")
    yield Text("Judged" if status.trace else "Judged: no policy is about it")
    yield from tree(status.trace or ())
    if status.diff:
        yield Text("Changes")
        rows = [(each.decision, each.object, each.path, f"{each.before} -> {each.after}") for each in status.diff]
        yield from grid(rows, indent=2)
    if status.decisions:
        yield Text("Done")
        yield from grid([(each.id, each.state, each.message) for each in status.decisions], indent=2)
    if status.history:
        yield Text("Came to" + _published(status))
        yield from grid([(each.at, each.state, each.message) for each in status.history], indent=2)


def _published(status: ActionPlanStatus) -> str:
    """Says what the sink of CloudEvents knows of it, where there is one."""
    if status.published is None:
        return ""
    refused = f", which refused {status.publish_refused}" if status.publish_refused else ""
    return f" (the sink of events was told of {status.published}{refused})"


async def _say(name: str, where: Where, *, decision: Literal["Approve", "Reject"], reason: str) -> Exit:
    async with cluster(where) as connected:
        raw = await _found(connected, name)
        state = (raw.get("status") or {}).get("state")
        if state in FINISHED:
            raise Refused(f"{name} is over: {state}")
        ref = ObjectRef.of(raw)
        metadata = {"uid": raw["metadata"]["uid"], "resourceVersion": raw["metadata"]["resourceVersion"]}
        body = {"metadata": metadata, "spec": {"approval": {"decision": decision, "reason": reason}}}
        try:
            await connected.api.patch(_PLANS, ref, body, field_manager=MANAGER)
        except ApiError as error:
            if error.code in (400, 403, 422):
                raise Refused(f"the API server refuses it: {error.message}") from error
            raise
    print(f"{name}: {'approved' if decision == 'Approve' else 'rejected'}.")
    return Exit.OK


async def _found(connected: Cluster, name: str) -> Manifest:
    raw = await connected.api.find(_PLANS, connected.namespace, name.rpartition("/")[2])
    if raw is None:
        raise Failed(f"the plan {name} is not there in namespace {connected.namespace}", Exit.NOT_READY)
    return raw
