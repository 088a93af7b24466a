"""One decision on its way: recorded, done, seen done, settled; or given up. Whoever dies in between is followed by
somebody who sees the same and goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sentinel_operator.api.actionplan import Decision
from sentinel_operator.api.actionstatus import DecisionState, DecisionStatus
from sentinel_operator.core.actionplan.edits import stands
from sentinel_operator.core.actionplan.intent import Intent, patch, problem, read, recorded, standing
from sentinel_operator.core.actionplan.observed import Observed
from sentinel_operator.core.actionplan.pods import evictions, leaves
from sentinel_operator.core.actionplan.verbs import VERBS
from sentinel_operator.core.actionplan.verbs.case import Refusal
from sentinel_operator.core.actionplan.view import owned_by
from sentinel_operator.core.conditions import rfc3339, truncated
from sentinel_operator.core.plan import Evict, Manifest, Patch

_GIVE_BACK = frozenset({"drain", "reschedule"})
"""Verbs of which nothing stays when they are given up, whatever the plan does about failures."""
SETTLES = timedelta(seconds=5)
"""How much later a request may take effect than whoever sent it has given up waiting for the answer."""
FAILED: frozenset[DecisionState] = frozenset({"Failed", "Expired", "UndoFailed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Driven:
    """What became of a decision in this pass. A record that changed is written before anything else is done."""

    record: DecisionStatus
    patch: tuple[Patch, ...] = ()
    evict: tuple[Evict, ...] = ()


def changed(record: DecisionStatus, **values: Any) -> DecisionStatus:
    """Gives the record with other values; its message is bounded."""
    if "message" in values:
        values["message"] = truncated(values["message"])
    return record.model_copy(update=values)


def intended(observed: Observed, decision: Decision) -> tuple[Intent, ...]:
    """Decides what a decision does to the targets as they are now; raises Refusal where it cannot be done."""
    case = observed.case(decision)
    if owner := owned_by(case.live):
        raise Refusal(f"{observed.key(decision)} is looked after by {owner}, which would undo it: change that")
    intents = VERBS[decision.verb].intents(case)
    if wrong := problem(intents):
        raise Refusal(wrong)
    return intents


def begin(observed: Observed, decision: Decision, record: DecisionStatus) -> DecisionStatus:
    """Records what a decision does and how it is taken back. Nothing is done before that is written."""
    try:
        intents = intended(observed, decision)
    except Refusal as refusal:
        return failed(observed, record, str(refusal))
    return changed(
        record,
        state="Executing",
        started_at=rfc3339(observed.now),
        intents=[recorded(each) for each in intents],
        message="recorded",
    )


def failed(
    observed: Observed, record: DecisionStatus, message: str, *, state: DecisionState = "Failed"
) -> DecisionStatus:
    """Gives a decision that is over, and not well."""
    return changed(record, state=state, message=message, finished_at=rfc3339(observed.now))


def drive(observed: Observed, decision: Decision, record: DecisionStatus) -> Driven:
    """Goes on with a decision whose intent is recorded."""
    intents = tuple(read(each) for each in record.intents or ())
    if observed.view(decision).raw is None:
        return _given_up(observed, decision, record, intents, "its target is gone")
    waiting = VERBS[decision.verb].waits_for(observed.case(decision), intents)
    passing = [each for each in intents if each.temporary]
    if passing and not waiting and record.acted_at:
        return _without(observed, record, passing)
    lost, untouched = _survey(observed, intents, not_after=observed.deadline(decision))
    if lost:
        return _given_up(observed, decision, record, intents, lost)
    if untouched and observed.is_late(decision):
        if observed.now < observed.deadline(decision) + SETTLES:
            # What was sent in time may be under way still: it is not said yet that nothing was done.
            return Driven(record=record)
        state: DecisionState = "Failed" if record.acted_at else "Expired"
        return _given_up(observed, decision, record, intents, "its time was over before it was done", state=state)
    if untouched:
        return Driven(record=record, patch=untouched)
    return _settling(observed, decision, record, intents, waiting)


def _survey(observed: Observed, intents: Sequence[Intent], *, not_after: datetime) -> tuple[str, tuple[Patch, ...]]:
    """Gives why nothing more can be done, or what is still to be done."""
    untouched: list[Patch] = []
    for each in intents:
        live = live_of(observed, each)
        match standing(each, live):
            case "Gone":
                return f"{each.ref} was removed or made anew", ()
            case "Moved":
                return f"{each.ref} was changed by somebody else", ()
            case "Untouched" if live is not None:
                untouched.append(patch(each, live, not_after=not_after))
            case _:
                continue
    return "", tuple(untouched)


def _settling(
    observed: Observed, decision: Decision, record: DecisionStatus, intents: Sequence[Intent], waiting: str
) -> Driven:
    """All edits are there. It is over when they have taken effect, or when its time is."""
    if not record.acted_at:
        # What is there now may have been put there by an executor that died since: it is written down first.
        record = changed(record, acted_at=rfc3339(observed.now), message=waiting or "done")
        if waiting or any(each.temporary for each in intents):
            return Driven(record=record)
    if waiting and observed.is_late(decision):
        return _given_up(observed, decision, record, intents, f"given up at its ttl: {waiting}")
    if waiting:
        return Driven(record=changed(record, message=waiting), evict=_leaving(observed, decision, intents))
    return Driven(record=_done(observed, record, intents))


def live_of(observed: Observed, intent: Intent) -> Manifest | None:
    """Gives the object that an intent is about, as it is now."""
    ref = intent.ref
    for live in _objects(observed):
        metadata = live["metadata"]
        if (live["kind"], metadata.get("namespace", ""), metadata["name"]) == (ref.kind, ref.namespace, ref.name):
            return live
    return None


def _objects(observed: Observed) -> Iterator[Manifest]:
    for view in observed.around.targets.values():
        if view.raw is not None:
            yield view.raw
        yield from view.deployments
    yield from observed.around.nodes.values()


def _done(observed: Observed, record: DecisionStatus, intents: Sequence[Intent]) -> DecisionStatus:
    nothing = not any(each.edits or each.evict for each in intents)
    message = "it was so already" if nothing else "done"
    return changed(record, state="Done", finished_at=rfc3339(observed.now), message=message)


def _leaving(observed: Observed, decision: Decision, intents: Sequence[Intent]) -> tuple[Evict, ...]:
    pods = observed.view(decision).pods
    if decision.verb == "drain":
        return evictions((each for each in pods if leaves(each)), not_after=observed.deadline(decision))
    going = {uid for each in intents for uid in each.evict}
    leaving = (each for each in pods if each["metadata"].get("uid") in going)
    return evictions(leaving, not_after=observed.deadline(decision))


def _without(observed: Observed, record: DecisionStatus, passing: Sequence[Intent]) -> Driven:
    """The pods have left: what was only meant for as long is taken back, where it is still there."""
    back = []
    for each in passing:
        live = live_of(observed, each)
        if live is not None and standing(each, live) == "Applied" and each.edits:
            back.append(patch(each.inverse(live), live))
    if back:
        return Driven(record=record, patch=tuple(back))
    return Driven(record=changed(record, state="Done", finished_at=rfc3339(observed.now), message="done"))


def _given_up(
    observed: Observed,
    decision: Decision,
    record: DecisionStatus,
    intents: Sequence[Intent],
    message: str,
    *,
    state: DecisionState = "Failed",
) -> Driven:
    over = failed(observed, record, message, state=state)
    there = any(
        each.edits and (live := live_of(observed, each)) is not None and stands(live, each.edits) for each in intents
    )
    if decision.verb in _GIVE_BACK and there:
        return Driven(record=changed(undone_from(observed, over), message=message))
    # Nothing of it is there and nothing ever was seen there: nothing is owed, and it counts for no rate.
    return Driven(record=over if there or over.acted_at else changed(over, intents=None))


# ---------------------------------------------------------------------------------------------- taking back


def undone_from(observed: Observed, record: DecisionStatus) -> DecisionStatus:
    """Records how a decision is taken back: its inverse, on the objects as they are now."""
    inverses = [
        recorded(intent.inverse(live_of(observed, intent)))
        for intent in reversed([read(each) for each in record.intents or ()])
        if intent.edits and not _is_over(observed, record, intent)
    ]
    return changed(record, state="Undoing", undo=inverses, message="being taken back")


def _is_over(observed: Observed, record: DecisionStatus, intent: Intent) -> bool:
    """What was only meant for a while is not there any more, or is somebody else's doing since."""
    live = live_of(observed, intent)
    return intent.temporary and (record.state == "Done" or live is None or not stands(live, intent.edits))


def drive_back(observed: Observed, record: DecisionStatus, *, rolling_back: bool) -> Driven:
    """Goes on taking a decision back; what somebody else has changed since is left as it is, and said."""
    wanted: list[Patch] = []
    for each in [read(one) for one in record.undo or ()]:
        live = live_of(observed, each)
        match standing(each, live):
            case "Untouched" if live is not None:
                wanted.append(patch(each, live))
            case "Gone":
                return Driven(record=_not_undone(observed, record, f"{each.ref} was removed or made anew"))
            case "Moved" if record.acted_at:
                return Driven(record=_not_undone(observed, record, f"{each.ref} was changed by somebody else since"))
            case _:
                continue
    if wanted:
        return Driven(record=record, patch=tuple(wanted))
    if rolling_back:
        over = changed(record, state="Undone", finished_at=rfc3339(observed.now), message="taken back")
        return Driven(record=over)
    return Driven(record=failed(observed, record, f"{record.message}; taken back"))


def _not_undone(observed: Observed, record: DecisionStatus, why: str) -> DecisionStatus:
    return failed(observed, record, f"could not be taken back: {why}", state="UndoFailed")
